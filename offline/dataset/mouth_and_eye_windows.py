"""The square windows about mouth and eyes: what the mouth's discriminator sees, and where errors are counted."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from face.landmarks import INNER_LIPS, LEFT_EYE, OUTER_LIPS, RIGHT_EYE, SURFACE_COUNT
from face.morphable import MorphableModel

Window = tuple[slice, slice]  # rows and columns
PART_BOX = 72 / 256  # side of the window over the image's (the paper's crop)
_MOUTH = [k for k in {*OUTER_LIPS, *INNER_LIPS} if k < SURFACE_COUNT]
_EYES = [*LEFT_EYE, *RIGHT_EYE]


def mouth_middles(model: MorphableModel, parameters: Mapping[str, np.ndarray]) -> np.ndarray:
    """Where the mouth's middle lies in each frame of a dataset with these parameters, ``[N, 2]`` px."""
    return _middles(model, parameters, _MOUTH)


def eye_middles(model: MorphableModel, parameters: Mapping[str, np.ndarray]) -> np.ndarray:
    """The same of both eyes together."""
    return _middles(model, parameters, _EYES)


def part_window(middle: np.ndarray, size: int) -> Window:
    """The square about a mouth or a pair of eyes ``[2]`` px, moved into the image where it would leave it."""
    side = round(PART_BOX * size)
    left, top = (min(max(round(float(center) - side / 2), 0), size - side) for center in middle)
    return slice(top, top + side), slice(left, left + side)


def _middles(model: MorphableModel, parameters: Mapping[str, np.ndarray], landmarks: list[int]) -> np.ndarray:
    mean, identity, expression = model.landmark_bases
    p = parameters
    shape = (mean + np.tensordot(p["identity"], identity, 1))[landmarks].mean(0)
    shape = shape + np.tensordot(p["expression"], expression[:, landmarks].mean(1), 1)
    turned = np.einsum("nij,nj->ni", p["rotation"], shape) * p["scale"][:, None]
    middles: np.ndarray = turned[:, :2] * [1, -1] + p["translation"]
    return middles
