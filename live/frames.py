"""What travels through the live loop. Each item keeps its capture time to the end, so that latency is measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from face.landmarks import Landmarks
from face.parameters import FaceParameters
from live.loaded_target import LoadedTarget


@dataclass(frozen=True)
class Frame:
    """An image from a source.

    Attributes:
        image: ``[H, W, 3]`` uint8 RGB.
        captured_s: when it was captured, monotonic clock, seconds.
        number: counts the frames of its source.
    """

    image: np.ndarray
    captured_s: float
    number: int


SOUND_RATE = 48_000  # samples a second, of all sound in the loop


@dataclass(frozen=True)
class Sound:
    """A piece of a source's sound.

    Attributes:
        samples: ``[n, 2]`` int16 at ``SOUND_RATE``, left and right.
        captured_s: when its first sample was captured, on the clock of the source's frames.
    """

    samples: np.ndarray
    captured_s: float


@dataclass(frozen=True)
class SourceGone:
    """A source delivers nothing for now, and goes on trying.

    Attributes:
        reason: a sentence for the user.
    """

    reason: str


Media = Frame | Sound | SourceGone


@dataclass(frozen=True)
class Conditioned:
    """A frame's conditioning.

    Attributes:
        conditioning: ``[H, W, 6]`` uint8; on a GPU, what becomes such an array when numpy asks for it.
        loaded: the target that it was rendered for.
        parameters: what was rendered, in the target's px.
        landmarks: what the tracker found, ``None`` without a face.
        captured_s: as in ``Frame``.
    """

    conditioning: np.ndarray
    loaded: LoadedTarget
    parameters: FaceParameters
    landmarks: Landmarks | None
    captured_s: float


@dataclass(frozen=True)
class Generated:
    """An image of the target.

    Attributes:
        image: ``[H, W, 3]`` uint8 RGB.
        conditioned: what it was made from.
        captured_s: as in ``Frame``.
    """

    image: np.ndarray
    conditioned: Conditioned
    captured_s: float
