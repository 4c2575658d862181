"""Landmarks from a picture, by MediaPipe's FaceLandmarker with the model file that ships."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import cv2
import mediapipe as mp
import numpy as np
from mediapipe.tasks import python as tasks
from mediapipe.tasks.python import vision

from face.errors import FaceError
from face.landmarks import EYE_CORNERS, LEFT_EYE, RIGHT_EYE, UNIT_NAMES, EyePicture, Landmarks
from face.quiet import silenced

MODEL_PATH = Path(__file__).parent / "data" / "face_landmarker.task"
_CANDIDATES = 4  # faces among which the largest is looked for
_HIDE = 0.15  # of its size, by which a hidden face is covered beyond its points
_AROUND_EYES = 0.3  # of the eyes' distance, shown beyond their points


def _landmarker(mode: vision.RunningMode, faces: int) -> vision.FaceLandmarker:
    options = vision.FaceLandmarkerOptions(
        base_options=tasks.BaseOptions(model_asset_path=str(MODEL_PATH)),
        running_mode=mode,
        num_faces=faces,
        output_face_blendshapes=True,
    )
    with silenced(2):  # MediaPipe greets with half a page, whatever is set
        made = vision.FaceLandmarker.create_from_options(options)
        if mode is vision.RunningMode.IMAGE:  # some of it comes with the first picture
            made.detect(_picture(np.zeros((64, 64, 3), np.uint8)))
    return made


def _picture(image: np.ndarray) -> mp.Image:
    return mp.Image(image_format=mp.ImageFormat.SRGB, data=image)


def _hidden(image: np.ndarray, faces: list[np.ndarray]) -> np.ndarray:
    """The picture with some faces, given by their points, painted over."""
    image = image.copy() if faces else image
    for points in faces:
        margin = _HIDE * np.ptp(points, axis=0)
        (left, top), (right, bottom) = (points.min(0) - margin).clip(0), (points.max(0) + margin).clip(0)
        image[int(top) : int(bottom) + 1, int(left) : int(right) + 1] = 128
    return image


def _eyes(image: np.ndarray, points: np.ndarray) -> EyePicture:
    height, width = image.shape[:2]
    around = points[[*LEFT_EYE, *RIGHT_EYE]]
    margin = _AROUND_EYES * np.linalg.norm(np.subtract(*points[list(EYE_CORNERS)]))
    # Eyes beyond the picture's border leave its last row or column.
    left, top = np.clip((around.min(0) - margin).astype(int), 0, [width - 1, height - 1])
    right, bottom = np.clip((around.max(0) + margin).astype(int) + 1, [left + 1, top + 1], [width, height])
    return EyePicture(cv2.cvtColor(image[top:bottom, left:right], cv2.COLOR_RGB2GRAY), int(left), int(top))


class FaceTracker:
    """Follows the largest face through a video, or finds it in single pictures.

    MediaPipe smooths over time only while it looks for a single face, and then takes whichever it is surest of. So in
    a video the largest is looked for in a single picture, where no face is followed yet, and the others are hidden
    for that frame; from then on MediaPipe stays with it.

    Args:
        video: frames follow each other, so that the last position starts the search; otherwise every picture
            is searched anew.

    Raises:
        FaceError: the tracker's model file is missing.
    """

    def __init__(self, video: bool = True) -> None:
        if not MODEL_PATH.exists():
            raise FaceError(f"The tracker's model {MODEL_PATH} is missing: reinstall this program.")
        self._finder = _landmarker(vision.RunningMode.IMAGE, _CANDIDATES)
        self._follower = _landmarker(vision.RunningMode.VIDEO, 1) if video else None
        self._following = False
        self._last_ms = -1

    def track(self, image: np.ndarray, time_ms: int = 0) -> Landmarks | None:  # [H, W, 3] uint8 RGB
        """Landmarks of the face, or ``None`` when there is none.

        ``time_ms`` is the capture time; in video mode a time that does not advance is taken as one later.
        """
        # A strided array would be read as garbage without an error.
        image = np.ascontiguousarray(image)
        if self._follower is None:
            return self._largest(self._finder.detect(_picture(image)), image)[0]
        if not self._following:
            _, others = self._largest(self._finder.detect(_picture(image)), image)
            image = _hidden(image, others)
        self._last_ms = max(time_ms, self._last_ms + 1)
        found, _ = self._largest(self._follower.detect_for_video(_picture(image), self._last_ms), image)
        self._following = found is not None
        return found

    @staticmethod
    def _largest(found: vision.FaceLandmarkerResult, image: np.ndarray) -> tuple[Landmarks | None, list[np.ndarray]]:
        """The largest of the faces found, and the points ``[478, 2]`` px of the others."""
        height, width = image.shape[:2]
        faces = [
            np.column_stack([[p.x for p in face], [p.y for p in face]]) * [width, height]
            for face in found.face_landmarks
        ]
        if not faces:
            return None, []
        largest = int(np.argmax([np.ptp(points, axis=0).prod() for points in faces]))
        # MediaPipe lists a "_neutral" score first and leaves tongueOut out.
        scores = {b.category_name: b.score for b in found.face_blendshapes[largest]}
        ordered = np.array([scores.get(name, 0.0) for name in UNIT_NAMES])
        points = faces.pop(largest)
        return Landmarks(points, ordered, width, height, _eyes(image, points)), faces

    def count(self, image: np.ndarray) -> int:  # [H, W, 3] uint8 RGB
        """How many faces a picture shows, up to ``_CANDIDATES``; what is followed stays as it is."""
        return len(self._finder.detect(_picture(np.ascontiguousarray(image))).face_landmarks)

    def close(self) -> None:
        """Release the tracker; without this MediaPipe complains when the program ends."""
        self._finder.close()
        if self._follower is not None:
            self._follower.close()

    def __enter__(self) -> FaceTracker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
