"""What the compact generator remembers, guessed from the frames before training: backdrop, head, face and relief.

Training refines them; starting from the guess saves the hours in which it would find out what stands still, what
moves with the head, and how deep it lies.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch

from face.compact_constants import CAMERA_PIXELS, HEAD_EXTENT
from offline.dataset.dataset import Dataset
from offline.networks.compact_generator import FACE_TEXELS, HEAD_TEXELS, RELIEF_TEXELS, CompactGenerator
from offline.networks.head_warp import head_places, implied_camera

_PICTURES = 200
_DEPTHS = np.linspace(1.0, -6.0, 15)  # planes tried for the relief
_SWEEP_TEXELS = 128
_FARTHEST = 0.1  # share of the frames in which a pixel is farthest from the head: those show the backdrop
_TOLERANCE = 0.06  # of the range -1…1: a pixel nearer than this to the backdrop is taken for it
REMEMBERED = ("backdrop", "head", "face", "relief", "camera_mean", "camera_spread")  # of the generator: one person's
_FADE_TEXELS = 6.0  # over which the face's coverage fades at its border


@dataclass(frozen=True)
class Shots:
    """Some frames ``[F, H, W, 3]`` float32 -1…1, with cameras ``[F, 8]`` float32 as in
    ``offline/networks/head_warp.py``.
    """

    frames: np.ndarray
    cameras: torch.Tensor

    def places(self, relief: np.ndarray) -> list[np.ndarray]:
        """Where each frame's pixels lie on a relief ``[h, w]``, ``[H, W, 2]`` in units of the head's extent."""
        surface = torch.from_numpy(flat_sheet(relief))[None]
        size = self.frames.shape[1]
        looks = (head_places(camera[None], surface, None, size)[0] for camera in self.cameras)
        return [look.permute(1, 2, 0).numpy() / HEAD_EXTENT for look in looks]

    def moments(self, relief: np.ndarray, texels: int) -> np.ndarray:
        """Over a relief's texels, sums of the colours seen, of their squares, and counts: ``[texels, texels, 7]``."""
        sums = np.zeros((texels, texels, 7))
        for frame, places in zip(self.frames, self.places(relief), strict=True):
            values = frame.reshape(-1, 3)
            sums += gather(places.reshape(-1, 2), np.concatenate([values, values**2], axis=1), texels)
        return sums


def remember(generator: CompactGenerator, dataset: Dataset) -> None:
    """Set what a new generator remembers from the training takes of a dataset."""
    chosen = np.concatenate([np.arange(a, b) for a, b in dataset.train])
    chosen = chosen[np.unique(np.linspace(0, len(chosen) - 1, _PICTURES).astype(int))]
    frames, conditionings = (a[chosen].astype(np.float32) / 127.5 - 1 for a in (dataset.frames, dataset.conditionings))
    seen = torch.from_numpy(conditionings[:, CAMERA_PIXELS, CAMERA_PIXELS, :3]).permute(0, 3, 1, 2)
    cameras = implied_camera(seen)
    shots = Shots(frames, cameras)
    relief = sweep_relief(shots)
    places = shots.places(relief)
    backdrop = _backdrop(frames, places)
    guess = {
        "backdrop": backdrop.transpose(2, 0, 1),
        "head": _head(frames, places, backdrop),
        "face": _face(frames, conditionings),
        "relief": flat_sheet(cv2.resize(relief, (RELIEF_TEXELS, RELIEF_TEXELS), interpolation=cv2.INTER_AREA)),
        "camera_mean": cameras.mean(0).numpy(),
        "camera_spread": np.maximum(cameras.std(0).numpy(), 1e-3),
    }
    with torch.no_grad():
        for name, value in guess.items():
            target = getattr(generator, name)
            target.copy_(torch.from_numpy(np.ascontiguousarray(value, np.float32)).reshape(target.shape))


def flat_sheet(relief: np.ndarray) -> np.ndarray:
    """A relief ``[h, w]`` without shifts, ``[3, h, w]`` float32, as ``head_places`` wants it."""
    return np.concatenate([relief[None], np.zeros((2, *relief.shape))]).astype(np.float32)


def gather(places: np.ndarray, values: np.ndarray, texels: int) -> np.ndarray:
    """Sums ``[texels, texels, C + 1]`` of values ``[N, C]`` at places ``[N, 2]`` (-1…1), and how many there were."""
    cells = np.floor((places + 1) / 2 * texels).astype(int)
    inside = ((cells >= 0) & (cells < texels)).all(-1)
    index = cells[inside, 1] * texels + cells[inside, 0]
    columns = [np.bincount(index, weights=c, minlength=texels * texels) for c in values[inside].T]
    counts = np.bincount(index, minlength=texels * texels)
    return np.stack([*columns, counts], axis=-1).reshape(texels, texels, -1)


def mean_of(sums: np.ndarray) -> np.ndarray:
    """Means ``[S, S, C]`` of ``gather``'s sums; texels that no frame shows take their surroundings'."""
    sums = sums.astype(np.float32)
    near = cv2.GaussianBlur(sums, (0, 0), 0.6) + 1e-3 * cv2.GaussianBlur(sums, (0, 0), 10) + 1e-9 * sums.mean((0, 1))
    return near[..., :-1] / near[..., -1:]


def sweep_relief(shots: Shots) -> np.ndarray:
    """Depth of the head over its first two coordinates ``[S, S]``: where frames, brought there, differ least."""
    costs = []
    for depth in _DEPTHS:
        sums = shots.moments(np.full((2, 2), depth), _SWEEP_TEXELS)
        count = np.maximum(sums[..., 6:], 1)
        variance = (sums[..., 3:6] / count - (sums[..., :3] / count) ** 2).sum(-1)
        costs.append(cv2.GaussianBlur(variance, (0, 0), 3))
    best = _DEPTHS[np.argmin(costs, axis=0)].astype(np.float32)
    return cv2.GaussianBlur(cv2.medianBlur(best, 5), (0, 0), 4)


def _backdrop(frames: np.ndarray, places: list[np.ndarray]) -> np.ndarray:
    """What each pixel shows while the head is farthest from it, ``[H, W, 3]``."""
    distance = np.linalg.norm(np.stack(places), axis=-1)
    count = max(1, int(_FARTHEST * len(frames)))
    farthest = np.argsort(-distance, axis=0)[:count]
    return np.median(np.take_along_axis(frames, farthest[..., None], axis=0), axis=0)


def _head(frames: np.ndarray, places: list[np.ndarray], backdrop: np.ndarray) -> np.ndarray:
    """Colour and coverage ``[4, S, S]``: mean of the frames' parts that differ from the backdrop, and their share."""
    colour = np.zeros((HEAD_TEXELS, HEAD_TEXELS, 4))
    share = np.zeros((HEAD_TEXELS, HEAD_TEXELS, 2))
    for frame, place in zip(frames, places, strict=True):
        differs = (np.abs(frame - backdrop).max(-1) > _TOLERANCE).ravel()
        flat, values = place.reshape(-1, 2), frame.reshape(-1, 3)
        colour += gather(flat[differs], values[differs], HEAD_TEXELS)
        share += gather(flat, differs[:, None].astype(float), HEAD_TEXELS)
    return np.concatenate([mean_of(colour), _logit(mean_of(share))], axis=-1).transpose(2, 0, 1)


def _face(frames: np.ndarray, conditionings: np.ndarray) -> np.ndarray:
    """Colour and coverage ``[4, S, S]`` over the NMFC's red and green; coverage fades towards the NMFC's border."""
    sums = np.zeros((FACE_TEXELS, FACE_TEXELS, 4))
    for frame, conditioning in zip(frames, conditionings, strict=True):
        on_face = conditioning[..., :3].max(-1) > -1
        sums += gather(conditioning[on_face][:, :2], frame[on_face], FACE_TEXELS)
    seen = cv2.morphologyEx((sums[..., 3] > 0).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    inside = cv2.distanceTransform(np.pad(seen, 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    coverage = np.clip(inside / _FADE_TEXELS, 0, 1)[..., None]
    return np.concatenate([mean_of(sums), _logit(coverage)], axis=-1).transpose(2, 0, 1)


def _logit(share: np.ndarray) -> np.ndarray:
    share = np.clip(share, 0.03, 0.97)
    return np.log(share / (1 - share))
