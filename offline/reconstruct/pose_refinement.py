"""Poses of a video made exact: each frame's camera is moved until the head fits the head that all frames show.

A tracker's landmarks leave the pose in doubt by half a degree or so, which blurs hair and outline of whatever is
learned from the frames. The head is rigid but for the face's expression, so its image itself says more: a texture
of the head is gathered from all frames, each frame's camera is fitted to it (Gauss-Newton on the pixels' differences,
Lucas and Kanade 1981), and both are repeated.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from scipy.spatial.transform import Rotation
from tqdm import tqdm

from face.camera import ScaledOrthographicCamera
from face.compact_constants import HEAD_EXTENT
from face.morphable import MorphableModel
from face.nmfc import nmfc_box
from face.parameters import FaceParameters
from offline.networks.head_scan import Shots, flat_sheet, mean_of, sweep_depth_map
from offline.networks.head_warp import head_sampling_grid

_SIZE = 96  # px that frames are aligned at
_TEXELS = 192
_ROUNDS = 3
_STEPS = 4  # Gauss-Newton steps of a frame in a round
_TEXTURE_FRAMES = 300  # that all rounds but the last are content with
_TOGETHER = 16  # frames fitted at once
_DEPTH_FRAMES = 120
_NOISE = 0.12  # of a texel whose frames agree, in the range -1…1
_OUTLIER = 0.3  # differences beyond this lose weight
_INDEPENDENCE = 0.1  # neighboring pixels say nearly the same
# Turn (radians about x, y, z), log scale and shift (of the image's size): how far the landmarks' word is trusted.
_SPREAD = np.array([0.015, 0.015, 0.008, 0.008, 0.004, 0.004])
_PROBE = np.array([0.01, 0.01, 0.01, 0.01, 0.004, 0.004])  # steps of the numeric derivative


def align_poses(
    model: MorphableModel,
    frames: np.ndarray,  # [F, H, H, 3] uint8, may lie on the disk: few are looked at at once
    parameters: list[FaceParameters],  # one per frame, in px of these frames
    trained: int,  # how many of the first frames make the texture: the rest is held out and only fitted to it
) -> list[FaceParameters]:
    """Parameters whose cameras agree with the images; expression, identity and gaze are kept."""
    size = frames.shape[1]
    box = nmfc_box(model)
    first = [face.camera for face in parameters]
    moves = np.zeros((len(frames), 6))
    depth_frames = np.unique(np.linspace(0, trained - 1, _DEPTH_FRAMES).astype(int))
    texture_frames = np.unique(np.linspace(0, trained - 1, _TEXTURE_FRAMES).astype(int))
    for number in range(_ROUNDS):
        last = number == _ROUNDS - 1
        cameras = _affine([_moved(c, m, size) for c, m in zip(first, moves, strict=True)], box, size)
        if number < 2:
            depth_map = sweep_depth_map(Shots(_small(frames, depth_frames), cameras[depth_frames]))
        texture = _texture(Shots(_small(frames, texture_frames), cameras[texture_frames]), depth_map)
        head = _Head(texture, torch.from_numpy(flat_sheet(depth_map))[None], box, size)
        numbers = np.arange(len(frames)) if last else texture_frames
        with tqdm(total=len(numbers), desc=f"aligning, round {number + 1} of {_ROUNDS}", unit="frame") as bar:
            for begin in range(0, len(numbers), _TOGETHER):
                chosen = numbers[begin : begin + _TOGETHER]
                moves[chosen] = _fit(_small(frames, chosen), [first[k] for k in chosen], moves[chosen], head)
                bar.update(len(chosen))
    return [replace(face, camera=_moved(face.camera, move, size)) for face, move in zip(parameters, moves, strict=True)]


@dataclass(frozen=True)
class _Head:
    """What all frames show: texture ``[1, 4, S, S]`` on a depth map ``[1, 3, s, s]``; NMFC's box, frames' size."""

    texture: torch.Tensor
    depth_map: torch.Tensor
    box: tuple[np.ndarray, np.ndarray]
    size: int

    def render(self, cameras: list[ScaledOrthographicCamera]) -> np.ndarray:
        """What cameras see, ``[N, 4, _SIZE, _SIZE]``."""
        places = head_sampling_grid(_affine(cameras, self.box, self.size), self.depth_map, None, _SIZE) / HEAD_EXTENT
        layers = self.texture.expand(len(cameras), -1, -1, -1)
        return F.grid_sample(layers, places.permute(0, 2, 3, 1), align_corners=False).numpy()


def _small(frames: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Some of the frames, ``[N, _SIZE, _SIZE, 3]`` float32 -1…1."""
    small = [cv2.resize(frames[k], (_SIZE, _SIZE), interpolation=cv2.INTER_AREA) for k in chosen]
    return np.stack(small).astype(np.float32) / 127.5 - 1


def _moved(camera: ScaledOrthographicCamera, move: np.ndarray, size: int) -> ScaledOrthographicCamera:
    """The camera after a move ``[6]``: see ``_SPREAD``."""
    turn = Rotation.from_rotvec(move[:3]).as_matrix()
    return ScaledOrthographicCamera(
        turn @ camera.rotation, camera.scale * float(np.exp(move[3])), camera.translation + size * move[4:]
    )


def _affine(cameras: list[ScaledOrthographicCamera], box: tuple[np.ndarray, np.ndarray], size: int) -> torch.Tensor:
    """Cameras as ``offline/networks/head_warp.py`` has them, ``[N, 8]`` float32: from NMFC coordinates to pixels of
    -1…1.
    """
    middle, half = (box[0] + box[1]) / 2, (box[1] - box[0]) / 2
    rows = np.stack([c.rotation[:2] * c.scale for c in cameras]) * np.array([[1.0], [-1.0]])
    offset = rows @ middle + np.stack([c.translation for c in cameras])
    flat = np.concatenate([(rows * half).reshape(-1, 6) * 2 / size, offset * 2 / size - 1], axis=1)
    return torch.from_numpy(flat.astype(np.float32))


def _texture(shots: Shots, depth_map: np.ndarray) -> torch.Tensor:
    """The head's mean image and how far the frames agree on each texel (0…1), ``[1, 4, S, S]``."""
    sums = shots.moments(depth_map, _TEXELS)
    mean = mean_of(sums)
    variance = np.clip(mean[..., 3:] - mean[..., :3] ** 2, 0, None).sum(-1)
    weight = _NOISE**2 / (_NOISE**2 + variance) * (sums[..., 6] > 0.02 * len(shots.frames))
    layers = np.concatenate([mean[..., :3], weight[..., None]], axis=-1).astype(np.float32)
    return torch.from_numpy(layers).permute(2, 0, 1)[None]


def _fit(
    frames: np.ndarray,  # [N, S, S, 3]
    cameras: list[ScaledOrthographicCamera],
    moves: np.ndarray,  # [N, 6] where to start
    head: _Head,
) -> np.ndarray:
    """The moves ``[N, 6]`` at which the texture looks most like the frames.

    The images' slopes are taken once, where the fit starts: it does not go far.
    """
    count, prior = len(frames), np.diag(_SPREAD**-2.0)
    expected = frames.transpose(0, 3, 1, 2)
    render_at = lambda at: head.render([_moved(c, m, head.size) for c, m in zip(cameras, at, strict=True)])  # noqa: E731
    rendered = render_at(moves)
    slopes = np.stack([(render_at(moves + probe) - rendered)[:, :3] / probe.max() for probe in np.diag(_PROBE)], axis=1)
    for step_number in range(_STEPS):
        if step_number:
            rendered = render_at(moves)
        difference = expected - rendered[:, :3]
        robust = 1 / (1 + (difference**2).sum(1) / _OUTLIER**2) ** 2
        root = (np.sqrt(rendered[:, 3] * robust * _INDEPENDENCE) / _NOISE)[:, None]
        weighted = (slopes * root[:, None]).reshape(count, 6, -1)
        right = (weighted @ (difference * root).reshape(count, -1, 1))[..., 0] - moves @ prior
        step = np.linalg.solve(weighted @ weighted.transpose(0, 2, 1) + prior, right[..., None])[..., 0]
        moves = moves + np.clip(step, -2 * _PROBE, 2 * _PROBE)
        if np.all(np.abs(step) < 0.03 * _PROBE):
            break
    return moves
