"""``run_live.py --doctor``: what this machine has, and what would be used."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
import threading
from pathlib import Path

import av
import cv2

from face.errors import UserError
from face.morphable import DEFAULT_PATH, MorphableModel
from face.target import find_target
from face.tflite import MODEL_PATH
from live.device import choose
from live.generators.cpu_int8 import choose_precision
from live.options import Options
from live.sources.camera import cameras
from live.sources.open import open_source
from live.streaming.media.codecs import h264_encoder
from live.target_loading import load_target
from trt_engines.folders import BUILT, TARGET_FOLDERS
from trt_engines.library import tensorrt

_PACKAGES = ("numpy", "numba", "scipy", "ai-edge-litert", "onnxruntime", "onnx", "aiortc", "av", "starlette", "uvicorn")
_CUDA_PACKAGES = ("cuda-core", "cuda-bindings", "nvidia-cuda-nvrtc")


def cpu() -> str:
    """The CPU's name, cores and instructions."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    name = next((line.split(": ", 1)[1] for line in lines if line.startswith("model name")), platform.machine())
    flags = next((line for line in lines if line.startswith("flags")), "").split()
    features = [f for f in ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8") if f in flags]
    return f"{name}, {os.cpu_count()} cores, {' '.join(features) or 'no AVX2'}"


def _gpu() -> str:
    if shutil.which("nvidia-smi") is None:
        return "none found"
    query = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    answer = subprocess.run(query, capture_output=True, text=True, timeout=20, check=False)
    return answer.stdout.strip().replace("\n", "; ") or "none found"


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "missing"


def _tensorrt() -> str:
    try:
        library = tensorrt()
    except UserError:
        return "not installed (extra gpu or gpu-rtx)"
    return f"{library.name} {library.version}"


def _encoder() -> str:
    return h264_encoder() if "libx264" in av.codecs_available else "no H.264 encoder"


def report(options: Options) -> int:
    """Print the report; returns 1 if the live loop could not start with these options."""
    lines, problems = _machine(), []
    for check in (_check_device, _check_target, _check_source):
        try:
            lines += check(options)
        except UserError as error:
            problems.append(str(error))
    for name, value in lines:
        print(f"{name:<16} {value}")
    for problem in problems:
        print(f"{'PROBLEM':<16} {problem}")
    return 1 if problems else 0


def _machine() -> list[tuple[str, str]]:
    return [
        ("Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
        ("CPU", cpu()),
        ("GPU", _gpu()),
        ("TensorRT", _tensorrt()),
        ("CUDA packages", ", ".join(f"{p} {_version(p)}" for p in _CUDA_PACKAGES)),
        ("Cameras", ", ".join(f"camera:{n}" for n in cameras()) or "none"),
        ("Encoder", _encoder()),
        ("Packages", ", ".join(f"{p} {_version(p)}" for p in _PACKAGES) + f", opencv {cv2.__version__}"),
        ("Tracker model", str(MODEL_PATH) if MODEL_PATH.exists() else "MISSING"),
        ("Morphable model", str(DEFAULT_PATH) if DEFAULT_PATH.exists() else "MISSING"),
        ("Targets in", ", ".join(str(folder) for folder in TARGET_FOLDERS)),
        ("Engines in", str(BUILT)),
    ]


def _check_device(options: Options) -> list[tuple[str, str]]:
    return [("Device", choose(options.device)[1])]


def _check_target(options: Options) -> list[tuple[str, str]]:
    """Load the target as the loop would, on a CPU: a GPU's engine may take minutes to build."""
    path = find_target(options.target, TARGET_FOLDERS)
    info = load_target(path, MorphableModel.load()).info
    network, sizes = choose_precision(path).name, " or ".join(map(str, info.sizes))
    return [
        ("Target", f"{info.title}, {info.profile}, {sizes} px, {network}"),
        ("Provenance", info.provenance),
    ]


def _check_source(options: Options) -> list[tuple[str, str]]:
    """Open the source as the loop would, and close it again."""
    source = open_source(options.source, options.source_settings)
    stopped = threading.Event()
    stopped.set()
    source.run(lambda _: None, stopped)
    return [("Would use", f"source {source.name}")]
