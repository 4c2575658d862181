"""The invented people of the gallery; seeds make others. No real person."""

from __future__ import annotations

import numpy as np

from offline.synthetic.blender.person import IRISES, LOCKS, Person


def _features(seed: int, count: int = 40) -> np.ndarray:
    return np.clip(np.random.default_rng(seed).normal(0, 0.55, count), -1, 1)


MIRA = Person(
    seed=1, individual=_features(6), ancestry=(0.12, 0.19, 0.69), male=-0.3, age=27, tone=(0.64, 0.385, 0.29),
    lip_tone=(0.50, 0.165, 0.15), flush=0.6, pores=0.3, freckles=0.3, brow_melanin=0.52, brow_width=0.76,
    locks=LOCKS, melanin=0.72, redness=0.5, collar=0.7, cloth=(0.07, 0.11, 0.16),
)  # fmt: skip
NOOR = Person(  # drives in the demo clip
    seed=2, individual=0.8 * _features(14), ancestry=(0.2, 0.2, 0.6), male=-0.35, age=28, tone=(0.47, 0.27, 0.185),
    lip_tone=(0.40, 0.135, 0.115), flush=0.6, pores=0.3, freckles=0.1, brow_melanin=0.8, brow_width=0.75,
    iris=IRISES["dark"], locks=LOCKS, melanin=0.94, redness=0.1, cloth=(0.16, 0.035, 0.04), collar=0.7, backdrop=8,
)  # fmt: skip
CAST = {"mira": MIRA, "noor": NOOR}
