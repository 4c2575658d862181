"""Landmarks from a picture, by MediaPipe's FaceLandmarker with the model file that ships."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import mediapipe as mp
import numpy as np
from mediapipe.tasks import python as tasks
from mediapipe.tasks.python import vision

from face.errors import FaceError
from face.landmarks import UNIT_NAMES, Landmarks

MODEL_PATH = Path(__file__).parent / "data" / "face_landmarker.task"


class FaceTracker:
    """Follows the largest face through a video, or finds it in single pictures.

    Args:
        video: frames follow each other, so that the last position starts the search; otherwise every picture
            is searched anew.
        faces: how many faces to look for before the largest is taken.

    Raises:
        FaceError: the tracker's model file is missing.
    """

    def __init__(self, video: bool = True, faces: int = 1) -> None:
        if not MODEL_PATH.exists():
            raise FaceError(f"The tracker's model {MODEL_PATH} is missing: reinstall this program.")
        mode = vision.RunningMode.VIDEO if video else vision.RunningMode.IMAGE
        self._video = video
        self._landmarker = vision.FaceLandmarker.create_from_options(
            vision.FaceLandmarkerOptions(
                base_options=tasks.BaseOptions(model_asset_path=str(MODEL_PATH)),
                running_mode=mode,
                num_faces=faces,
                output_face_blendshapes=True,
            )
        )
        self._last_ms = -1

    def track(self, image: np.ndarray, time_ms: int = 0) -> Landmarks | None:  # [H, W, 3] uint8 RGB
        """Landmarks of the largest face, or ``None`` when there is none.

        ``time_ms`` is the capture time; in video mode a time that does not advance is taken as one later.
        """
        height, width = image.shape[:2]
        # A strided array would be read as garbage without an error.
        picture = mp.Image(image_format=mp.ImageFormat.SRGB, data=np.ascontiguousarray(image))
        if self._video:
            self._last_ms = max(time_ms, self._last_ms + 1)
            found = self._landmarker.detect_for_video(picture, self._last_ms)
        else:
            found = self._landmarker.detect(picture)
        if not found.face_landmarks:
            return None
        candidates = [np.array([[p.x, p.y] for p in face]) * [width, height] for face in found.face_landmarks]
        largest = int(np.argmax([np.ptp(points, axis=0).prod() for points in candidates]))
        # MediaPipe lists a "_neutral" score first and leaves tongueOut out.
        scores = {b.category_name: b.score for b in found.face_blendshapes[largest]}
        ordered = np.array([scores.get(name, 0.0) for name in UNIT_NAMES])
        return Landmarks(candidates[largest], ordered, width, height)

    def close(self) -> None:
        """Release the tracker; without this MediaPipe complains when the program ends."""
        self._landmarker.close()

    def __enter__(self) -> FaceTracker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
