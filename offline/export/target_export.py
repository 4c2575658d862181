"""A trained generator to a target file, and for the compact one an int8 file beside it."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from face.compact_constants import SEAMS
from face.errors import UserError
from face.files import sha256
from face.morphable import MorphableModel
from face.target import read_info, write_onnx
from offline.dataset.dataset import Dataset
from offline.export.check import check
from offline.export.cpu_step import ProcessorStep
from offline.export.int8 import quantise
from offline.export.onnx_step import export_onnx, to_onnx
from offline.export.target_info import describe
from offline.networks.compact_generator import CompactGenerator
from offline.rollout import onnx_network, roll_out
from offline.training.profiles import PROFILES

_CHECK_FRAMES = 100


def export(dataset: Dataset, run: Path, info: dict[str, str], out: Path) -> Path:
    """Write a run's target file, and for a processor an 8-bit one beside it; where the first is.

    The paper's generator has none: it is too large for a processor in eight bits too. One that another network left
    under the same name is removed, since a processor would go on using it.

    Args:
        dataset: what the run learned from.
        run: folder written by ``offline.learn``.
        info: ``name``, ``title`` and ``provenance`` of ``TargetInfo``.
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
    path, small_path = out / f"{info['name']}.onnx", out / f"{info['name']}.int8.onnx"
    wanted = [path, small_path] if isinstance(generator, CompactGenerator) else [path]
    stamp = sha256(checkpoint)
    if all(_made_of(one, info, stamp) for one in wanted):
        print(f"{path} is up to date.")
        return path
    generator.load_state_dict(state["average"])
    described = describe(dataset, state["profile"], **info)
    described.versions.update(
        trained_sequences=str(state["step"]), checkpoint=stamp, perceptual=state["config"]["perceptual"]
    )
    model = export_onnx(generator, size)
    first, last = (dataset.test or dataset.train)[0]
    shown = np.asarray(dataset.conditionings[first : min(last, first + _CHECK_FRAMES)])
    exact = check(model, generator, shown)
    out.mkdir(parents=True, exist_ok=True)
    # The 8-bit file first: one that is older than its exact twin would go on being used.
    if isinstance(generator, CompactGenerator):
        small = quantise(to_onnx(ProcessorStep(generator), size, SEAMS), dataset)
        rough = np.stack(list(roll_out(onnx_network(small.SerializeToString()), shown)))
        error = ((exact.astype(float) - rough) ** 2).mean()
        print(f"int8 against fp32: PSNR {10 * np.log10(255**2 / error):.1f} dB")
        write_onnx(small_path, small, described)
        print(f"wrote {small_path} ({small_path.stat().st_size / 1e6:.1f} MB)")
    else:
        small_path.unlink(missing_ok=True)
    write_onnx(path, model, described)
    print(f"wrote {path} ({path.stat().st_size / 1e6:.1f} MB)")
    return path


def _made_of(path: Path, info: dict[str, str], stamp: str) -> bool:
    """Whether a target file was made of a checkpoint, under the same names."""
    try:
        found = read_info(path, MorphableModel.load().hash)
    except UserError:
        return False
    return found.versions.get("checkpoint") == stamp and all(getattr(found, k) == v for k, v in info.items())


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of the export, for this command and ``offline.train``."""
    parser.add_argument("--name", help="short name, as in --target NAME")
    parser.add_argument("--title", help="name for people to read (default: the name)")
    parser.add_argument("--provenance", help="who this is and on what ground the likeness is used; the page shows it")


def need_names(arguments: argparse.Namespace, *others: str) -> None:
    """Refuse a command line that lacks what a target file must say.

    Raises:
        UserError: an option is missing.
    """
    missing = [option for option in (*others, "name", "provenance") if getattr(arguments, option) is None]
    if missing:
        raise UserError(f"To export a run, give {' and '.join(f'--{option}' for option in missing)} as well.")


def export_with_options(dataset: Dataset, run: Path, out: Path, arguments: argparse.Namespace) -> Path:
    """Export with what ``add_options`` took from the command line."""
    info = {"name": arguments.name, "title": arguments.title or arguments.name, "provenance": arguments.provenance}
    return export(dataset, run, info, out)
