"""Something before the mouth or the eyes: landmarks there are guesses, so the region is eased to rest."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from face.landmarks import (
    ABOUT_EYES,
    BELOW_NOSE,
    FACE_OVAL,
    INNER_LIPS,
    LEFT_BROW,
    LEFT_EYE,
    OUTER_LIPS,
    RIGHT_BROW,
    RIGHT_EYE,
    SURFACE_COUNT,
    UNIT_NAMES,
    Landmarks,
)
from face.skin_colors import COVERED, SkinColors

_YOUNG_S = 0.4  # of a face that was seen for less, too little is known
_REST_S = 0.1  # time constant by which a covered region comes to rest
_RETURN_S = 0.25  # and the time it takes to go back to what is seen


@dataclass(frozen=True, eq=False)
class _Region:
    """A part of the face that moves by itself.

    Attributes:
        skin: landmarks on it that keep their color in every expression.
        points: all its landmarks.
        units: indices into the scores, of the units that move it.
        share: of ``skin``: it is covered when more has another color than usual.
    """

    skin: np.ndarray
    points: np.ndarray
    units: np.ndarray
    share: float


def _units(*beginnings: str) -> np.ndarray:
    return np.array([k for k, name in enumerate(UNIT_NAMES) if name.startswith(beginnings)])


_MOUTH_SKIN = np.array(sorted({*OUTER_LIPS, *BELOW_NOSE} - {*FACE_OVAL}))
_EYE_SKIN = np.array(sorted({*LEFT_EYE, *RIGHT_EYE, *ABOUT_EYES, *LEFT_BROW, *RIGHT_BROW}))
# Without anything before it up to 9 % of the mouth's points change so much in our clips, 19 % of the eyes'; a
# microphone changes 11 % to 36 %.
_MOUTH = _Region(_MOUTH_SKIN, np.union1d(_MOUTH_SKIN, INNER_LIPS), _units("jaw", "mouth", "cheekPuff", "tongue"), 0.1)
_EYES = _Region(_EYE_SKIN, _EYE_SKIN, _units("eye", "brow", "cheekSquint"), 0.3)
_REGIONS = (_MOUTH, _EYES)


class OcclusionFilter:
    """Takes landmarks of covered regions out of the fit, and lets their units come to rest.

    Time is an argument: it has no clock.

    Args:
        colors: of the person; learned here.
    """

    def __init__(self, colors: SkinColors) -> None:
        self._colors = colors
        self.reset()

    def reset(self) -> None:
        """Forget the face."""
        self._colors.reset()
        self._last_s: float | None = None
        self._held = np.zeros(len(UNIT_NAMES))  # scores that stand for those of covered regions
        self._clear = [1.0] * len(_REGIONS)

    def clear(self, landmarks: Landmarks, time_s: float) -> Landmarks:
        """Landmarks with the scores and the visibility that the fit shall use; as they are if no region is covered."""
        if landmarks.colors is None:
            return landmarks
        elapsed_s = 0.0 if self._last_s is None else max(time_s - self._last_s, 0.0)
        self._last_s = time_s
        different = self._colors.follow(landmarks.colors, elapsed_s) > COVERED
        scores, visibility = landmarks.scores.copy(), np.ones(SURFACE_COUNT)
        for number, region in enumerate(_REGIONS):
            covered = self._colors.seen_s > _YOUNG_S and different[region.skin].mean() > region.share
            clear = 0.0 if covered else min(1.0, self._clear[number] + elapsed_s / _RETURN_S)
            self._clear[number] = clear
            if covered:
                self._held[region.units] *= np.exp(-elapsed_s / _REST_S)
            scores[region.units] = clear * scores[region.units] + (1 - clear) * self._held[region.units]
            visibility[region.points] = clear
            if clear == 1.0:
                self._held[region.units] = scores[region.units]
        if visibility.min() == 1.0:
            return landmarks
        eyes = landmarks.eyes if self._clear[_REGIONS.index(_EYES)] == 1.0 else None
        return replace(landmarks, scores=scores, visibility=visibility, eyes=eyes)
