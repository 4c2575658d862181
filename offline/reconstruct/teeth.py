"""Where a person's teeth lie: moved until they cover what is pale in the open mouths of the footage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from face.morphable import MorphableModel, Part
from face.mouth_image import MouthRenderer, Opening
from face.mouth_parts import MouthParts, TeethPlacement
from face.nmfc import NmfcRenderer
from face.parameters import FaceParameters

USUAL = TeethPlacement(up=-0.02, forward=0.0, scale=1.03, lower=0.05)  # between a filmed and a rendered person's
_FRAMES = 100
_SMALLEST_OPENING = 0.012  # of the NMFC's area: less hardly shows a tooth
_FEWEST = 10  # frames with an open mouth, or teeth are placed as usual
_AGREEMENT = 0.25  # correlation with paleness at least, or the same
_SPREAD = np.array([0.05, 0.03, 0.08, 0.04])  # how far up, forward, scale and lower differ between people
_PRIOR = 0.004  # of correlation that one spread from the usual placement must be worth
_DECIMALS = 4


@dataclass(frozen=True)
class _Mouth:
    """An open mouth: its face, where the lips part, and how pale it is there, ``[n]``."""

    face: FaceParameters
    opening: Opening
    paleness: np.ndarray


def place_teeth(
    model: MorphableModel,
    frames: np.ndarray,  # [F, H, H, 3] uint8, may lie on the disk
    faces: Sequence[FaceParameters],  # one per frame, in px of these frames
) -> TeethPlacement:
    """The placement whose teeth agree best with what is pale inside the mouth; the usual one if none is seen."""
    parts = MouthParts(model)
    mouths = _open_mouths(model, parts, frames, faces)
    if len(mouths) < _FEWEST:
        print("The footage hardly shows the mouth open: teeth are placed as usual.")
        return USUAL

    def placement(steps: np.ndarray) -> TeethPlacement:  # [4] in spreads
        return TeethPlacement(*np.round(USUAL.values() + steps * _SPREAD, _DECIMALS).tolist())

    def cost(steps: np.ndarray) -> float:
        return _PRIOR * float(steps @ steps) - _agreement(MouthRenderer(model, parts, placement(steps)), parts, mouths)

    # From the usual place, and from where the whole lies higher: lower teeth that agree hide whether upper ones do.
    found = []
    for start in (np.zeros(4), np.array([1.0, 0.0, 0.0, -1.0])):
        options = {"initial_simplex": np.vstack([start, start + np.eye(4)]), "xatol": 0.1, "fatol": 1e-3}
        found.append(minimize(cost, start, method="Nelder-Mead", options=options))
    best = min(found, key=lambda result: float(result.fun))
    placed = placement(best.x)
    agreement = _agreement(MouthRenderer(model, parts, placed), parts, mouths)
    if agreement < _AGREEMENT:
        print("The footage shows no teeth that the model's agree with: they are placed as usual.")
        return USUAL
    return placed


def _open_mouths(
    model: MorphableModel, parts: MouthParts, frames: np.ndarray, faces: Sequence[FaceParameters]
) -> list[_Mouth]:
    """Open mouths, spread over the footage."""
    nmfc, lips, size = NmfcRenderer(model), MouthRenderer(model, parts, TeethPlacement()), frames.shape[1]
    mouths = []
    for number in np.unique(np.linspace(0, len(faces) - 1, 10 * _FRAMES).astype(int)):
        image = np.zeros((size, size, 3), np.uint8)
        nmfc.draw(faces[number], image)
        opening = lips.opening(faces[number], image)
        if opening.free.sum() > _SMALLEST_OPENING * image[..., 0].astype(bool).sum():
            colors = frames[number][opening.window][opening.free].astype(float)
            # Teeth are bright and gray, also in the upper lip's shadow; lips and tongue are red.
            mouths.append(_Mouth(faces[number], opening, 2 * colors.min(-1) - colors.max(-1)))
    return mouths[:: -(-len(mouths) // _FRAMES)] if mouths else []


def _agreement(renderer: MouthRenderer, parts: MouthParts, mouths: list[_Mouth]) -> float:
    """Correlation, over the pixels of all mouths, of where teeth are drawn with how pale it is there."""
    is_tooth = np.append(parts.parts != Part.TONGUE, False)  # the last is the background, whose index is -1
    teeth = np.concatenate([is_tooth[renderer.seen(m.face, m.opening)[m.opening.free]] for m in mouths]).astype(float)
    paleness = np.concatenate([mouth.paleness for mouth in mouths])
    return float(np.corrcoef(teeth, paleness)[0, 1]) if np.ptp(teeth) and np.ptp(paleness) else 0.0
