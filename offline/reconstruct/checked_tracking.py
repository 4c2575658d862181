"""Footage of a person: brought to one rate, tracked, and refused with a reason where it is not one face in one take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from face.errors import UserError
from face.landmarks import Landmarks
from face.tracking import FaceTracker
from face.video import VideoReader

RATE = 25.0  # frames a second that the product plays
_CUT_LEVELS = 25.0  # mean change of a small gray copy, 0…255, at which a frame may begin another scene
_CUT_OVER_USUAL = 8.0  # and how far above the usual change
_COUNT_EVERY_S = 2.0  # seconds between frames that are searched for other people
_LOST_S = 1.0  # without a face
_PAUSE = 3.5  # of the time between frames of the wanted rate: a longer gap ends a take
_SLOWEST = 0.45  # of the wanted rate: slower footage would stand still every other frame
_WANDER = 1.5  # of the face's height, from its usual place


@dataclass(frozen=True)
class Track:
    """What was seen in a video, at an even rate.

    Attributes:
        landmarks: of every frame, ``None`` where there is no face.
        breaks: numbers of frames before which the recording paused: what follows does not go on from what was.
        rate: frames per second, those of ``resampled``.
    """

    landmarks: list[Landmarks | None]
    breaks: list[int]
    rate: float

    @property
    def seconds(self) -> float:
        """How long the video lasts."""
        return len(self.landmarks) / self.rate


@dataclass(frozen=True)
class Moment:
    """A frame on an even grid of time: image ``[H, W, 3]`` uint8 RGB, and whether the recording paused before it."""

    image: np.ndarray
    time_s: float
    after_pause: bool


def resampled(frames: Iterable[tuple[np.ndarray, float]], rate: float) -> Iterator[Moment]:
    """A video at another rate: at each time of an even grid, the frame that is nearest to it.

    Where the recording pauses nothing is filled in; the grid begins anew behind the pause.
    """
    half = 0.5 / rate
    latest: tuple[np.ndarray, float] | None = None
    begin, number, after_pause = 0.0, 0, False

    def frames_until(until_s: float) -> Iterator[Moment]:
        nonlocal number, after_pause
        while latest is not None and (time_s := begin + number / rate) < until_s:
            yield Moment(latest[0], time_s, after_pause)
            number, after_pause = number + 1, False

    for image, time_s in frames:
        if latest is not None and time_s - latest[1] <= _PAUSE / rate:
            yield from frames_until((latest[1] + time_s) / 2)
        else:
            if latest is not None:
                yield from frames_until(latest[1] + half)
            begin, number, after_pause = time_s, 0, latest is not None
        latest = image, time_s
    if latest is not None:
        yield from frames_until(latest[1] + half)


def track_video(path: Path, rate: float) -> Track:
    """Landmarks of a video of one person, as a live loop that gets ``rate`` frames a second would see them.

    Raises:
        UserError: the video cannot be read, is HDR, has too few frames a second, is cut into scenes, shows several
            people or none, or loses its face or lets it wander; the sentence says where.
    """
    tracked: list[Landmarks | None] = []
    filmed: list[float] = []
    times: list[float] = []
    changes: list[float] = []
    breaks: list[int] = []
    previous: np.ndarray | None = None
    next_count_s = 0.0
    tracker = FaceTracker()
    with VideoReader(path) as video:
        if video.hdr:
            raise UserError(f"{path} is HDR: convert it to standard dynamic range (BT.709) first.")
        progress = tqdm(resampled(_noted(video, filmed), rate), desc=f"tracking {path.name}", unit="frame", leave=False)
        for number, moment in enumerate(progress):
            image, time_s = moment.image, moment.time_s
            if moment.after_pause:
                breaks.append(number)
            if time_s >= next_count_s:
                next_count_s = time_s + _COUNT_EVERY_S
                if tracker.count(image) > 1:
                    raise UserError(f"{path} shows several people at {time_s:.1f} s: give a video of one.")
            small = cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (32, 32), interpolation=cv2.INTER_AREA)
            changes.append(0.0 if previous is None else float(cv2.absdiff(small, previous).mean()))
            previous = small
            tracked.append(tracker.track(image, round(time_s * 1000)))
            times.append(time_s)
    _refuse_slow(path, np.diff(filmed), rate)
    if not any(tracked):
        raise UserError(f"No face was found in {path}: give a video that shows one face.")
    cuts = find_cuts(np.array(changes))
    if len(cuts):
        places = ", ".join(f"{times[k]:.1f} s" for k in cuts)
        raise UserError(f"{path} is cut into scenes at {places}: give each scene as a video of its own.")
    _refuse_lost(path, tracked, times)
    _refuse_wandering(path, tracked, times)
    return Track(tracked, breaks, rate)


def find_cuts(changes: np.ndarray) -> np.ndarray:
    """Numbers of the frames that begin another scene, from each frame's change against the one before ``[F]``."""
    return np.flatnonzero(changes > np.maximum(_CUT_LEVELS, _CUT_OVER_USUAL * np.median(changes)))


def _noted(frames: Iterable[tuple[np.ndarray, float]], times: list[float]) -> Iterator[tuple[np.ndarray, float]]:
    """The frames as they come, their times noted."""
    for image, time_s in frames:
        times.append(time_s)
        yield image, time_s


def _refuse_slow(path: Path, steps_s: np.ndarray, rate: float) -> None:
    if len(steps_s) and (filmed := 1 / np.median(steps_s)) < _SLOWEST * rate:
        raise UserError(
            f"{path} has {filmed:.3g} frames a second, too few to be shown at {rate:.3g}: film at {rate:.3g} or more."
        )


def _refuse_lost(path: Path, tracked: list[Landmarks | None], times: list[float]) -> None:
    since: float | None = None
    for landmarks, time_s in zip(tracked, times, strict=True):
        if landmarks is not None:
            since = None
        elif since is None:
            since = time_s
        elif time_s - since >= _LOST_S:
            raise UserError(f"{path} shows no face from {since:.1f} s on: cut that out, and give the parts.")


def _refuse_wandering(path: Path, tracked: list[Landmarks | None], times: list[float]) -> None:
    faces = [(landmarks, time_s) for landmarks, time_s in zip(tracked, times, strict=True) if landmarks is not None]
    middles = np.array([(landmarks.points.min(0) + landmarks.points.max(0)) / 2 for landmarks, _ in faces])
    height = float(np.median([np.ptp(landmarks.points[:, 1]) for landmarks, _ in faces]))
    far = np.flatnonzero(np.linalg.norm(middles - np.median(middles, axis=0), axis=1) > _WANDER * height)
    if len(far):
        raise UserError(
            f"The face in {path} wanders far from its usual place at {faces[far[0]][1]:.1f} s:"
            " give a video of someone who keeps to one place."
        )
