"""The paper's network trained on a GPU within minutes, and a compact student after it.

    PYTHONPATH=tests python -m gpu.train DATA.npz --out DIR [--minutes 6] [--student-minutes 1.5] [--toy]

DATA.npz is what ``gpu.packed_dataset`` packed. DIR gets ``figures.json``, sheets (conditioning, output, truth), a short
film as frames, the student's weights and, in parts of 15 MiB, the teacher's. ``--toy`` runs everything small on a CPU.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from gpu.packed_dataset import draw, unpack

from face.drawing import draw_conditioning
from face.morphable import MorphableModel
from face.parameters import FaceParameters
from offline.dataset.dataset import Dataset
from offline.dataset.pixel_error import score_images
from offline.dataset.store import stack_parameters, write_dataset
from offline.flow.stored_flows import store_flows
from offline.networks.compact_generator import CompactGenerator
from offline.networks.exported_step import torch_network
from offline.networks.paper_generator import PaperGenerator
from offline.rollout import roll_out
from offline.training.distributed import Ranks
from offline.training.loader import needed_strides
from offline.training.perceptual_loss import PyramidDistance, Vgg16Perceptual
from offline.training.precision import Precision
from offline.training.profiles import COMPACT, PAPER, Phase, Profile, Weights
from offline.training.trainer import Trainer

PART = 15 << 20  # bytes of a file that travels back
STUDENT = Weights(l1=1.0, gradient=1.0, perceptual=0.15, image=0.02, mouth=0.02)
BEGUN = time.monotonic()


def say(*what: object) -> None:
    print(f"[{time.monotonic() - BEGUN:6.1f} s]", *what, flush=True)


class HeldOut:
    """Held-out takes: what they score, and what they look like.

    Args:
        dataset: whose test takes.
        device: where to roll out.
    """

    def __init__(self, dataset: Dataset, device: torch.device) -> None:
        self._dataset, self._device = dataset, device

    def score(self, generator: torch.nn.Module) -> tuple[dict[str, float], np.ndarray, np.ndarray]:
        """Scores, and of the first take outputs and conditionings."""
        first, last = self._dataset.test[0]
        conditionings, truth = (np.asarray(a[first:last]) for a in (self._dataset.conditionings, self._dataset.frames))
        outputs = np.stack(list(roll_out(torch_network(generator, self._device), conditionings)))
        scores = asdict(score_images(outputs, truth, conditionings, self._dataset.mouths[first:last]))
        return scores, outputs, conditionings

    def sheet(self, outputs: np.ndarray, conditionings: np.ndarray) -> np.ndarray:
        """Six moments: conditioning, output, truth."""
        first, last = self._dataset.test[0]
        moments = np.linspace(0, last - first - 1, 8).astype(int)[1:-1]
        return np.hstack([
            np.vstack([draw_conditioning(conditionings[k]), outputs[k], self._dataset.frames[first + k]])
            for k in moments
        ])  # fmt: skip


def save_image(path: Path, image: np.ndarray) -> None:
    cv2.imwrite(str(path), np.ascontiguousarray(image[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, 92])


def train(trainer: Trainer, minutes: float, marks: Sequence[float], held: HeldOut, out: Path, name: str) -> list[dict]:
    """Train for some minutes; the schedule is stretched to end with them. Scores at the marks (minutes of training)."""
    rows: list[dict] = []
    trained_s, trained_since, frames, waited, left = 0.0, 0.0, 0, 0.0, sorted(marks)
    warm = 4
    while trained_s < 60 * minutes:
        begin = time.monotonic()
        losses = trainer.train_step()
        took = time.monotonic() - begin
        trained_s += took
        if trainer.step == warm:  # cuDNN has chosen by now
            trained_since, frames, waited = trained_s, trainer.frames, trainer.loader.waited_s
        if trainer.step in (warm + 4, warm + 40):
            rate = (trainer.step - warm) / (trained_s - trained_since)
            fit_schedule(trainer, trainer.step + int(rate * (60 * minutes - trained_s)))
            say(f"{name}: {rate:.2f} steps a second, {trainer.last_step} in all")
        if left and trained_s >= 60 * left[0] or trained_s >= 60 * minutes:
            minute = trained_s / 60
            left = [m for m in left if m > minute]
            scores, outputs, conditionings = held.score(trainer.average)
            spent = max(trained_s - trained_since, 1e-9)
            row = {
                "minutes": minute, "steps": trainer.step, "frames/s": (trainer.frames - frames) / spent,
                "waiting, %": 100 * (trainer.loader.waited_s - waited) / spent, **scores,
                "losses": {k: round(v, 4) for k, v in losses.items()},
            }  # fmt: skip
            if trainer.device.type == "cuda":
                row["GPU memory, GB"] = torch.cuda.max_memory_allocated() / 1e9
            rows.append(row)
            save_image(out / f"{name}.jpg", held.sheet(outputs, conditionings))
            say(name, json.dumps({k: round(v, 3) if isinstance(v, float) else v for k, v in row.items()}))
    return rows


def fit_schedule(trainer: Trainer, last: int) -> None:
    """Stretch the profile's phases so that they end at a step."""
    phases = trainer.profile.phases
    factor = last / phases[-1].until
    moved = tuple(replace(phase, until=max(1, round(phase.until * factor))) for phase in phases)
    trainer.profile = replace(trainer.profile, phases=moved)


def paint_drivers(
    generator: torch.nn.Module, dataset: Dataset, driven: list[list[FaceParameters]], device: torch.device, folder: Path
) -> None:
    """The student's dataset: the person's own frames, and what the teacher makes of the drivers' motion."""
    size = dataset.frames.shape[1]
    frames, conditionings = [np.asarray(dataset.frames)], [np.asarray(dataset.conditionings)]
    faces = [dataset.face(k) for k in range(len(dataset.frames))]
    aligned = [dataset.aligned_face(k) for k in range(len(dataset.frames))]
    takes = [int(take) for take in dataset.parameters["take"]]
    for number, moved in enumerate(driven):
        drawn = draw(moved, size)
        frames.append(np.stack(list(roll_out(torch_network(generator, device), drawn))))
        conditionings.append(drawn)
        faces += moved
        aligned += moved
        takes += [max(dataset.parameters["take"]) + 1 + number] * len(moved)
    write_dataset(folder, np.concatenate(frames), np.concatenate(conditionings),
                  stack_parameters(faces, aligned, np.array(takes), dataset.camera_map), dataset.manifest)  # fmt: skip


def save_parts(weights: dict[str, torch.Tensor], out: Path, name: str) -> None:
    """Weights in half precision, in parts that travel."""
    content = io.BytesIO()
    torch.save({k: v.half().cpu() for k, v in weights.items()}, content)
    view = content.getbuffer()
    for number, begin in enumerate(range(0, len(view), PART)):
        (out / f"{name}.{number:02d}").write_bytes(view[begin : begin + PART])


def profiles(toy: bool) -> tuple[Profile, Profile]:
    """The teacher's and the student's."""
    paper, compact = PAPER, COMPACT
    if toy:
        paper = replace(PAPER, generator=lambda size: PaperGenerator(size, width=8), discriminator_width=8)
        compact = replace(COMPACT, generator=lambda size: CompactGenerator(size, (8, 12, 16), 8), discriminator_width=8)
    length = 20 if toy else 30
    weights = PAPER.phases[0].weights
    teacher = replace(paper, warm_up=10, phases=(Phase(until=667, length=length, rate=2e-4, weights=weights),
                                     Phase(until=1000, length=length, rate=0.0, weights=weights)))  # fmt: skip
    student = replace(compact, first_rate=5e-4, warm_up=50, phases=(
        Phase(until=500, length=4, rate=2e-4, weights=COMPACT.phases[1].weights),
        Phase(until=1000, length=4, rate=0.0, weights=STUDENT),
    ))  # fmt: skip
    return teacher, student


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("/tmp/head2head"), help="datasets and runs")
    parser.add_argument("--minutes", type=float, default=6.0)
    parser.add_argument("--marks", type=float, nargs="*", default=[1, 2, 4])
    parser.add_argument("--student-minutes", type=float, default=1.5)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--student-batch", type=int, default=16)
    parser.add_argument("--perceptual-weights", type=Path)
    parser.add_argument("--init", type=Path, help="what the student starts from")
    parser.add_argument("--toy", action="store_true")
    arguments = parser.parse_args()
    out, work = arguments.out, arguments.work
    out.mkdir(parents=True, exist_ok=True)
    cuda = torch.cuda.is_available()
    ranks = Ranks(device=torch.device("cuda" if cuda else "cpu"))
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    precision = Precision.BF16 if cuda else Precision.FP32
    perceptual = Vgg16Perceptual(arguments.perceptual_weights) if arguments.perceptual_weights else PyramidDistance()
    teacher, student = profiles(arguments.toy)

    driven = unpack(arguments.data, work / "dataset")
    dataset = Dataset(work / "dataset", MorphableModel.load())
    say(f"unpacked and drawn: {len(dataset.frames)} frames")
    store_flows(dataset, teacher.flow, needed_strides(teacher))
    say("flows stored")
    held, figures = HeldOut(dataset, ranks.device), {}
    trainer = Trainer([dataset], work / "teacher", teacher, perceptual, ranks, arguments.batch, precision)
    figures["teacher"] = train(trainer, arguments.minutes, arguments.marks, held, out, "teacher")
    (out / "figures.json").write_text(json.dumps(figures, indent=1))
    trainer.save()
    _, outputs, conditionings = held.score(trainer.average)
    film = [np.hstack([draw_conditioning(c), o]) for c, o in zip(conditionings[:75], outputs, strict=False)]
    np.savez(out / "film.npz", *[cv2.imencode(".jpg", f[..., ::-1])[1] for f in film])
    save_parts(trainer.average.state_dict(), work, "teacher.fp16")
    say("teacher saved")

    paint_drivers(trainer.average, dataset, driven, ranks.device, work / "taught")
    del trainer
    taught = Dataset(work / "taught", MorphableModel.load())
    say(f"student's dataset: {len(taught.frames)} frames")
    pupil = Trainer([taught], work / "student", student, perceptual, ranks, arguments.student_batch, precision,
                    arguments.init)  # fmt: skip
    half = arguments.student_minutes / 2
    figures["student"] = train(pupil, arguments.student_minutes, [half], HeldOut(taught, ranks.device), out, "student")
    torch.save({k: v.cpu() for k, v in pupil.average.state_dict().items()}, out / "student.pt")
    (out / "figures.json").write_text(json.dumps(figures, indent=1))
    say("done")


if __name__ == "__main__":
    main()
