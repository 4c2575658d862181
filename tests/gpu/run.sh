#!/bin/sh
# Everything that only a GPU can show, as one table. From the repository's root, on a machine with an NVIDIA GPU:
#   sh tests/gpu/run.sh [FRAMES] >> docs/gpu.md
# Needs pip install -e '.[gpu-rtx]' or '.[gpu]', torch and httpx. Where TensorRT does not run on the GPU (TensorRT for RTX
# on an H100), STANDIN=1 puts PyTorch in its place.
set -e
exec env PYTHONPATH="tests${STANDIN:+:tests/gpu/standin}" python -m gpu.measure --frames "${1:-300}"
