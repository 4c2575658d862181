"""Drive a target with videos, frame by frame, as the live loop does.

    python -m offline.reenact --target FILE.onnx --source VIDEO --out FILE.mp4 [--mode self|head|face] [--compare]
    python -m offline.reenact --target FILE.onnx --source VIDEO --source VIDEO … --sheet OUT.png [--expressive]

The video keeps the source's sound; with --compare it shows source, NMFC with gaze, and output side by side. The sheet
shows moments of each video: the source's landmarks, NMFC with gaze, output; with --expressive the strongest grins, O's,
closed mouths and frowns of them all.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnxruntime as ort
from tqdm import tqdm

from face.camera_map import CameraMap
from face.conditioning import CpuConditioning
from face.drawing import draw_conditioning, draw_landmarks
from face.errors import UserError
from face.fit_online import CALIBRATION_FRAMES
from face.landmarks import Landmarks
from face.live_fit import LiveFit
from face.morphable import MorphableModel
from face.parameters import FaceParameters
from face.retarget import Mode, Retargeter, RetargetSettings
from face.target import TargetInfo, read_info
from face.tracking import FaceTracker
from face.video import VideoReader, VideoWriter
from offline.cli_errors import one_sentence
from offline.evaluate import expressive_moments
from offline.export.target_export import roll_out
from offline.fit_quality import track
from offline.reconstruct.reconstruction import choose_crop

_COLUMNS = 5  # of a sheet, per video


SELF = "self"  # self-reenactment: a video of the target person


@dataclass(frozen=True)
class Driven:
    """A moment of a video.

    Attributes:
        time_s: when it is, from the start.
        seen: what the tracker saw.
        drawn: what was drawn.
        conditioning: ``[H, W, 6]`` uint8.
        output: ``[H, W, 3]`` uint8.
    """

    time_s: float
    seen: Landmarks | None
    drawn: FaceParameters
    conditioning: np.ndarray
    output: np.ndarray


class Own:
    """Places a video of the target person as training did: pose, place and scale as filmed, in the video's crop.

    Args:
        target: the person.
        source: a video of the same person.

    Raises:
        UserError: the video cannot be read, or shows no face.
    """

    def __init__(self, target: TargetInfo, source: Path) -> None:
        seen = [one for one in track(source) if one is not None]
        if not seen:
            raise UserError(f"No face was found in {source}: give a video that shows {target.title}.")
        self._crop, self._shown = choose_crop(seen, target.size), target.resting()

    def step(self, found: FaceParameters | None) -> FaceParameters:
        """Parameters to draw: what was found, or what was drawn last."""
        if found is not None:
            self._shown = self._crop.parameters(found)
        return self._shown


def reenact(model: MorphableModel, target: Path, info: TargetInfo, source: Path, mode: str) -> Iterator[Driven]:
    """Every frame of a video and what it makes the target do, in one of the live loop's modes or ``SELF``.

    Raises:
        UserError: the video cannot be read, or shows no face although it is to show the target person.
    """
    session = ort.InferenceSession(str(target), providers=["CPUExecutionProvider"])
    renderer = CpuConditioning(model, info.size)
    if mode == SELF:
        fit, own = LiveFit(model, np.array(info.identity)), Own(info, source)

        def place(found: FaceParameters | None, time_s: float) -> FaceParameters:
            return own.step(found)

    else:
        fit, retargeter, settings = LiveFit(model), Retargeter(info, model), RetargetSettings(mode=Mode(mode))

        def place(found: FaceParameters | None, time_s: float) -> FaceParameters:
            if fit.newcomer:
                retargeter.recalibrate()
            return retargeter.step(found, settings, time_s)

    tracker, camera_map = FaceTracker(person=fit.person), CameraMap(model, np.array(info.camera_map))
    latest: list[tuple[float, Landmarks | None, FaceParameters, np.ndarray]] = []

    def conditionings() -> Iterator[np.ndarray]:
        for image, time_s in tqdm(video, total=video.frames or None, desc=source.name, unit="frame"):
            seen = tracker.track(image, round(time_s * 1000))
            parameters = place(fit.step(seen, time_s, camera_map), time_s)
            conditioning = renderer.render(parameters)
            latest[:] = [(time_s, seen, parameters, conditioning)]
            yield conditioning

    with VideoReader(source) as video:
        for output in roll_out(session, conditionings()):
            yield Driven(*latest[0], output)


def _square(image: np.ndarray, size: int) -> np.ndarray:
    """The middle of a frame ``[H, W, 3]``, ``[size, size, 3]`` uint8."""
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return cv2.resize(image[top : top + side, left : left + side], (size, size), interpolation=cv2.INTER_AREA)


def _compared(source: Path, moments: Iterator[Driven], size: int) -> Iterator[tuple[np.ndarray, float]]:
    """Source, NMFC and output side by side, ``[size, 3 size, 3]`` uint8, frame by frame, with its time."""
    with VideoReader(source) as video:
        for moment, (image, time_s) in zip(moments, video, strict=True):
            yield np.hstack([_square(image, size), draw_conditioning(moment.conditioning), moment.output]), time_s


def _rows(moments: list[Driven]) -> np.ndarray:
    """Three rows: landmarks, conditionings, outputs; moments spread over the video once identity is found."""
    begin = min(CALIBRATION_FRAMES, len(moments) // 3)
    return np.hstack([_column(moments[k]) for k in np.linspace(begin, len(moments) - 1, _COLUMNS).astype(int)])


def _column(moment: Driven) -> np.ndarray:
    """Landmarks, conditioning and output of a moment, one below the other."""
    size = moment.output.shape[0]
    return np.vstack([draw_landmarks(moment.seen, size), draw_conditioning(moment.conditioning), moment.output])


def _expressive_rows(videos: list[list[Driven]]) -> np.ndarray:
    """Three rows for each kind of expression: landmarks, conditionings, outputs of its strongest moments."""
    chosen = expressive_moments.moments([[m.seen for m in video] for video in videos], CALIBRATION_FRAMES)
    rows = [np.hstack([_column(videos[number][frame]) for number, frame in found]) for found in chosen.values()]
    width = max(row.shape[1] for row in rows)
    return np.vstack([np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0))) for row in rows])


@one_sentence
def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m offline.reenact", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--target", type=Path, required=True, help="target file (.onnx)")
    parser.add_argument("--source", type=Path, action="append", required=True, help="video of the driver")
    parser.add_argument(
        "--mode", choices=[SELF, *(m.value for m in Mode)], default=Mode.HEAD.value,
        help="self: the video is of the target person; head, face: of anyone (default head)",
    )  # fmt: skip
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--out", type=Path, metavar="FILE.mp4", help="write the video (of one source)")
    where.add_argument("--sheet", type=Path, metavar="FILE.png", help="write a contact sheet")
    parser.add_argument("--expressive", action="store_true", help="the sheet shows grins, O's, closed mouths, frowns")
    parser.add_argument("--compare", action="store_true", help="source, NMFC and output side by side (with --out)")
    arguments = parser.parse_args()
    if arguments.out and len(arguments.source) > 1:
        parser.error("--out takes one --source")
    model = MorphableModel.load()
    info = read_info(arguments.target, model.hash)
    driven = (reenact(model, arguments.target, info, source, arguments.mode) for source in arguments.source)
    if arguments.sheet:
        videos = [list(moments) for moments in driven]
        sheet = _expressive_rows(videos) if arguments.expressive else np.vstack([_rows(video) for video in videos])
        cv2.imwrite(str(arguments.sheet), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
        return 0
    source, moments = arguments.source[0], next(driven)
    pictures = _compared(source, moments, info.size) if arguments.compare else ((m.output, m.time_s) for m in moments)
    with VideoReader(source) as video:
        rate = video.rate
    with VideoWriter(arguments.out, rate, sound_of=source) as written:
        for picture, time_s in pictures:
            written.write(picture, time_s)
    return 0


if __name__ == "__main__":
    sys.exit(main())
