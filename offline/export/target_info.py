"""A target's description: statistics of the person over the training takes, and a portrait."""

from __future__ import annotations

import base64
from typing import Any

import cv2
import numpy as np
import onnx
import torch
from scipy.spatial.transform import Rotation

from face.landmarks import UNIT_NAMES
from face.motion_range import motion_ellipsoids
from face.resting_face import activity
from face.target import TargetInfo
from offline.dataset.dataset import Dataset
from offline.export.options import TargetLabels

_MOTION_FRAMES = 150
_PORTRAIT = 160  # px


def rounded(values: np.ndarray, decimals: int = 4) -> Any:
    """Nested lists: a target file holds no more decimals than that."""
    return np.round(values, decimals).tolist()


def describe(dataset: Dataset, profile: str, labels: TargetLabels) -> TargetInfo:
    """Statistics of the person from the training takes, for a network of a profile."""
    p = dataset.parameters
    chosen = np.concatenate([np.arange(a, b) for a, b in dataset.train])
    expression, scale = p["expression"][chosen], p["scale"][chosen]
    place = p["translation"][chosen] / scale[:, None]
    euler = Rotation.from_matrix(p["rotation"][chosen]).as_euler("YXZ", degrees=True)
    resting = expression[np.argsort(activity(expression))[: max(1, len(expression) // 20)]]
    center, whitening = motion_ellipsoids(np.column_stack([euler, np.log(scale), place]), expression)
    first, last = max(dataset.train, key=lambda r: r[1] - r[0])
    motion = slice(first, min(last, first + _MOTION_FRAMES))
    head_motion = np.column_stack([
        Rotation.from_matrix(p["rotation"][motion]).as_euler("YXZ", degrees=True),
        p["scale"][motion], p["translation"][motion],
    ])  # fmt: skip
    return TargetInfo(
        name=labels.name, title=labels.title, provenance=labels.provenance, consent=labels.consent, profile=profile,
        size=int(dataset.frames.shape[1]),
        model_hash=dataset.manifest["model_hash"], identity=rounded(p["identity"]),
        neutral_expression=rounded(np.median(resting, axis=0)),
        neutral_gaze=rounded(np.median(p["gaze"][chosen], axis=0)),
        scale_mean=float(scale.mean()), translation_mean=rounded(place.mean(0)),
        translation_std=rounded(place.std(0)),
        euler_low_deg=rounded(np.percentile(euler, 1, axis=0)),
        euler_high_deg=rounded(np.percentile(euler, 99, axis=0)),
        head_motion=rounded(head_motion),
        versions={"torch": torch.__version__, "onnx": onnx.__version__},
        camera_map=rounded(dataset.camera_map, 6),
        teeth=rounded(np.array(dataset.teeth.values())) if dataset.teeth else [],
        motion_center=rounded(center), motion_whitening=rounded(whitening, 5),
        portrait=portrait(dataset.frames[chosen[_most_at_rest(expression, euler, p["gaze"][chosen])]]),
    )  # fmt: skip


def _most_at_rest(expression: np.ndarray, euler_deg: np.ndarray, gaze_deg: np.ndarray) -> int:
    """Which of some frames shows the face most at rest, looking at the viewer with open eyes and a faint smile."""
    resting = np.abs(euler_deg).sum(1) / 10 + np.abs(gaze_deg).sum(1) / 10 + activity(expression)
    smile = [UNIT_NAMES.index(name) for name in ("mouthSmileLeft", "mouthSmileRight")]
    return int(np.argmin(resting - 2 * np.minimum(expression[:, smile], 0.3).sum(1)))


def portrait(frame: np.ndarray) -> str:
    """A frame ``[H, W, 3]`` uint8 RGB as a small JPEG in base64."""
    small = cv2.resize(frame, (_PORTRAIT, _PORTRAIT), interpolation=cv2.INTER_AREA)
    return base64.b64encode(cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR))[1].tobytes()).decode()
