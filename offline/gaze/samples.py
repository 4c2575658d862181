"""Eyes with known gaze, as tracker and fit see them in images of people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from face.errors import UserError
from face.files import atomic
from face.fit_batch import fit_video
from face.gaze_estimation import gaze_inputs
from face.landmarks import UNIT_NAMES
from face.morphable import MorphableModel
from face.tracking import FaceTracker
from offline.synthetic.motion import free_lids, natural_motion
from offline.synthetic.raster_people import Person, act

WIDE, HIGH = 56, 44  # px kept of each eye, so that training can shift, turn and scale it
_FRAME_MS = 200
_RENDERED_FRAMES, _RENDERED_SIZES = 40, (224, 256, 256, 320, 384)
_BLINK = UNIT_NAMES.index("eyeBlinkLeft")
_CLOSED = 0.4


@dataclass(frozen=True)
class GazeSamples:
    """Eyes as the network is shown them, and where they look.

    Attributes:
        eyes: ``[N, 2, 44, 56]`` uint8, see ``face.gaze_estimation.eye_crops``.
        places: ``[N, 2, 5, 2]`` float32, see ``face.gaze_estimation.eye_places``.
        turn_deg: ``[N, 2]`` float32, yaw and pitch of the head.
        gaze_deg: ``[N, 2]`` float32, right and up in the head's frame.
    """

    eyes: np.ndarray
    places: np.ndarray
    turn_deg: np.ndarray
    gaze_deg: np.ndarray

    @staticmethod
    def join(parts: list[GazeSamples]) -> GazeSamples:
        """All samples of several people."""
        names = ("eyes", "places", "turn_deg", "gaze_deg")
        return GazeSamples(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def observe(
    model: MorphableModel, frames: list[np.ndarray], expression: np.ndarray, gaze_deg: np.ndarray
) -> GazeSamples:
    """What tracker and fit make of images ``[H, W, 3]`` uint8 of one person, where the eyes are open."""
    tracker = FaceTracker()
    tracked = [tracker.track(frame, k * _FRAME_MS) for k, frame in enumerate(frames)]
    rows = []
    # There may be no network yet that sees the gaze.
    without_eyes = [landmarks and replace(landmarks, eyes=None) for landmarks in tracked]
    for k, (landmarks, fit) in enumerate(zip(tracked, fit_video(model, without_eyes), strict=True)):
        if landmarks is not None and fit is not None and expression[k, _BLINK] < _CLOSED:
            rows.append((*gaze_inputs(model, landmarks, fit.identity, fit.camera, WIDE, HIGH), gaze_deg[k]))
    if not rows:
        raise UserError("The tracker saw no open eyes in the images of one person: film them anew.")
    eyes, places, turns, gazes = (np.stack(part) for part in zip(*rows, strict=True))
    return GazeSamples(eyes, places, turns, gazes.astype(np.float32))


def rendered_samples(model: MorphableModel, seed: int) -> GazeSamples:
    """Samples of a synthetic person in natural motion; see ``offline/synthetic/raster_people.py``."""
    rng = np.random.default_rng(seed)
    motion = free_lids(natural_motion(_RENDERED_FRAMES * 5, seed), rng)
    size = int(rng.choice(_RENDERED_SIZES))
    person = Person(model, seed)
    acted = act(person, motion, size)[::5]
    frames = [person.render(parameters, size, size) for parameters in acted]
    return observe(model, frames, motion.expression[::5], motion.gaze_deg[::5])


def filmed_samples(model: MorphableModel, path: Path) -> GazeSamples:
    """Samples of a path-traced person, from a file of ``offline.synthetic.blender.gaze_set``."""
    with np.load(path) as film:
        return observe(model, list(film["frames"]), film["expression"], film["gaze_deg"])


def cached(path: Path, make: Callable[[], GazeSamples]) -> GazeSamples:
    """GazeSamples from a file, or made and written to it."""
    if not path.exists():
        samples = make()
        path.parent.mkdir(exist_ok=True)
        with atomic(path) as unfinished:
            np.savez_compressed(unfinished, **vars(samples))
    with np.load(path) as data:
        return GazeSamples(**data)
