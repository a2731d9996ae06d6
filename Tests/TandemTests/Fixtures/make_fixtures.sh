#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Makes the fixtures of this folder again: tiny random tandem checkpoints, and what PyTorch computes with them in float32
# (needs the trainer's Python packages). The same versions of those give the same bytes.
set -eu
cd "$(dirname "$0")"
PYTHONPATH="$PWD/../../../Tools/train${PYTHONPATH:+:$PYTHONPATH}"
export PYTHONPATH
TOKENS=85,299,0,17,263,264,264,31,120,85,270,7,201,288,33,256,1,150,299,85

for variant in untied mixed router; do
    rm -rf "$variant"
    case "$variant" in
        router) python3 -m tandem_train tiny --variant tied --router --seed 5 --out "$variant" ;;
        *) python3 -m tandem_train tiny --variant "$variant" --seed 5 --out "$variant" ;;
    esac
    # The tests do not read the baseline.
    rm -r "$variant/secondary-distilled"
    python3 - "$variant/tandem.json" <<'END'
import json, sys
manifest = json.load(open(sys.argv[1]))
del manifest["baselines"]
json.dump(manifest, open(sys.argv[1], "w"), indent=2, sort_keys=True)
END
    python3 -m tandem_train reference --checkpoint "$variant" --prompt-ids "$TOKENS" --gamma 3 \
        --out "$variant/reference.safetensors"
    python3 -m tandem_train reference --checkpoint "$variant" --prompt-ids "$TOKENS" --gamma 3 --json -n 40 \
        > "$variant/speed.json"
    chmod -R a+r "$variant"
done
