"""``run_live.py --doctor``: what this machine has, and what would be used."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
from pathlib import Path

import av
import cv2

from face.errors import UserError
from face.morphable import DEFAULT_PATH, MorphableModel
from face.target import find_target, read_info
from face.tflite import MODEL_PATH
from live.device import Device, choose
from live.generators.cpu_int8 import choose_precision
from live.sources.camera import cameras
from live.sources.video_file import DEMO_CLIP
from live.streaming.media.codecs import h264_encoder
from trt_engines.folders import BUILT, TARGET_FOLDERS
from trt_engines.library import tensorrt

_PACKAGES = ("numpy", "numba", "scipy", "ai-edge-litert", "onnxruntime", "onnx", "aiortc", "av", "starlette", "uvicorn")
_CUDA_PACKAGES = ("cuda-core", "cuda-bindings", "nvidia-cuda-nvrtc")


def _processor() -> str:
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
    found = subprocess.run(query, capture_output=True, text=True, timeout=20, check=False)
    return found.stdout.strip().replace("\n", "; ") or "none found"


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


def report(target: str, source: str) -> int:
    """Print the report; returns 1 if the live loop could not start."""
    problems = []
    lines = [
        ("Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
        ("Processor", _processor()),
        ("GPU", _gpu()),
        ("TensorRT", _tensorrt()),
        ("CUDA packages", ", ".join(f"{p} {_version(p)}" for p in _CUDA_PACKAGES)),
        ("Cameras", ", ".join(f"camera:{n}" for n in cameras()) or "none"),
        ("Encoder", _encoder()),
        ("Packages", ", ".join(f"{p} {_version(p)}" for p in _PACKAGES) + f", opencv {cv2.__version__}"),
        ("Tracker model", str(MODEL_PATH) if MODEL_PATH.exists() else "MISSING"),
    ]
    lines.append(("Targets in", ", ".join(str(folder) for folder in TARGET_FOLDERS)))
    lines.append(("Engines in", str(BUILT)))
    try:
        model = MorphableModel.load(DEFAULT_PATH)
        lines.append(("Morphable model", f"{DEFAULT_PATH} ({model.hash[:12]})"))
        path = find_target(target, TARGET_FOLDERS)
        info = read_info(path, model.hash)
        lines.append(("Target", f"{info.title}, {info.profile}, {info.size} px, {choose_precision(path).name}"))
        lines.append(("Provenance", info.provenance))
    except UserError as error:
        problems.append(str(error))
    if not DEMO_CLIP.exists():
        problems.append(f"The demo clip {DEMO_CLIP} is missing: reinstall this program.")
    automatic = f"camera:{cameras()[0]}" if cameras() else f"the demo clip {DEMO_CLIP.name}"
    lines.append(("Would use", f"source {automatic if source == 'auto' else source}"))
    lines.append(("Device", choose(Device.AUTO)[1]))
    for name, value in lines:
        print(f"{name:<16} {value}")
    for problem in problems:
        print(f"{'PROBLEM':<16} {problem}")
    return 1 if problems else 0
