"""Writes ``mediapipe_reference.npz``: what MediaPipe's own face landmarker sees in the demo clip.

    python -m venv v && v/bin/pip install mediapipe==1.2.2 av==18.1.0 && v/bin/python tests/face/mediapipe_reference.py

Run by hand, not where nobody is to know: MediaPipe reports its use to Google.
"""

from __future__ import annotations

from pathlib import Path

import av
import mediapipe as mp
import numpy as np
from mediapipe.tasks import python as tasks
from mediapipe.tasks.python import vision

ROOT = Path(__file__).resolve().parents[2]
FRAMES, FIRST_MS, FRAME_MS = 30, 1, 40


def landmarker(mode: vision.RunningMode) -> vision.FaceLandmarker:
    """One that sees a single face."""
    model = tasks.BaseOptions(model_asset_path=str(ROOT / "face/data/face_landmarker.task"))
    return vision.FaceLandmarker.create_from_options(
        vision.FaceLandmarkerOptions(model, mode, num_faces=1, output_face_blendshapes=True)
    )


def numbers(found: vision.FaceLandmarkerResult, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """Points ``[478, 2]`` px and the units' scores ``[51]``."""
    points = np.array([[p.x * width, p.y * height] for p in found.face_landmarks[0]])
    return points, np.array([unit.score for unit in found.face_blendshapes[0]][1:])


def main() -> None:
    """Watch the clip as a video, and each tenth frame by itself."""
    following, finding = landmarker(vision.RunningMode.VIDEO), landmarker(vision.RunningMode.IMAGE)
    followed, found = [], []
    with av.open(str(ROOT / "live/sources/studio_noor.mp4")) as video:
        for k, frame in zip(range(FRAMES), video.decode(video=0), strict=False):
            image = mp.Image(mp.ImageFormat.SRGB, frame.to_ndarray(format="rgb24"))
            size = frame.width, frame.height
            followed.append(numbers(following.detect_for_video(image, FIRST_MS + k * FRAME_MS), *size))
            if k % 10 == 0:
                found.append(numbers(finding.detect(image), *size))
    (points, scores), (found_points, found_scores) = (
        map(np.float32, zip(*rows, strict=True)) for rows in (followed, found)
    )
    np.savez_compressed(Path(__file__).with_suffix(".npz"), points=points, scores=scores, found_points=found_points,
                        found_scores=found_scores)  # fmt: skip


if __name__ == "__main__":
    main()
