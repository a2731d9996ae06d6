# SPDX-License-Identifier: Apache-2.0
"""Train, distil, evaluate and export Tandem Transformers (arXiv 2402.08644)."""

__version__ = "0.1.0"
