"""How far images are from the truth: distances of RGB in 0…255, each pixel's Euclidean, as the paper has them (APD)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from skimage.metrics import structural_similarity

from offline.dataset.mouth_and_eye_windows import part_window
from offline.flow.optical_flow import estimated_flow, warp_image


@dataclass(frozen=True)
class ImageScores:
    """Images against the truth.

    Attributes:
        apd, masked_apd, mouth_apd: mean distance over the image, inside the NMFC, in the box about the mouth.
        ssim: structural similarity (Wang et al. 2004), 1 for the same image.
        sharpness, mouth_sharpness: mean absolute Laplacian over contrast, inside the NMFC and in the box about the
            mouth, over the truth's.
        motion: mean change from frame to frame, over the truth's.
        warping: mean distance of an image from the one before, moved along the truth's optical flow.
        warping_of_truth: the same of the truth itself: what the flow leaves unexplained.
    """

    apd: float
    masked_apd: float
    mouth_apd: float
    ssim: float
    sharpness: float
    mouth_sharpness: float
    motion: float
    warping: float
    warping_of_truth: float


def distances(images: np.ndarray, truth: np.ndarray) -> np.ndarray:  # both [..., 3] uint8
    """Each pixel's distance, ``[...]`` float32."""
    return np.linalg.norm(images.astype(np.float32) - truth, axis=-1)


def score_images(
    images: np.ndarray,  # [T, H, W, 3] uint8
    truth: np.ndarray,  # [T, H, W, 3] uint8
    conditionings: np.ndarray,  # [T, H, W, 6] uint8
    mouths: np.ndarray,  # [T, 2] px
) -> ImageScores:
    """Compare a video with the truth, frame by frame."""
    distance = distances(images, truth)
    windows = [part_window(mouth, truth.shape[1]) for mouth in mouths]
    boxes = [d[window] for d, window in zip(distance, windows, strict=True)]
    faces = np.asarray(conditionings[..., :3].any(-1))
    mouth_areas = np.zeros_like(faces)
    for area, window in zip(mouth_areas, windows, strict=True):
        area[window] = True
    change = [np.abs(np.diff(v.astype(np.float32), axis=0)).mean() for v in (images, truth)]
    similar = [structural_similarity(a, b, channel_axis=-1) for a, b in zip(images, truth, strict=True)]
    flows = [estimated_flow(now, earlier) for earlier, now in itertools.pairwise(truth)]
    return ImageScores(
        apd=float(distance.mean()),
        masked_apd=float(distance[faces].mean()),
        mouth_apd=float(np.mean(boxes)),
        ssim=float(np.mean(similar)),
        sharpness=sharpness(images, faces) / max(sharpness(truth, faces), 1e-6),
        mouth_sharpness=sharpness(images, mouth_areas) / max(sharpness(truth, mouth_areas), 1e-6),
        motion=float(change[0] / change[1]),
        warping=warping_error(images, flows),
        warping_of_truth=warping_error(truth, flows),
    )


def sharpness(images: np.ndarray, areas: np.ndarray) -> float:
    """Mean absolute Laplacian over contrast of images ``[T, H, W, 3]`` uint8 inside areas ``[T, H, W]`` bool."""
    values = []
    for image, area in zip(images, areas, strict=True):
        gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
        values.append(np.abs(cv2.Laplacian(gray, cv2.CV_32F))[area].mean() / max(float(gray[area].std()), 1e-6))
    return float(np.mean(values))


def warping_error(images: np.ndarray, flows: Sequence[np.ndarray]) -> float:
    """Mean distance of each image of ``[T, H, W, 3]`` uint8 from the one before, brought there by a flow.

    Each flow ``[H, W, 2]`` goes from an image to the one before it; the first image has none.
    """
    errors = [
        distances(now, warp_image(earlier, flow)).mean()
        for (earlier, now), flow in zip(itertools.pairwise(images), flows, strict=True)
    ]
    return float(np.mean(errors))
