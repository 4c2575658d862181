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
from tqdm import tqdm

from face.conditioning import CpuConditioning
from face.drawing import draw_conditioning, draw_landmarks
from face.errors import UserError
from face.files import check_output_file
from face.fit_per_frame import CALIBRATION_FRAMES
from face.frame_chain import ConditionedFrame, FrameChain
from face.morphable import MorphableModel
from face.mouth_parts import TeethPlacement
from face.parameters import FaceParameters
from face.retarget import Mode, Retargeter, RetargetSettings
from face.target import TargetInfo, read_info
from face.video import VideoReader, VideoWriter
from offline.cli_errors import one_sentence
from offline.dataset.crop import choose_crop
from offline.evaluate import expressive_moments
from offline.image_file import write_image
from offline.rollout import Rollout, onnx_network
from offline.tracked import track

_COLUMNS = 5  # of a sheet, per video


SELF = "self"  # self-reenactment: a video of the target person


@dataclass(frozen=True)
class DrivenFrame:
    """A frame of a source and what the target makes of it.

    Attributes:
        source: the frame after the chain, its time from the start of the video.
        output: ``[H, W, 3]`` uint8.
    """

    source: ConditionedFrame
    output: np.ndarray


class SelfReenactment:
    """Places a video of the target person as training did: pose, place and scale as filmed, in the video's crop.

    Args:
        source: a video of the target person.
        target: the person.

    Raises:
        UserError: the video cannot be read, or shows no face.
    """

    def __init__(self, source: Path, target: TargetInfo) -> None:
        faces = [landmarks for landmarks in track(source) if landmarks is not None]
        if not faces:
            raise UserError(f"No face was found in {source}: give a video that shows {target.title}.")
        self._faces = faces
        self.change_target(target)

    def change_target(self, target: TargetInfo) -> None:
        """Crop for another target."""
        self._crop, self._last = choose_crop(self._faces, target.size), target.resting()

    def recalibrate(self) -> None:
        """Nothing is learned from the source."""

    def step(self, source: FaceParameters | None, settings: RetargetSettings, time_s: float) -> FaceParameters:
        """Parameters to render: the source's in the crop, or the last ones where there is no face."""
        if source is not None:
            self._last = self._crop.parameters(source)
        return self._last


def reenact(model: MorphableModel, target: Path, info: TargetInfo, source: Path, mode: str) -> Iterator[DrivenFrame]:
    """Every frame of a video and what it makes the target do, in one of the live loop's modes or ``SELF``.

    Raises:
        UserError: the video cannot be read, or shows no face although it is to show the target person.
    """
    renderer, generator = (
        CpuConditioning(model, info.size, TeethPlacement.of(info.teeth)),
        Rollout(onnx_network(target)),
    )
    if mode == SELF:
        retargeting, settings = SelfReenactment(source, info), RetargetSettings()
        chain = FrameChain(model, info, renderer, retargeting, identity=np.array(info.identity))
    else:
        settings = RetargetSettings(mode=Mode(mode))
        chain = FrameChain(model, info, renderer, Retargeter(info, model))
    with VideoReader(source) as video:
        for image, time_s in tqdm(video, total=video.frames or None, desc=source.name, unit="frame"):
            frame = chain.step(image, time_s, settings)
            yield DrivenFrame(frame, generator.step(frame.conditioning))


def _square(image: np.ndarray, size: int) -> np.ndarray:
    """The middle of a frame ``[H, W, 3]``, ``[size, size, 3]`` uint8."""
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return cv2.resize(image[top : top + side, left : left + side], (size, size), interpolation=cv2.INTER_AREA)


def _compared(source: Path, frames: Iterator[DrivenFrame], size: int) -> Iterator[tuple[np.ndarray, float]]:
    """Source, NMFC and output side by side, ``[size, 3 size, 3]`` uint8, frame by frame, with its time."""
    with VideoReader(source) as video:
        for frame, (image, time_s) in zip(frames, video, strict=True):
            conditioning = draw_conditioning(frame.source.conditioning)
            yield np.hstack([_square(image, size), conditioning, frame.output]), time_s


def _rows(frames: list[DrivenFrame]) -> np.ndarray:
    """Three rows: landmarks, conditionings, outputs; frames spread over the video once identity is fitted."""
    begin = min(CALIBRATION_FRAMES, len(frames) // 3)
    return np.hstack([_column(frames[k]) for k in np.linspace(begin, len(frames) - 1, _COLUMNS).astype(int)])


def _column(frame: DrivenFrame) -> np.ndarray:
    """Landmarks, conditioning and output of a frame, one below the other."""
    source, size = frame.source, frame.output.shape[0]
    return np.vstack([draw_landmarks(source.landmarks, size), draw_conditioning(source.conditioning), frame.output])


def _expressive_rows(videos: list[list[DrivenFrame]]) -> np.ndarray:
    """Three rows for each kind of expression: landmarks, conditionings, outputs of its strongest moments."""
    tracked = [[frame.source.landmarks for frame in video] for video in videos]
    chosen = expressive_moments.moments(tracked, CALIBRATION_FRAMES)
    rows = [np.hstack([_column(videos[number][frame]) for number, frame in kind]) for kind in chosen.values()]
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
    check_output_file(arguments.out or arguments.sheet)
    if arguments.out and len(arguments.source) > 1:
        parser.error("--out takes one --source")
    model = MorphableModel.load()
    info = read_info(arguments.target, model.hash)
    driven = (reenact(model, arguments.target, info, source, arguments.mode) for source in arguments.source)
    if arguments.sheet:
        videos = [list(frames) for frames in driven]
        sheet = _expressive_rows(videos) if arguments.expressive else np.vstack([_rows(video) for video in videos])
        write_image(arguments.sheet, sheet)
        return 0
    source, frames = arguments.source[0], next(driven)
    images = (
        _compared(source, frames, info.size) if arguments.compare else ((f.output, f.source.time_s) for f in frames)
    )
    with VideoReader(source) as video:
        rate = video.rate
    with VideoWriter(arguments.out, rate, sound_of=source) as written:
        for image, time_s in images:
            written.write(image, time_s)
    return 0


if __name__ == "__main__":
    sys.exit(main())
