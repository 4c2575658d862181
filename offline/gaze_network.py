"""The network that sees the gaze in a picture of the eyes (``face/gaze_estimation.py``), learned from invented people.

    python -m offline.gaze_network STRANGERS [--painted 120] [--steps 6000] [--out face/data/gaze.onnx]

STRANGERS is a folder that ``offline.synthetic.blender.gaze_set`` filmed: path-traced eyes look like real ones. Painted
people (``offline/synthetic/raster_people.py``) are added, who are many and cheap. Everybody's lids follow their gaze
by another amount.
The last sixth of either kind is held out, and the scores on it are printed. What the tracker saw is kept in
STRANGERS/seen, so that the same command goes on where it stopped.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from face.errors import UserError
from face.files import atomic
from face.fit_batch import fit_video
from face.gaze_estimation import HEIGHT, NETWORK_PATH, WIDTH, look
from face.landmarks import UNIT_NAMES
from face.morphable import MorphableModel
from face.tracking import FaceTracker
from offline.cli_errors import one_sentence
from offline.synthetic.motion import free_lids, natural_motion
from offline.synthetic.raster_people import Person, act

_WIDE, _HIGH = 56, 44  # px kept of each eye, so that training can shift, turn and scale it
_FRAME_MS = 200
_PAINTED_SEED = 1000  # the tests' people have lower ones
_PAINTED_FRAMES, _PAINTED_SIZES = 40, (224, 256, 256, 320, 384)
_BLINK = UNIT_NAMES.index("eyeBlinkLeft")
_CLOSED = 0.4
_HELD_OUT = 6  # one of so many people
_BATCH, _RATE, _FILMED_SHARE = 128, 2e-3, 0.5
_UNIT_DEG = 10.0


@dataclass(frozen=True)
class Looks:
    """Eyes as the network is shown them, and where they look.

    Attributes:
        eyes: ``[N, 2, 44, 56]`` uint8, see ``face.gaze_estimation.eye_crops``.
        places: ``[N, 2, 5, 2]`` float32, see ``face.gaze_estimation.eye_places``.
        turn_deg: ``[N, 2]`` float32, yaw and pitch of the head.
        gaze_deg: ``[N, 2]`` float32, right and up in the head's frame.
    """

    eyes: np.ndarray
    places: np.ndarray
    turn_deg: np.ndarray
    gaze_deg: np.ndarray

    @staticmethod
    def join(parts: list[Looks]) -> Looks:
        """All looks of several people."""
        names = ("eyes", "places", "turn_deg", "gaze_deg")
        return Looks(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def observe(model: MorphableModel, frames: list[np.ndarray], expression: np.ndarray, gaze_deg: np.ndarray) -> Looks:
    """What tracker and fit make of pictures ``[H, W, 3]`` uint8 of one person, where the eyes are open."""
    tracker = FaceTracker()
    seen = [tracker.track(frame, k * _FRAME_MS) for k, frame in enumerate(frames)]
    found = []
    blind = [one and replace(one, eyes=None) for one in seen]  # there may be no network yet that sees the gaze
    for k, (landmarks, fit) in enumerate(zip(seen, fit_video(model, blind), strict=True)):
        if landmarks is not None and fit is not None and expression[k, _BLINK] < _CLOSED:
            found.append((*look(model, landmarks, fit.identity, fit.camera, _WIDE, _HIGH), gaze_deg[k]))
    if not found:
        raise UserError("The tracker saw no open eyes in the pictures of one person: film them anew.")
    eyes, places, turns, gazes = (np.stack(part) for part in zip(*found, strict=True))
    return Looks(eyes, places, turns, gazes.astype(np.float32))


def _painted(model: MorphableModel, seed: int) -> Looks:
    rng = np.random.default_rng(seed)
    motion = free_lids(natural_motion(_PAINTED_FRAMES * 5, seed), rng)
    size = int(rng.choice(_PAINTED_SIZES))
    person = Person(model, seed)
    acted = act(person, motion, size)[::5]
    frames = [person.render(one, size, size) for one in acted]
    return observe(model, frames, motion.expression[::5], motion.gaze_deg[::5])


def _filmed(model: MorphableModel, path: Path) -> Looks:
    with np.load(path) as film:
        return observe(model, list(film["frames"]), film["expression"], film["gaze_deg"])


def _kept(path: Path, make: Callable[[], Looks]) -> Looks:
    """Looks from a file, or made and written to it."""
    if not path.exists():
        looks = make()
        path.parent.mkdir(exist_ok=True)
        with atomic(path) as unfinished:
            np.savez_compressed(unfinished, **vars(looks))
    with np.load(path) as data:
        return Looks(**data)


class GazeNetwork(nn.Module):
    """Both eyes through one small convolutional network, the right one mirrored, then their places beside them."""

    def __init__(self) -> None:
        super().__init__()
        self.eye = nn.Sequential(
            nn.Conv2d(1, 16, 3, 1, 1), nn.ReLU(), nn.Conv2d(16, 24, 3, 2, 1), nn.ReLU(),
            nn.Conv2d(24, 32, 3, 2, 1), nn.ReLU(), nn.Conv2d(32, 32, 3, 2, 1), nn.ReLU(), nn.Flatten(),
            nn.Linear(32 * 4 * 5, 48), nn.ReLU(),
        )  # fmt: skip
        self.gaze = nn.Sequential(nn.Linear(2 * 48 + 22, 64), nn.ReLU(), nn.Linear(64, 2))

    def forward(self, eyes: Tensor, places: Tensor, turn_deg: Tensor, trust: Tensor | None = None) -> Tensor:
        """Gaze ``[N, 2]`` degrees from ``Looks`` whose eyes are ``[N, 2, 28, 36]``, 0…255.

        ``trust``: ``[N, 1]`` 0 where places and turn are kept from it, so that it learns to look.
        """
        eyes = eyes.float()
        mean, spread = eyes.mean((2, 3), keepdim=True), eyes.std((2, 3), keepdim=True)
        eyes = (eyes - mean) / (spread + 5)
        beside = torch.cat([places.flatten(1), torch.sin(turn_deg * (math.pi / 180)) * 2], 1)
        if trust is not None:
            beside = beside * trust
        left, right = self.eye(eyes[:, :1]), self.eye(eyes[:, 1:].flip(3))
        return self.gaze(torch.cat([left, right, beside], 1)) * _UNIT_DEG


def _mirrored(looks: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Half of the looks in a mirror."""
    eyes, places, turn, gaze = looks
    sideways = torch.tensor([-1.0, 1.0])
    other = eyes.flip(1).flip(3), places.flip(1) * sideways, turn * sideways, gaze * sideways
    chosen = torch.rand(len(eyes)) < 0.5
    return tuple(torch.where(chosen.view(-1, *[1] * (a.dim() - 1)), b, a) for a, b in zip(looks, other, strict=True))


def _framed(eyes: Tensor, varied: bool) -> Tensor:
    """The middle of wide pictures ``[N, 2, 44, 56]``, as ``[N, 2, 28, 36]``: if varied shifted, turned and scaled."""
    count = len(eyes) * 2
    x, y = WIDTH / _WIDE, HEIGHT / _HIGH
    scale, turn = torch.ones(len(eyes), 1), torch.zeros(len(eyes), 1)
    shift = torch.zeros(count, 2)
    if varied:
        scale, turn = torch.exp(torch.randn_like(scale) * 0.06), torch.randn_like(turn) * 0.05
        shift = torch.randn_like(shift) * torch.tensor([1.5, 1.2])
    scale, turn = scale.repeat(1, 2).view(-1), turn.repeat(1, 2).view(-1)
    sine, cosine = scale * torch.sin(turn), scale * torch.cos(turn)
    across, down = shift[:, 0] * 2 / _WIDE, shift[:, 1] * 2 / _HIGH
    rows = [x * cosine, -y * sine * _HIGH / _WIDE, across, x * sine * _WIDE / _HIGH, y * cosine, down]
    grid = F.affine_grid(torch.stack(rows, 1).view(count, 2, 3), [count, 1, HEIGHT, WIDTH], align_corners=False)
    framed = F.grid_sample(eyes.reshape(count, 1, _HIGH, _WIDE), grid, padding_mode="border", align_corners=False)
    return framed.view(-1, 2, HEIGHT, WIDTH)


def _as_if_filmed(eyes: Tensor) -> Tensor:
    """Other light, glints, focus and noise, ``[N, 2, H, W]`` 0…255."""

    def each(*shape: int) -> Tensor:
        return torch.rand(len(eyes), *(shape or (1, 1, 1)))

    y, x = torch.meshgrid(torch.linspace(-1, 1, HEIGHT), torch.linspace(-1, 1, WIDTH), indexing="ij")
    slope = torch.randn(len(eyes), 2, 2, 1, 1) * 0.25
    eyes = (eyes / 255).clamp(0, 1) ** torch.exp(torch.randn(len(eyes), 1, 1, 1) * 0.35)
    eyes = eyes * (1 + slope[:, 0] * x + slope[:, 1] * y)
    blurred = F.avg_pool2d(F.avg_pool2d(eyes, 3, 1, 1, count_include_pad=False), 3, 1, 1, count_include_pad=False)
    eyes = eyes + (blurred - eyes) * each() * 1.2
    glint_x, glint_y = torch.randn(len(eyes), 2, 1, 1) * 0.3, torch.randn(len(eyes), 2, 1, 1) * 0.25
    radius = each(2, 1, 1) * 0.06 + 0.02
    glint = torch.exp(-((x - glint_x) ** 2 + ((y - glint_y) * HEIGHT / WIDTH) ** 2) / radius**2)
    eyes = eyes + glint * (each(2, 1, 1) < 0.4) * each(2, 1, 1) * 0.6
    noise = F.avg_pool2d(torch.randn_like(eyes), 3, 1, 1) * 2
    return (eyes + noise * each() * 0.05) * 255


def _tensors(looks: Looks, chosen: Tensor | slice = slice(None)) -> tuple[Tensor, ...]:
    eyes, places, turn, gaze = (torch.from_numpy(a) for a in vars(looks).values())
    return eyes[chosen].float(), places[chosen], turn[chosen], gaze[chosen]


def train(painted: Looks, filmed: Looks, steps: int, seed: int = 0) -> GazeNetwork:
    """A network that saw painted and filmed people equally often."""
    torch.manual_seed(seed)
    network = GazeNetwork()
    optimiser = torch.optim.AdamW(network.parameters(), _RATE, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, _RATE, steps)
    shares = ((filmed, int(_BATCH * _FILMED_SHARE)), (painted, _BATCH - int(_BATCH * _FILMED_SHARE)))
    for _ in tqdm(range(steps), desc="learning to see gaze", unit="step"):
        drawn = [_tensors(looks, torch.randint(len(looks.eyes), (count,))) for looks, count in shares]
        eyes, places, turn, gaze = _mirrored(tuple(torch.cat(part) for part in zip(*drawn, strict=True)))
        seen = _as_if_filmed(_framed(eyes, varied=True))
        places = places + torch.randn_like(places) * 0.04
        turn = turn + torch.randn_like(turn)
        trust = (torch.rand(len(eyes), 1) < 0.8).float()
        error = network(seen, places, turn, trust) - gaze
        loss = F.smooth_l1_loss(error / _UNIT_DEG, torch.zeros_like(error), beta=0.3)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return network.eval()


def score(network: GazeNetwork, looks: Looks) -> tuple[np.ndarray, np.ndarray]:
    """Correlation and mean error in degrees, sideways and upwards, two ``[2]``."""
    eyes, places, turn, gaze = _tensors(looks)
    with torch.no_grad():
        found = network(_framed(eyes, varied=False), places, turn)
    correlation = np.array([np.corrcoef(found[:, k], gaze[:, k])[0, 1] for k in range(2)])
    return correlation, (found - gaze).abs().mean(0).numpy()


def export(network: GazeNetwork, out: Path) -> None:
    """Write the network as ONNX with inputs ``eyes`` (uint8), ``places`` and ``turn_deg``, one face at a time."""
    example = (torch.zeros(1, 2, HEIGHT, WIDTH, dtype=torch.uint8), torch.zeros(1, 2, 5, 2), torch.zeros(1, 2))
    with atomic(out) as unfinished:
        torch.onnx.export(network, example, unfinished, input_names=["eyes", "places", "turn_deg"],
                          output_names=["gaze_deg"], opset_version=17, dynamo=False)  # fmt: skip


@one_sentence
def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m offline.gaze_network", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("strangers", type=Path, metavar="STRANGERS")
    parser.add_argument("--painted", type=int, default=120, help="painted people (default 120)")
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--out", type=Path, default=NETWORK_PATH)
    arguments = parser.parse_args()
    films = sorted(arguments.strangers.glob("*.npz"))
    if len(films) < 2 or arguments.painted < 2:
        raise UserError(f"{arguments.strangers} holds fewer than two filmed people: film them with "
                        "python -m offline.synthetic.blender.gaze_set.")  # fmt: skip
    model, seen = MorphableModel.load(), arguments.strangers / "seen"
    seeds = range(_PAINTED_SEED, _PAINTED_SEED + arguments.painted)
    people = {
        "painted": [_kept(seen / f"painted_{k}.npz", partial(_painted, model, k))
                    for k in tqdm(seeds, desc="painting", unit="person")],
        "filmed": [_kept(seen / f"filmed_{film.name}", partial(_filmed, model, film))
                   for film in tqdm(films, desc="watching films", unit="person")],
    }  # fmt: skip
    split = {kind: len(looks) - max(1, len(looks) // _HELD_OUT) for kind, looks in people.items()}
    train_on = {kind: Looks.join(looks[: split[kind]]) for kind, looks in people.items()}
    held_out = {kind: Looks.join(looks[split[kind] :]) for kind, looks in people.items()}
    network = train(train_on["painted"], train_on["filmed"], arguments.steps)
    for kind, unseen in held_out.items():
        correlation, error = score(network, unseen)
        print(f"{kind} people, {len(unseen.eyes)} pictures held out: correlation {correlation[0]:.3f} sideways, "
              f"{correlation[1]:.3f} upwards; error {error[0]:.1f} and {error[1]:.1f} degrees")  # fmt: skip
    export(network, arguments.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
