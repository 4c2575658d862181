"""Gaze angles, estimated by a small network from the image of the eyes.

Landmarks alone do not tell how far up somebody looks: the tracker's irises move half as far as the real ones, and lids
follow a gaze by another amount in everybody. ``offline/gaze_network.py`` trains the network.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np
import onnxruntime as ort

from face.camera import ScaledOrthographicCamera
from face.landmarks import EYE_CORNERS, LEFT_IRIS, RIGHT_IRIS, UNIT_NAMES, EyeImage, Landmarks
from face.morphable import MorphableModel

NETWORK_PATH = Path(__file__).parent / "data" / "gaze.onnx"
WIDTH, HEIGHT = 36, 28  # px of an eye's crop
_RADIUS_PX = 18.0  # of the eyeball in it
_EYES = (((263, 362), (386, 374), LEFT_IRIS), ((33, 133), (159, 145), RIGHT_IRIS))  # outer, inner; upper, lower; iris
_LIMIT_DEG = np.array([35.0, 28.0])
_CLOSED = 0.6  # blink above which the irises cannot be seen
_BLINK = [UNIT_NAMES.index("eyeBlinkLeft"), UNIT_NAMES.index("eyeBlinkRight")]


def _upright(points: np.ndarray) -> np.ndarray:
    """Rotation ``[2, 2]`` that lays the line from eye to eye level, from image px to image px."""
    x, y = points[EYE_CORNERS[1]] - points[EYE_CORNERS[0]]
    return np.array([[x, y], [-y, x]]) / np.hypot(x, y)


def eye_crops(
    eyes: EyeImage,
    points: np.ndarray,  # [478, 2] px
    radius_px: float,  # of the eyeball
    width: int = WIDTH,
    height: int = HEIGHT,
) -> np.ndarray:
    """Left and right eye, level, of one size and in the middle of their crops: ``[2, height, width]`` uint8 gray."""
    scale = _RADIUS_PX / radius_px
    image, points = eyes.gray, points - [eyes.left, eyes.top]
    while scale < 0.5:  # a step at a time: one jump over many pixels would miss those between
        # OpenCV keeps the first pixel's center where it is, not its corner.
        image, points, scale = cv2.pyrDown(image), points / 2 + 0.25, scale * 2
    turn = scale * _upright(points)
    crops = []
    for (outer, inner), _, _ in _EYES:
        middle = (points[outer] + points[inner]) / 2
        # OpenCV counts from there, we from the corner.
        shift = np.array([width / 2, height / 2]) - turn @ middle + turn @ [0.5, 0.5] - 0.5
        crops.append(
            cv2.warpAffine(
                image,
                np.column_stack([turn, shift]),
                (width, height),
                flags=cv2.INTER_CUBIC,
                borderMode=cv2.BORDER_REPLICATE,
            )  # fmt: skip
        )
    return np.stack(crops)


def eye_places(points: np.ndarray, centers: np.ndarray, radius_px: float) -> np.ndarray:
    """Where eyeball, iris, upper and lower lid and outer corner lie, ``[2, 5, 2]`` float32: left and right eye.

    From the middle of the eye's corners, along and below the line from eye to eye, in radii of the eyeball.
    ``points``: ``[478, 2]`` px; ``centers``: ``[2, 2]`` px, of the fitted eyeballs.
    """
    turn = _upright(points) / radius_px
    places = [
        (np.stack([center, points[iris], *points[list(lids)], points[outer]]) - (points[outer] + points[inner]) / 2)
        for ((outer, inner), lids, iris), center in zip(_EYES, centers, strict=True)
    ]
    return (np.stack(places) @ turn.T).astype(np.float32)


@cache
def _network() -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1  # a fraction of a millisecond: more threads only wait for each other
    options.log_severity_level = 3
    return ort.InferenceSession(str(NETWORK_PATH), options, providers=["CPUExecutionProvider"])


class GazeEstimator:
    """Gaze angles of a fitted face; holds the last gaze while the eyes are closed."""

    def __init__(self, model: MorphableModel) -> None:
        self._model = model
        self.reset()

    def reset(self) -> None:
        """Forget the last gaze."""
        self._last = np.zeros(2)

    def estimate(
        self, landmarks: Landmarks, identity: np.ndarray, expression: np.ndarray, camera: ScaledOrthographicCamera
    ) -> np.ndarray:
        """Degrees to the image's right and up in the head's frame, ``[2]`` float64, both eyes as one."""
        if landmarks.eyes is None or expression[_BLINK].mean() > _CLOSED:
            return self._last
        crops, places, turn = gaze_inputs(self._model, landmarks, identity, camera)
        inputs = {"eyes": crops[None], "places": places[None], "turn_deg": turn[None]}
        self._last = np.clip(_network().run(None, inputs)[0][0].astype(float), -_LIMIT_DEG, _LIMIT_DEG)
        return self._last


def gaze_inputs(
    model: MorphableModel,
    landmarks: Landmarks,
    identity: np.ndarray,  # [IDENTITY_SIZE]
    camera: ScaledOrthographicCamera,
    width: int = WIDTH,
    height: int = HEIGHT,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The network's inputs: ``eye_crops``, ``eye_places``, and the head's yaw and pitch ``[2]`` float32 degrees.

    ``landmarks`` must have the image of the eyes.
    """
    assert landmarks.eyes is not None
    radius_px = camera.scale * model.eye_radius
    centers = camera.project(model.eye_centers(identity))[:, :2]
    return (
        eye_crops(landmarks.eyes, landmarks.points, radius_px, width, height),
        eye_places(landmarks.points, centers, radius_px),
        camera.euler_deg[:2].astype(np.float32),
    )
