"""A dataset in one small file, for a machine that nothing else reaches: parameters, and frames as JPEG.

    PYTHONPATH=tests python -m gpu.packed_dataset DATASET OUT.npz [--target FILE.onnx --driver VIDEO …] [--quality 93]

Conditionings are drawn again where it arrives. With drivers, the parameters that they would give the target are packed
too, for a student to learn more motion from. The live fit of held-out takes travels where the dataset has it.
"""

from __future__ import annotations

import argparse
import json
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np

from face.camera import ScaledOrthographicCamera
from face.conditioning import CpuConditioning
from face.morphable import MorphableModel
from face.parameters import FaceParameters
from offline.dataset.store import write_dataset

_PARAMETERS = ("expression", "rotation", "scale", "translation", "gaze")


def pack(folder: Path, out: Path, driven: list[list[FaceParameters]], quality: int) -> None:
    """Write the file."""
    frames = np.load(folder / "frames.npy", mmap_mode="r")
    jpegs = [
        cv2.imencode(".jpg", f[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
                                            cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444])[1]
        for f in frames
    ]  # fmt: skip
    with np.load(folder / "parameters.npz") as data:
        parameters = {f"parameters.{name}": value for name, value in data.items()}
    for number, faces in enumerate(driven):
        parameters |= {f"driven.{number}.{name}": value for name, value in stacked(faces).items()}
    manifest = np.frombuffer((folder / "manifest.json").read_bytes(), np.uint8)
    ends = np.cumsum([0, *(len(j) for j in jpegs)])
    np.savez_compressed(out, jpegs=np.concatenate(jpegs), ends=ends, manifest=manifest, **parameters)
    print(f"{out}: {len(jpegs)} frames, {out.stat().st_size / 2**20:.1f} MiB")


def stacked(faces: list[FaceParameters]) -> dict[str, np.ndarray]:
    """Faces as arrays, without identity."""
    return {
        "expression": np.stack([f.expression for f in faces]),
        "rotation": np.stack([f.camera.rotation for f in faces]),
        "scale": np.array([f.camera.scale for f in faces]),
        "translation": np.stack([f.camera.translation for f in faces]),
        "gaze": np.stack([f.gaze for f in faces]),
    }


def scaled(face: FaceParameters, factor: float) -> FaceParameters:
    """The face in an image that is larger by a factor."""
    camera = face.camera
    placed = replace(camera, scale=camera.scale * factor, translation=camera.translation * factor)
    return replace(face, camera=placed)


def faces_of(arrays: dict[str, np.ndarray], identity: np.ndarray) -> list[FaceParameters]:
    """The way back from ``stacked``."""
    rows = zip(*(arrays[name] for name in _PARAMETERS), strict=True)
    return [
        FaceParameters(identity, expression, ScaledOrthographicCamera(rotation, float(scale), translation), gaze)
        for expression, rotation, scale, translation, gaze in rows
    ]


def draw(faces: list[FaceParameters], size: int) -> np.ndarray:
    """Conditionings ``[N, size, size, 6]`` uint8, drawn on all cores."""
    cores = os.cpu_count() or 1
    bounds = np.linspace(0, len(faces), cores + 1).astype(int)
    _draw(size, faces[:1])  # compiles, so that the processes need not, each for itself
    with ProcessPoolExecutor(cores, get_context("spawn")) as pool:
        parts = pool.map(partial(_draw, size), [faces[a:b] for a, b in pairwise(bounds) if b > a])
        return np.concatenate(list(parts))


def _draw(size: int, faces: list[FaceParameters]) -> np.ndarray:
    renderer = CpuConditioning(MorphableModel.load(), size)
    return np.stack([renderer.render(face).copy() for face in faces])


def unpack(path: Path, folder: Path) -> list[list[FaceParameters]]:
    """Write the dataset folder, and return the drivers' faces."""
    with np.load(path) as data:
        arrays = dict(data)
    ends, manifest = arrays["ends"], json.loads(arrays["manifest"].tobytes())
    frames = np.stack([
        cv2.imdecode(arrays["jpegs"][a:b], cv2.IMREAD_COLOR)[..., ::-1] for a, b in pairwise(ends)
    ])  # fmt: skip
    part = lambda begin: {k.removeprefix(begin): v for k, v in arrays.items() if k.startswith(begin)}  # noqa: E731
    parameters = part("parameters.")
    identity = parameters["identity"]
    conditionings = draw(faces_of(parameters, identity), frames.shape[1])
    write_dataset(folder, frames, conditionings, parameters, manifest)
    count = len({k.split(".")[1] for k in arrays if k.startswith("driven.")})
    return [faces_of(part(f"driven.{number}."), identity) for number in range(count)]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--target", type=Path, help="whom the drivers move")
    parser.add_argument("--driver", type=Path, action="append", default=[])
    parser.add_argument("--quality", type=int, default=93)
    arguments = parser.parse_args()
    driven = []
    if arguments.driver:
        from face.retarget import Mode
        from face.target import read_info
        from offline.reenact import reenact

        model = MorphableModel.load()
        info = read_info(arguments.target, model.hash)
        factor = json.loads((arguments.dataset / "manifest.json").read_text())["size"] / info.size
        for driver in arguments.driver:
            frames = reenact(model, arguments.target, info, driver, Mode.HEAD)
            driven.append([scaled(frame.source.parameters, factor) for frame in frames])
    pack(arguments.dataset, arguments.out, driven, arguments.quality)


if __name__ == "__main__":
    main()
