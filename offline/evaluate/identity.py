"""Whether two images show the same person: a face recognizer that takes ArcFace's crops (Deng et al. 2019), as ONNX."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import onnxruntime as ort

from face.errors import UserError
from face.files import sha256
from face.landmarks import LEFT_EYE, RIGHT_EYE, Landmarks

# Where ArcFace's 112-px crops have the eye in the image's left half, the other one, nose tip and mouth corners.
_PLACES = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]])
_SIDE = 112
_NOSE_TIP, _MOUTH_CORNERS = 4, (61, 291)


class FaceRecognizer:
    """A face recognizer.

    Args:
        path: ONNX file; takes ``[1, 3, 112, 112]`` float32 RGB -1…1, gives an embedding.

    Raises:
        UserError: the file is no such network.

    Attributes:
        hash: SHA-256 of the file.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's exceptions have no common base but this
            raise UserError(f"{path} is no ONNX network: give a face recognizer ({error}).") from None
        shapes = [list(network_input.shape[1:]) for network_input in self._session.get_inputs()]
        if shapes != [[3, _SIDE, _SIDE]]:
            raise UserError(f"{path} takes {shapes}: give a face recognizer, which takes [1, 3, {_SIDE}, {_SIDE}].")
        self._input = self._session.get_inputs()[0].name
        self.hash = sha256(path)

    def embedding(self, image: np.ndarray, landmarks: Landmarks) -> np.ndarray:  # [H, W, 3] uint8
        """What tells the person in an image, a unit vector."""
        aligned = face_crop(image, landmarks).transpose(2, 0, 1)[None].astype(np.float32) / 127.5 - 1
        vector = np.ravel(self._session.run(None, {self._input: aligned})[0]).astype(float)
        return vector / np.linalg.norm(vector)

    def similarity(
        self, images: np.ndarray, landmarks: Sequence[Landmarks | None], reference: np.ndarray
    ) -> float:  # images [T, H, W, 3] uint8, reference [D]
        """Mean cosine of the images' embeddings and a reference, where a face is seen."""
        cosines = [
            self.embedding(image, face) @ reference for image, face in zip(images, landmarks, strict=True) if face
        ]
        return float(np.mean(cosines))


def face_crop(image: np.ndarray, landmarks: Landmarks) -> np.ndarray:
    """The face upright at ArcFace's places, ``[112, 112, 3]`` uint8."""
    eyes = sorted((landmarks.points[list(eye)].mean(0) for eye in (LEFT_EYE, RIGHT_EYE)), key=lambda p: float(p[0]))
    points = np.array([*eyes, landmarks.points[_NOSE_TIP], *landmarks.points[list(_MOUTH_CORNERS)]])
    matrix, _ = cv2.estimateAffinePartial2D(points, _PLACES, method=cv2.LMEDS)
    cut: np.ndarray = cv2.warpAffine(image, matrix, (_SIDE, _SIDE))
    return cut
