#!/bin/sh
# Everything that only a GPU can show, as one table. From the repository's root, on a machine with an NVIDIA GPU:
#   sh tests/gpu/run.sh [FRAMES] >> docs/gpu.md
# Needs pip install -e '.[gpu-rtx]' or '.[gpu]'; torch as well for the paper's network and for PyTorch's row.
set -e
exec env PYTHONPATH=tests python -m gpu.measure --frames "${1:-300}"
