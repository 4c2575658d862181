"""Film a plan of takes, frame by frame, so that an interrupted film goes on where it stopped."""

from __future__ import annotations

import contextlib
import shutil
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from threading import Event
from typing import Protocol

import numpy as np
from scipy.spatial.transform import Rotation
from tqdm import tqdm

from face.errors import UserError
from face.files import atomic, write_whole
from face.landmarks import UNIT_NAMES
from face.parameters import gaze_rotation
from face.video import VideoReader, VideoWriter
from offline.synthetic.blender.camera import project
from offline.synthetic.blender.person import Person
from offline.synthetic.blender.takes import FPS, Take

_QUALITY = 10  # x264's constant rate factor: no difference is seen


class Camera(Protocol):
    """Films one frame at a time: ``Studio``."""

    @property
    def landmarks(self) -> np.ndarray:
        """Vertices of the iBUG landmarks, ``[68]``."""

    def shown(self, units: Mapping[str, float]) -> dict[str, float]:
        """What the face shows when units are played."""

    def shoot(
        self, path: Path, units: Mapping[str, float], rotation: np.ndarray, translation: np.ndarray, gaze: np.ndarray
    ) -> np.ndarray:
        """Write a frame; returns the head's vertices ``[V, 3]``, dm."""


def film(set_up: Callable[[], Camera], person: Person, takes: list[Take], out: Path, size: int) -> None:
    """Film takes with a studio to ``out``: of each a video and its truth. What is there already is not filmed again.

    Frames wait in ``out/TAKE.frames`` until their take is complete. The truth of a take is an npz: ``expression``
    ``[F, 52]``, what the face shows, with ``unit_names``; ``euler_deg`` ``[F, 3]``, ``gaze_deg`` ``[F, 2]``,
    ``translation_dm`` ``[F, 3]``, and ``landmarks_px`` ``[F, 68, 2]``, the iBUG landmarks in the image. If
    there is ``out/TAKE.wav``, the take's video gets its sound.

    Raises:
        UserError: the folder holds frames of another size or person, or a frame cannot be written.
    """
    _claim(out, person, size)
    missing = [take for take in takes if not _video(out, take).exists()]
    total = sum(len(take.expression) for take in takes)
    if not missing:
        return
    studio = set_up()
    done = total - sum(len(take.expression) for take in missing)
    with tqdm(total=total, initial=done, unit="frame", smoothing=0.05) as progress, _stops_after_a_frame() as stopping:
        for take in missing:
            _film_take(studio, take, out, size, progress, stopping)


def preview(studio: Camera, path: Path) -> None:
    """One frame of the person at rest, as a PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _shoot(studio, path, {}, np.zeros(3), np.zeros(3), np.zeros(2))


@contextlib.contextmanager
def _stops_after_a_frame() -> Iterator[Event]:
    """An event that Ctrl-C and SIGTERM set: an exception that is raised within Blender's renderer gets lost."""
    stopping = Event()
    kept = {number: signal.signal(number, lambda *_: stopping.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopping
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


def _film_take(studio: Camera, take: Take, out: Path, size: int, progress: tqdm, stopping: Event) -> None:
    folder = out / f"{take.name}.frames"
    folder.mkdir(exist_ok=True)
    for number in range(len(take.expression)):
        if stopping.is_set():
            raise KeyboardInterrupt
        path = folder / f"{number:05d}.png"
        landmarks = path.with_suffix(".npy")
        if not landmarks.exists():  # written last
            units = dict(zip(UNIT_NAMES, take.expression[number], strict=True))
            vertices = _shoot(
                studio, path, units, take.euler_deg[number], take.translation_dm[number], take.gaze_deg[number]
            )
            with atomic(landmarks) as partial:
                np.save(partial, project(vertices[studio.landmarks], size))
        progress.update()
    paths = sorted(folder.glob("*.png"))
    truth = out / f"{take.name}.npz"
    played = [dict(zip(UNIT_NAMES, row, strict=True)) for row in take.expression]
    shown = np.array([[studio.shown(units)[name] for name in UNIT_NAMES] for units in played])
    with atomic(truth) as partial:
        np.savez_compressed(
            partial, expression=shown, euler_deg=take.euler_deg, gaze_deg=take.gaze_deg,
            translation_dm=take.translation_dm, unit_names=np.array(UNIT_NAMES),
            landmarks_px=np.stack([np.load(path.with_suffix(".npy")) for path in paths]),
        )  # fmt: skip
    sound = out / f"{take.name}.wav"
    with VideoWriter(_video(out, take), FPS, _QUALITY, sound if sound.exists() else None) as video:
        for path in paths:
            with VideoReader(path) as image:
                video.write(next(iter(image))[0])
    shutil.rmtree(folder)


def _shoot(
    studio: Camera,
    path: Path,
    units: dict[str, float],
    euler_deg: np.ndarray,
    shift_dm: np.ndarray,
    gaze_deg: np.ndarray,
) -> np.ndarray:
    rotation = Rotation.from_euler("YXZ", euler_deg, degrees=True).as_matrix()
    with atomic(path) as partial:
        try:
            vertices = studio.shoot(partial, units, rotation, shift_dm, gaze_rotation(gaze_deg))
        except RuntimeError as error:
            raise UserError(f"Cannot film {path}: {str(error).strip().splitlines()[-1].removesuffix('.')}.") from None
        if not partial.exists() or not partial.stat().st_size:
            raise UserError(f"Cannot write {path}: make room, and give the same command again; it goes on.")
    return vertices


def _video(out: Path, take: Take) -> Path:
    return out / f"{take.name}.mp4"


def _claim(out: Path, person: Person, size: int) -> None:
    """Take a folder for a person and a size, or find that it is theirs."""
    out.mkdir(parents=True, exist_ok=True)
    note, text = out / "film.txt", f"seed {person.seed}, {size} px\n"
    if note.exists() and note.read_text() != text:
        raise UserError(f"{out} holds another film ({note.read_text().strip()}): give another folder.")
    write_whole(note, text.encode())
