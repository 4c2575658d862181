"""A trained generator to a target file.

    python -m offline.export DATASET --run RUN --name demo --title "Mira" --provenance "…" [--out trt_engines]
    python -m offline.export TARGET.onnx --engine [--precision fp16] [--compute-capability 8.9]
    python -m offline.export TARGET.onnx --remodel

The second makes TARGET.engine for TensorRT: for the GPU at hand or, by TensorRT for RTX, for any other. The last takes
a target, and its 8-bit twin, over to the morphable model in use: networks see only pictures of the face.

The exported step takes and gives uint8 pictures, so that the host does no work per pixel. It is checked against
torch over a roll-out before anything is written.
"""

from __future__ import annotations

import argparse
import base64
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import onnxruntime as ort
import torch
from scipy.spatial.transform import Rotation
from torch import nn

from face.compact_constants import SEAMS
from face.errors import UserError
from face.files import sha256
from face.landmarks import UNIT_NAMES
from face.morphable import MorphableModel
from face.motion_range import motion_ellipsoid
from face.parameters import of_units
from face.recurrence import INPUTS, Recurrence
from face.resting_face import activity
from face.target import TargetInfo, read_any_info, read_info, write_onnx
from offline.cli_errors import one_sentence
from offline.dataset.dataset import Dataset
from offline.export.cpu_step import ProcessorStep
from offline.export.int8 import quantise
from offline.export.onnx_graph import halve_maps
from offline.networks.compact_generator import CompactGenerator
from offline.networks.exported_step import ExportedStep
from offline.training.profiles import PROFILES, Generator
from trt_engines.engines import build_engine, parse_capability
from trt_engines.graph import Precision
from trt_engines.library import at_hand

_OPSET = 17
_CHECK_FRAMES = 100
_CHECK_MEAN = 0.05  # of 255, in any frame: a byte rounded the other way here and there
_MOTION_FRAMES = 150
_PORTRAIT = 160  # px
# Hashes of former morphable models that differ from today's in expression and landmarks alone: same head, same colours.
_PREDECESSORS = ("3c1611e1e8f0ed4965df7beecf7102afb013c51517296485d85a6dfbd99c76dc",)


def export_onnx(generator: Generator, size: int) -> onnx.ModelProto:
    """The generator's step as an ONNX model with inputs ``INPUTS`` and output ``output``.

    The generator's maps are rounded to half precision, in which they are stored.
    """
    with torch.no_grad():
        for one in generator.remembered():
            one.copy_(one.half())
    model = to_onnx(ExportedStep(generator), size)
    halve_maps(model)
    return model


def to_onnx(step: nn.Module, size: int, seams: tuple[str, ...] = ()) -> onnx.ModelProto:
    """A step on pictures ``[size, size, C]``, ``ExportedStep`` or ``ProcessorStep``, as an ONNX model.

    Args:
        step: what to export.
        size: height and width of its pictures.
        seams: names of what it puts out beside the picture.
    """
    shapes = [(size, size, 6)] * 3 + [(size, size, 3)] * 2
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "step.onnx"
        torch.onnx.export(
            step.eval(),
            tuple(torch.zeros(s, dtype=torch.uint8) for s in shapes),
            path,
            input_names=list(INPUTS),
            output_names=["output", *seams],
            opset_version=_OPSET,
            dynamo=False,
        )
        return onnx.load(str(path))


def roll_out(session: ort.InferenceSession, conditionings: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Pictures ``[H, W, 3]`` uint8 of a recurrent run over conditionings ``[H, W, 6]`` uint8."""
    past = Recurrence()
    for conditioning in conditionings:
        picture = session.run(None, past.inputs(conditioning))[0]
        past.advance(conditioning, picture)
        yield picture


def _rounded(values: np.ndarray, decimals: int = 4) -> Any:
    """Nested lists: a target file holds no more decimals than that."""
    return np.round(values, decimals).tolist()


def describe(dataset: Dataset, profile: str, name: str, title: str, provenance: str) -> TargetInfo:
    """Statistics of the person from the training takes."""
    p = dataset.parameters
    chosen = np.concatenate([np.arange(a, b) for a, b in dataset.train])
    expression, scale = p["expression"][chosen], p["scale"][chosen]
    place = p["translation"][chosen] / scale[:, None]
    euler = Rotation.from_matrix(p["rotation"][chosen]).as_euler("YXZ", degrees=True)
    calm = expression[np.argsort(activity(expression))[: max(1, len(expression) // 20)]]
    center, whitening = motion_ellipsoid(euler, expression)
    first, last = max(dataset.train, key=lambda r: r[1] - r[0])
    motion = slice(first, min(last, first + _MOTION_FRAMES))
    own = np.column_stack([
        Rotation.from_matrix(p["rotation"][motion]).as_euler("YXZ", degrees=True),
        p["scale"][motion], p["translation"][motion],
    ])  # fmt: skip
    return TargetInfo(
        name=name, title=title, profile=profile, size=int(dataset.frames.shape[1]),
        model_hash=dataset.manifest["model_hash"], identity=_rounded(p["identity"]),
        neutral_expression=_rounded(np.median(calm, axis=0)),
        neutral_gaze=_rounded(np.median(p["gaze"][chosen], axis=0)),
        scale_mean=float(scale.mean()), translation_mean=_rounded(place.mean(0)),
        translation_std=_rounded(place.std(0)),
        euler_low_deg=_rounded(np.percentile(euler, 1, axis=0)),
        euler_high_deg=_rounded(np.percentile(euler, 99, axis=0)),
        head_motion=_rounded(own), provenance=provenance,
        versions={"torch": torch.__version__, "onnx": onnx.__version__},
        camera_map=_rounded(dataset.camera_map, 6),
        motion_center=_rounded(center), motion_whitening=_rounded(whitening, 5),
        portrait=portrait(dataset.frames[chosen[_most_at_rest(expression, euler, p["gaze"][chosen])]]),
    )  # fmt: skip


def _most_at_rest(expression: np.ndarray, euler_deg: np.ndarray, gaze_deg: np.ndarray) -> int:
    """Which of some frames shows the face most at rest, looking at the viewer with open eyes and a faint smile."""
    calm = np.abs(euler_deg).sum(1) / 10 + np.abs(gaze_deg).sum(1) / 10 + activity(expression)
    smile = [UNIT_NAMES.index(name) for name in ("mouthSmileLeft", "mouthSmileRight")]
    return int(np.argmin(calm - 2 * np.minimum(expression[:, smile], 0.3).sum(1)))


def portrait(frame: np.ndarray) -> str:
    """A frame ``[H, W, 3]`` uint8 RGB as a small JPEG in base64."""
    small = cv2.resize(frame, (_PORTRAIT, _PORTRAIT), interpolation=cv2.INTER_AREA)
    return base64.b64encode(cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR))[1].tobytes()).decode()


def check(model: onnx.ModelProto, generator: nn.Module, conditionings: np.ndarray) -> np.ndarray:
    """Compare ONNX Runtime with torch on every step of a roll-out; ONNX Runtime's pictures ``[T, H, W, 3]`` uint8.

    Both are given the same history at each step: a recurrent network that is not trained yet makes a different
    picture out of one different byte within a few steps, whoever computes it.

    Raises:
        UserError: they differ by more than rounding in any frame.
    """
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    step, history = ExportedStep(generator).eval(), Recurrence()
    pictures, differences = [], []
    for conditioning in conditionings:
        inputs = history.inputs(conditioning)
        picture = session.run(None, inputs)[0]
        with torch.no_grad():
            wanted = step(*(torch.from_numpy(inputs[name].copy()) for name in INPUTS)).numpy()
        differences.append(np.abs(picture.astype(int) - wanted))
        pictures.append(picture)
        history.advance(conditioning, picture)
    means = np.array([difference.mean() for difference in differences])
    print(f"ONNX against torch, each of {len(means)} frames: largest difference {np.max(differences)} of 255, mean "
          f"{means.mean():.5f}, of the worst frame (number {means.argmax()}) {means.max():.5f}")  # fmt: skip
    if means.max() > _CHECK_MEAN:
        raise UserError("The exported network differs from the trained one: nothing was written.")
    return np.stack(pictures)


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
        rough = np.stack(list(roll_out(ort.InferenceSession(small.SerializeToString()), shown)))
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


def remodel(source: Path) -> None:
    """Take ``NAME.onnx`` and ``NAME.int8.onnx`` over to the morphable model in use.

    Raises:
        UserError: it is no ONNX target, or the model it was made for draws other pictures than today's.
    """
    if source.suffix != ".onnx":
        raise UserError(f"{source} is no ONNX target: --remodel takes NAME.onnx.")
    exact = source.with_name(source.name.removesuffix(".onnx").removesuffix(".int8") + ".onnx")
    twin = exact.with_suffix(".int8.onnx")
    model_hash = MorphableModel.load().hash
    # The 8-bit file first: one that is older than its exact twin would go on being used.
    for path in [one for one in (twin, exact) if one.exists() or one == exact]:
        info = read_any_info(path)
        if info.model_hash == model_hash:
            print(f"{path} is for the morphable model in use already.")
            continue
        if info.model_hash not in _PREDECESSORS:
            raise UserError(f"The network of {path} knows pictures of another head: reconstruct and train it again.")
        units = np.array(info.neutral_expression[: len(UNIT_NAMES)])
        current = replace(info, model_hash=model_hash, neutral_expression=_rounded(of_units(units)))
        write_onnx(path, onnx.load(str(path)), current)
        print(f"wrote {path} for the morphable model in use")


def export_engine(source: Path, precision: Precision, capability: str | None) -> Path:
    """Build ``NAME.engine`` beside the ONNX target ``NAME.onnx``.

    Raises:
        UserError: it is no ONNX target, or TensorRT cannot build it.
    """
    if source.suffix != ".onnx":
        raise UserError(f"{source} is no ONNX target: --engine builds from NAME.onnx.")
    info = read_info(source, MorphableModel.load().hash)
    out = source.with_suffix(".engine")
    wanted = parse_capability(capability) if capability else at_hand()[1].capability
    build_engine(source, info, out, precision, wanted, at_hand=capability is None)
    print(f"wrote {out} ({out.stat().st_size / 1e6:.1f} MB)")
    return out


@one_sentence
def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m offline.export", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("source", type=Path, metavar="DATASET|TARGET.onnx")
    parser.add_argument("--run", type=Path, help="folder written by offline.learn")
    parser.add_argument("--out", type=Path, default=Path("trt_engines"), help="(default trt_engines)")
    engine = parser.add_argument_group("engine")
    engine.add_argument("--engine", action="store_true", help="build a TensorRT engine from an ONNX target")
    engine.add_argument("--precision", choices=[p.value for p in Precision], default=Precision.FP16.value,
                        help="of its features (default: fp16)")  # fmt: skip
    engine.add_argument("--compute-capability", metavar="N.N", help="of the GPU it is for (default: the one at hand)")
    add_options(parser)
    parser.add_argument("--remodel", action="store_true", help="take an ONNX target over to the morphable model in use")
    arguments = parser.parse_args()
    if arguments.remodel:
        remodel(arguments.source)
        return 0
    if arguments.engine:
        export_engine(arguments.source, Precision(arguments.precision), arguments.compute_capability)
        return 0
    need_names(arguments, "run")
    dataset = Dataset(arguments.source, MorphableModel.load())
    export_with_options(dataset, arguments.run, arguments.out, arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
