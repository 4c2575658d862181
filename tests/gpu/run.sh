#!/bin/sh
# What only a GPU can show, in parts that fit a borrowed one's minutes. From the repository's root:
#   sh tests/gpu/run.sh train DATA.npz OUT     7 min: the paper's network trained, a student after it (gpu/train.py)
#   sh tests/gpu/run.sh sessions               2 min: live sessions fed at 25 fps, two, six and twelve
#   sh tests/gpu/run.sh engine [CHECKPOINT]    3 min: step, drawing and step, parity, loops at 30 fps of the paper's network
#   sh tests/gpu/run.sh compact                2 min: the compact generator, and the loop from capture to encoded
#   sh tests/gpu/run.sh all                    every figure of gpu/measure.py
# Needs pip install -e '.[gpu-rtx]' or '.[gpu]', torch and httpx. Where TensorRT does not run on the GPU (TensorRT for RTX
# on an H100), STANDIN=1 puts PyTorch in its place. TOY=1 runs train small, on a CPU.
set -e
part=${1:-all}
[ $# -gt 0 ] && shift
export PYTHONPATH="tests${STANDIN:+:tests/gpu/standin}${PYTHONPATH:+:$PYTHONPATH}"
case $part in
train) data=$1 out=$2; shift 2; exec python3 -u -m gpu.train "$data" --out "$out" ${TOY:+--toy} "$@" ;;
sessions) exec python3 -u -m benchmarks.sessions --sessions 2 6 12 --seconds 10 --device cuda "$@" ;;
engine) exec python3 -u -m gpu.measure --only paper ${1:+--checkpoint "$1"} ;;
compact) exec python3 -u -m gpu.measure --only compact,loop,memory ;;
all) exec python3 -u -m gpu.measure ;;
*) echo "run.sh: there is no part '$part': give train, sessions, engine, compact or all" >&2; exit 2 ;;
esac
