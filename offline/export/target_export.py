"""A trained generator to a target file, and for the compact one an int8 file beside it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import torch

from face.compact_constants import LAYERED_SEAMS, SEAMS
from face.errors import UserError
from face.files import sha256
from face.morphable import MorphableModel
from face.target import read_info, write_onnx
from face.target_sizes import join_sizes
from offline.dataset.dataset import Dataset
from offline.dataset.half_size import HalfSize
from offline.export.check import check
from offline.export.cpu_step import CpuStep
from offline.export.int8 import quantize
from offline.export.layered_step import LayeredStep
from offline.export.onnx_step import export_onnx, to_onnx
from offline.export.options import TargetLabels
from offline.export.target_info import describe
from offline.networks.compact_generator import CompactGenerator
from offline.networks.layered_generator import LayeredGenerator
from offline.rollout import onnx_network, roll_out
from offline.training.profiles import PROFILES, Generator
from offline.training.texture_init import TexturedGenerator

_CHECK_FRAMES = 100


def export(dataset: Dataset, run: Path, labels: TargetLabels, out: Path) -> Path:
    """Write a run's target file, and for a CPU an int8 one beside it; where the first is.

    The paper's generator has none: it is too large for a CPU in int8 too. One that another network left
    under the same name is removed, since a CPU would go on using it.

    Args:
        dataset: what the run learned from.
        run: folder written by ``offline.learn``.
        labels: what users read of it.
        out: folder for the files.

    Raises:
        UserError: the run holds no checkpoint, or the exported network differs from the trained one.
    """
    checkpoint = run / "checkpoint.pt"
    if not checkpoint.exists():
        raise UserError(f"{run} holds no checkpoint: train with 'python -m offline.learn' first.")
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    size = int(dataset.frames.shape[1])
    generator = PROFILES[state["profile"]].generator(size)
    path, small_path = out / f"{labels.name}.onnx", out / f"{labels.name}.int8.onnx"
    files = [path, small_path] if isinstance(generator, TexturedGenerator) else [path]
    stamp = sha256(checkpoint)
    if all(_made_of(file, labels, stamp) for file in files):
        print(f"{path} is up to date.")
        return path
    generator.load_state_dict(state["average"])
    networks = _networks(generator, dataset)
    (model, small), others = networks.pop(size), networks
    join_sizes(model, {other: exact for other, (exact, _) in others.items()})
    described = replace(describe(dataset, state["profile"], labels), other_sizes=sorted(others))
    described.versions.update(
        trained_sequences=str(state["step"]), checkpoint=stamp, perceptual=state["config"]["perceptual"]
    )
    out.mkdir(parents=True, exist_ok=True)
    # The int8 file first: one that is older than its exact twin would go on being used.
    if small is not None:
        join_sizes(small, {other: int8 for other, (_, int8) in others.items() if int8 is not None})
        write_onnx(small_path, small, described)
        print(f"wrote {small_path} ({small_path.stat().st_size / 1e6:.1f} MB)")
    else:
        small_path.unlink(missing_ok=True)
    write_onnx(path, model, described)
    print(f"wrote {path} ({path.stat().st_size / 1e6:.1f} MB)")
    return path


def _networks(generator: Generator, dataset: Dataset) -> dict[int, tuple[onnx.ModelProto, onnx.ModelProto | None]]:
    """By the sizes that a generator has: its network, checked, and the int8 one for a CPU.

    Raises:
        UserError: an exported network differs from the trained one.
    """
    size = int(dataset.frames.shape[1])
    networks = {size: _network(generator, size, dataset)}
    if isinstance(generator, CompactGenerator) and generator.trunk < size:
        networks[generator.trunk] = _network(generator.at_trunk().eval(), generator.trunk, HalfSize(dataset))
    return networks


def _network(generator: Generator, size: int, dataset: Dataset) -> tuple[onnx.ModelProto, onnx.ModelProto | None]:
    print(f"{size} px:")
    model = export_onnx(generator, size)
    first, last = (dataset.test or dataset.train)[0]
    conditionings = np.asarray(dataset.conditionings[first : min(last, first + _CHECK_FRAMES)])
    outputs = check(model, generator, conditionings)
    small = _int8(generator, size, dataset)
    if small is not None:
        int8_outputs = np.stack(list(roll_out(onnx_network(small.SerializeToString()), conditionings)))
        error = ((outputs.astype(float) - int8_outputs) ** 2).mean()
        print(f"int8 against fp32: PSNR {10 * np.log10(255**2 / error):.1f} dB")
    return model, small


def _int8(generator: Generator, size: int, dataset: Dataset) -> onnx.ModelProto | None:
    """The generator's step for a CPU; ``None`` for the paper's."""
    if isinstance(generator, LayeredGenerator):
        return quantize(to_onnx(LayeredStep(generator), size, LAYERED_SEAMS), dataset, LAYERED_SEAMS)
    if isinstance(generator, CompactGenerator):
        return quantize(to_onnx(CpuStep(generator), size, SEAMS), dataset)
    return None


def _made_of(path: Path, labels: TargetLabels, stamp: str) -> bool:
    """Whether a target file was made of a checkpoint, under the same names."""
    try:
        info = read_info(path, MorphableModel.load().hash)
    except UserError:
        return False
    same = TargetLabels(info.name, info.title, info.provenance, info.consent) == labels
    return info.versions.get("checkpoint") == stamp and same
