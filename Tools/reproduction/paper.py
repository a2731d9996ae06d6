# SPDX-License-Identifier: Apache-2.0
"""The paper's figures that ours stand beside."""

from __future__ import annotations

# Table 1: accuracy % / cross-entropy / accuracy against the primary % / total variation.
TABLE_1 = {
    "vanilla": {"model": "Gecko-Distil", "accuracy_vs_primary": 75.30, "total_variation": 0.318},
    "tandem": {"model": "Tandem-Distil", "accuracy_vs_primary": 81.00, "total_variation": 0.141},
}
# Accuracy against text of the two models trained without distillation.
TABLE_1_ACCURACY = {"alone": 55.06, "tandem": 58.35}
# Table 2, Reddit, end to end: speed-up over the primary.
TABLE_2 = {"vanilla": 2.169, "tandem": 2.471}
# Table 3: speed-up over the primary at this block length, and of a model of similar quality alone.
STANDALONE = 3
TABLE_3 = {"secondary": 6.40, "tandem": 2.75, "mid": 2.36}
# Table 4: adaptive block length, Reddit.
TABLE_4 = {"tandem": 2.582}
# Table 5, LM1B: runs of the primary and of the secondary for a text.
TABLE_5 = {"vanilla": (51.53, 360.73), "tandem": (54.67, 271.63)}
