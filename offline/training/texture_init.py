"""Initial textures of the compact generator, from the frames before training: background, head, face and depth map.

Training refines them. It saves the hours in which training would learn what stands still, what moves with the head,
and how deep it lies.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch

from face.compact_constants import CAMERA_PIXELS
from offline.dataset.dataset import Dataset
from offline.networks.compact_generator import CompactGenerator
from offline.networks.head_scan import Shots, flat_sheet, gather, mean_of, sweep_depth_map
from offline.networks.head_warp import implied_camera
from offline.networks.layer_painter import DEPTH_TEXELS, FACE_TEXELS, HEAD_TEXELS
from offline.networks.layered_generator import LayeredGenerator

TexturedGenerator = CompactGenerator | LayeredGenerator

_MOST, _FEWEST = 200, 64  # images
_PIXELS = 200 * 256**2  # of all of them, which lie in memory at once
_FARTHEST = 0.1  # share of the frames in which a pixel is farthest from the head: those show the background
_TOLERANCE = 0.06  # of the range -1…1: a pixel nearer than this to the background is taken for it
# Bases start at zero and are no part of these.
TEXTURES = ("backdrop", "head", "face", "relief", "camera_mean", "camera_spread")  # of the generator: one person's
_FADE_TEXELS = 6.0  # over which the face's alpha fades at its border


def initialize_textures(generator: TexturedGenerator, dataset: Dataset) -> None:
    """Set the textures of a new generator from the training takes of a dataset."""
    chosen = np.concatenate([np.arange(a, b) for a, b in dataset.train])
    count = int(np.clip(_PIXELS // dataset.frames.shape[1] ** 2, _FEWEST, _MOST))
    chosen = chosen[np.unique(np.linspace(0, len(chosen) - 1, count).astype(int))]
    frames, conditionings = (a[chosen].astype(np.float32) / 127.5 - 1 for a in (dataset.frames, dataset.conditionings))
    coordinates = torch.from_numpy(conditionings[:, CAMERA_PIXELS, CAMERA_PIXELS, :3]).permute(0, 3, 1, 2)
    cameras = implied_camera(coordinates)
    shots = Shots(frames, cameras)
    depth_map = sweep_depth_map(shots)
    places = shots.places(depth_map)
    background = _background(frames, places)
    textures = {
        "backdrop": background.transpose(2, 0, 1),
        "head": _head(frames, places, background),
        "face": _face(frames, conditionings),
        "relief": flat_sheet(cv2.resize(depth_map, (DEPTH_TEXELS, DEPTH_TEXELS), interpolation=cv2.INTER_AREA)),
        "camera_mean": cameras.mean(0).numpy(),
        "camera_spread": np.maximum(cameras.std(0).numpy(), 1e-3),
    }
    with torch.no_grad():
        for name, value in textures.items():
            target = getattr(generator, name)
            target.copy_(torch.from_numpy(np.ascontiguousarray(value, np.float32)).reshape(target.shape))


def _background(frames: np.ndarray, places: list[np.ndarray]) -> np.ndarray:
    """What each pixel shows while the head is farthest from it, ``[H, W, 3]``."""
    distance = np.linalg.norm(np.stack(places), axis=-1)
    count = max(1, int(_FARTHEST * len(frames)))
    farthest = np.argsort(-distance, axis=0)[:count]
    return np.median(np.take_along_axis(frames, farthest[..., None], axis=0), axis=0)


def _head(frames: np.ndarray, places: list[np.ndarray], background: np.ndarray) -> np.ndarray:
    """Color and alpha ``[4, S, S]``: mean of the frames' parts that differ from the background, and their share."""
    color = np.zeros((HEAD_TEXELS, HEAD_TEXELS, 4))
    share = np.zeros((HEAD_TEXELS, HEAD_TEXELS, 2))
    for frame, place in zip(frames, places, strict=True):
        differs = (np.abs(frame - background).max(-1) > _TOLERANCE).ravel()
        flat, values = place.reshape(-1, 2), frame.reshape(-1, 3)
        color += gather(flat[differs], values[differs], HEAD_TEXELS)
        share += gather(flat, differs[:, None].astype(float), HEAD_TEXELS)
    return np.concatenate([mean_of(color), _logit(mean_of(share))], axis=-1).transpose(2, 0, 1)


def _face(frames: np.ndarray, conditionings: np.ndarray) -> np.ndarray:
    """Color and alpha ``[4, S, S]`` over the NMFC's red and green; alpha fades towards the NMFC's border."""
    sums = np.zeros((FACE_TEXELS, FACE_TEXELS, 4))
    for frame, conditioning in zip(frames, conditionings, strict=True):
        on_face = conditioning[..., :3].max(-1) > -1
        sums += gather(conditioning[on_face][:, :2], frame[on_face], FACE_TEXELS)
    coordinates = cv2.morphologyEx((sums[..., 3] > 0).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    inside = cv2.distanceTransform(np.pad(coordinates, 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    alpha = np.clip(inside / _FADE_TEXELS, 0, 1)[..., None]
    return np.concatenate([mean_of(sums), _logit(alpha)], axis=-1).transpose(2, 0, 1)


def _logit(share: np.ndarray) -> np.ndarray:
    share = np.clip(share, 0.03, 0.97)
    return np.log(share / (1 - share))
