"""How still the background stays while a head moves before it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from face.camera import ScaledOrthographicCamera

STILL = 12.0  # gray levels: a background that differs by more from its median is not still
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_HAIR = 0.6  # of the face's width on either side: hair is no wider
_MARGIN = 0.25  # of the face's width, around the silhouette: it is of few poses
_BORDER = 0.02  # of the image at rest, above and beside, shows background
_SEEN = 0.1  # share of the frames that must show a pixel of the background, or its median says nothing
_SKULL = np.array([0.0, 0.0, -0.9])  # its middle, model frame: hair turns about that, not about the eyes
_SPOT = 3  # px: what is smaller is noise


@dataclass(frozen=True)
class BackgroundScores:
    """Of a video of a target.

    Attributes:
        background: greatest difference of the background from its median over time, gray levels.
        unstill: number of frames in which it exceeds ``STILL``.
    """

    background: float
    unstill: int


class Silhouette:
    """A person's outline, hair and shoulders included, that moves with the head.

    Attributes:
        yaw_deg: of the head whose outline it is.

    Args:
        image: the person, ``[H, W, 3]`` uint8 RGB.
        conditioning: of that image, ``[H, W, 6]`` uint8.
        camera: of that conditioning.
    """

    def __init__(self, image: np.ndarray, conditioning: np.ndarray, camera: ScaledOrthographicCamera) -> None:
        face = conditioning[..., :3].any(-1)
        rows, columns = np.nonzero(face)
        chin, left, right = rows.max() + 1, columns.min(), columns.max() + 1
        hair, border = round(_HAIR * (right - left)), max(1, round(_BORDER * len(image)))
        labels = np.full(face.shape, cv2.GC_PR_FGD, np.uint8)
        labels[:border] = labels[:chin, : max(left - hair, border)] = cv2.GC_BGD
        labels[:chin, min(right + hair, len(image) - border) :] = cv2.GC_BGD
        labels[face] = labels[chin:, left:right] = cv2.GC_FGD
        cv2.setRNGSeed(0)
        cv2.grabCut(image, labels, None, np.zeros((1, 65)), np.zeros((1, 65)), 5, cv2.GC_INIT_WITH_MASK)
        outline = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
        side = 2 * round(_MARGIN * (right - left)) + 1
        self._outline = cv2.dilate(outline, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))
        self._camera, self._middle, self._chin = camera, camera.project(_SKULL)[:2], chin
        self.yaw_deg = float(camera.euler_deg[0])

    def at(self, camera: ScaledOrthographicCamera) -> np.ndarray:
        """Where the person may be when the head is seen by another camera, ``[H, W]`` bool: all below the chin too."""
        turn = np.radians(camera.euler_deg[2] - self._camera.euler_deg[2])
        factor = camera.scale / self._camera.scale
        linear = factor * np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        middle = camera.project(_SKULL)[:2]
        move = np.column_stack([linear, middle - linear @ self._middle])
        height, width = self._outline.shape
        moved = cv2.warpAffine(self._outline, move, (width, height), borderMode=cv2.BORDER_REPLICATE) > 0
        below = middle[1] + factor * (self._chin - self._middle[1])
        moved[max(0, min(round(below), self._chin)) :] = True  # shoulders stay where they are
        return moved


def score_background(images: np.ndarray, heads: np.ndarray) -> BackgroundScores:
    """Compare the background of images ``[T, H, W, 3]`` uint8 RGB with its median over the frames that show it.

    Args:
        images: a target's.
        heads: where the person may be, ``[T, H, W]`` bool.
    """
    worst = background_differences(images, heads).max((1, 2))
    return BackgroundScores(float(worst.max()), int((worst > STILL).sum()))


def background_differences(images: np.ndarray, heads: np.ndarray) -> np.ndarray:
    """Difference of the background from its median, ``[T, H, W]`` float32 gray levels; 0 where the person may be."""
    gray = (images @ _LUMA).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # where no frame shows the background
        median = np.nanmedian(np.where(heads, np.nan, gray), axis=0)
    known = ~heads & ((~heads).mean(0) >= _SEEN)
    differences = np.where(known, np.abs(gray - median), 0).astype(np.float32)
    return np.stack([cv2.blur(difference, (_SPOT, _SPOT)) for difference in differences])


def heads_of(silhouettes: Sequence[Silhouette], cameras: Sequence[ScaledOrthographicCamera]) -> np.ndarray:
    """Where the person may be in each frame, ``[T, H, W]`` bool, by the silhouette whose yaw is nearest."""

    def head(camera: ScaledOrthographicCamera) -> np.ndarray:
        yaw_deg = camera.euler_deg[0]
        return min(silhouettes, key=lambda one: abs(one.yaw_deg - yaw_deg)).at(camera)

    return np.stack([head(camera) for camera in cameras])
