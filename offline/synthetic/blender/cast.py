"""The invented people of the gallery; seeds make others. No real person."""

from __future__ import annotations

import numpy as np

from offline.synthetic.blender.person import Person


def _features(seed: int, count: int = 40) -> np.ndarray:
    return np.clip(np.random.default_rng(seed).normal(0, 0.55, count), -1, 1)


MIRA = Person(
    seed=1, individual=_features(6), ancestry=(0.12, 0.19, 0.69), male=-0.3, age=27, tone=(0.64, 0.385, 0.29),
    lip_tone=(0.50, 0.165, 0.15), flush=0.9, freckles=0.5, brow_melanin=0.64, brow_width=0.72, melanin=0.70,
    redness=0.35, cloth=(0.07, 0.11, 0.16),
)  # fmt: skip
CAST = {"mira": MIRA}
