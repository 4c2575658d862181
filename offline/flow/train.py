"""Teach the flow network on people whose flow is known, and compare it with DIS on others.

    python -m offline.flow_learning [--steps 6000] [--out offline/flow/flow.npz]     learns, then compares
    python -m offline.flow_learning --compare                                        compares the network that ships

The people are rendered (``offline/synthetic/raster_people.py``), so that every visible point's way is known. The error
is the paper's
masked endpoint error: on the face against the truth, elsewhere against the estimate that the network starts from.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from face.files import check_output_file
from face.morphable import MorphableModel
from face.nmfc import NmfcRenderer
from offline.cli_errors import one_sentence
from offline.flow.optical_flow import estimated_flow, face_flow
from offline.flow.refinement_unet import WEIGHTS, FlowNetwork, network_inputs
from offline.synthetic.motion import natural_motion
from offline.synthetic.raster_people import Person, act

_SIZE = 128  # px
_LEARNED, _HELD_OUT = range(5000, 5048), range(6000, 6008)  # seeds of people
_FRAMES = 40  # of each person
_STRIDES = (1, 3, 9)  # frames apart, as the dynamics discriminators see them
_PAIRS = 36  # of each person
_BATCH = 8
_RATE = 4e-4
_BACKGROUND = 0.3  # weight of the estimate's word outside the face
_NOISE = 0.02  # of pixels 0…1


@dataclass(frozen=True)
class Example:
    """Two frames of a person.

    Attributes:
        now, earlier: ``[S, S, 3]`` uint8.
        estimate: DIS's flow ``[S, S, 2]`` px.
        truth: the true flow ``[S, S, 2]`` px.
        face: where the face is, ``[S, S]`` bool.
        stride: frames between the two.
    """

    now: np.ndarray
    earlier: np.ndarray
    estimate: np.ndarray
    truth: np.ndarray
    face: np.ndarray
    stride: int


def film_pairs(model: MorphableModel, seed: int) -> Iterator[Example]:
    """Pairs of frames of one person in motion, as many of each stride."""
    rng = np.random.default_rng(seed)
    person, renderer = Person(model, seed), NmfcRenderer(model)
    acted = act(person, natural_motion(_FRAMES, seed), _SIZE)
    frames = [person.render(parameters, _SIZE, _SIZE) for parameters in acted]
    for k in range(_PAIRS):
        stride = _STRIDES[k % len(_STRIDES)]
        t = int(rng.integers(stride, _FRAMES))
        now, earlier = acted[t], acted[t - stride]
        _, face = face_flow(renderer, now, earlier, _SIZE)
        yield Example(frames[t], frames[t - stride], estimated_flow(frames[t], frames[t - stride]),
                      person.flow(now, earlier, _SIZE, _SIZE), face, stride)  # fmt: skip


def masked_endpoint_error(flow: Tensor, truth: Tensor, estimate: Tensor, face: Tensor) -> Tensor:
    """Distance [B, 2, H, W] px from the truth on the face [B, 1, H, W], from the estimate elsewhere; the mean."""
    expected = torch.where(face, truth, estimate)
    weight = torch.where(face, 1.0, _BACKGROUND)
    distance = ((flow - expected) ** 2).sum(1, keepdim=True).add(1e-4).sqrt()
    return (distance * weight).mean() / weight.mean()


def _batch(examples: list[Example], rng: np.random.Generator) -> tuple[Tensor, ...]:
    """Inputs of the network, truth and face, some mirrored, with noise, brighter or darker."""
    columns: list[list[Tensor]] = []
    for k in rng.integers(len(examples), size=_BATCH):
        example = examples[k]
        now, warped, estimate = network_inputs(example.now, example.earlier, example.estimate)
        light = rng.uniform(0.7, 1.3)
        now, warped = (
            (image * light + torch.from_numpy(rng.normal(0, _NOISE, image.shape).astype(np.float32))).clamp(0, 1)
            for image in (now, warped)
        )
        truth, face = torch.from_numpy(example.truth).permute(2, 0, 1), torch.from_numpy(example.face)[None]
        if rng.random() < 0.5:
            now, warped, estimate, truth, face = (t.flip(-1) for t in (now, warped, estimate, truth, face))
            turn = torch.tensor([-1.0, 1.0])[:, None, None]
            estimate, truth = estimate * turn, truth * turn
        columns.append([now, warped, estimate, truth, face])
    return tuple(torch.stack(column) for column in zip(*columns, strict=True))


def learn(examples: list[Example], steps: int) -> FlowNetwork:
    """A network that learned from examples."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    network = FlowNetwork()
    optimizer = torch.optim.AdamW(network.parameters(), _RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    with tqdm(range(steps), desc="training", unit="step", mininterval=5) as bar:
        for _ in bar:
            now, warped, estimate, truth, face = _batch(examples, rng)
            error = masked_endpoint_error(network(now, warped, estimate), truth, estimate, face)
            optimizer.zero_grad(set_to_none=True)
            error.backward()
            optimizer.step()
            schedule.step()
            bar.set_postfix(error=f"{error.item():.3f} px", refresh=False)
    return network.eval()


def compare(network: FlowNetwork, examples: list[Example]) -> dict[str, tuple[float, float, float]]:
    """Per stride, mean endpoint errors in px: DIS on the face, the network there, the network from DIS elsewhere."""
    errors: dict[str, list[tuple[float, float, float]]] = {}
    for example in examples:
        flow = network.refine(example.now, example.earlier, example.estimate)
        mean_error = lambda a, b, where: float(np.linalg.norm(a - b, axis=-1)[where].mean())  # noqa: E731
        row = (
            mean_error(example.estimate, example.truth, example.face),
            mean_error(flow, example.truth, example.face),
            mean_error(flow, example.estimate, ~example.face),
        )
        for name in (f"{example.stride} apart", "all"):
            errors.setdefault(name, []).append(row)
    means = {}
    for name, rows in sorted(errors.items()):
        dis, learned, elsewhere = (float(mean) for mean in np.mean(rows, axis=0))
        means[name] = (dis, learned, elsewhere)
    return means


@one_sentence
def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m offline.flow_learning", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--steps", type=int, default=6000, help="(default 6000)")
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="(default offline/flow/flow.npz)")
    parser.add_argument("--compare", action="store_true", help="only compare what --out holds with DIS")
    parser.add_argument("--threads", type=int, help="CPU threads")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    model = MorphableModel.load()
    if not arguments.compare:
        check_output_file(arguments.out)
        people = tqdm(_LEARNED, desc="filming", unit="person")
        network = learn([example for seed in people for example in film_pairs(model, seed)], arguments.steps)
        network.save(arguments.out)
    network = FlowNetwork.load(arguments.out)
    held_out = [example for seed in _HELD_OUT for example in film_pairs(model, seed)]
    print(f"{'endpoint error, px':<20}{'DIS, face':>12}{'learned, face':>16}{'from DIS elsewhere':>20}")
    for name, (dis, learned, elsewhere) in compare(network, held_out).items():
        print(f"{name:<20}{dis:>12.3f}{learned:>16.3f}{elsewhere:>20.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
