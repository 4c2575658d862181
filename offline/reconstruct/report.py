"""What a reconstruction looks like: moments as images, and curves over time."""

from __future__ import annotations

from pathlib import Path

import cv2
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from scipy.spatial.transform import Rotation

from face.files import atomic
from face.landmarks import UNIT_NAMES
from offline.image_file import write_image

_COLUMNS = 8
_SHOWN_UNITS = ("jawOpen", "mouthSmileLeft", "mouthPucker", "eyeBlinkLeft", "browInnerUp")


def moments(frames: np.ndarray, conditionings: np.ndarray) -> np.ndarray:
    """Rows of frame, frame under NMFC, NMFC, gaze at moments spread over the footage, ``[h, w, 3]`` uint8 RGB."""
    columns = []
    for k in np.linspace(0, len(frames) - 1, _COLUMNS).astype(int):
        nmfc, gaze = conditionings[k, ..., :3], conditionings[k, ..., 3:]
        overlay = np.where(nmfc.any(-1, keepdims=True), cv2.addWeighted(frames[k], 0.5, nmfc, 0.5, 0), frames[k])
        columns.append(np.vstack([frames[k], overlay, nmfc, gaze]))
    return np.hstack(columns)


def write_report(
    folder: Path,
    frames: np.ndarray,  # [F, H, W, 3] uint8
    conditionings: np.ndarray,  # [F, H, W, 6] uint8
    parameters: dict[str, np.ndarray],  # as in parameters.npz
    errors: np.ndarray,  # [F] reprojection error over the inter-ocular distance
) -> None:
    """Write ``moments.png`` and ``curves.png``: reprojection error, pose and expression over the frames."""
    sheet = moments(frames, conditionings)
    write_image(folder / "moments.png", sheet)
    figure, (top, middle, bottom) = plt.subplots(3, 1, figsize=(14, 8), sharex=True, layout="constrained")
    top.plot(100 * errors, linewidth=0.8)
    top.set_ylabel("reprojection error, % of\nthe inter-ocular distance")
    euler = Rotation.from_matrix(parameters["rotation"]).as_euler("YXZ", degrees=True)
    for name, angle in zip(("yaw", "pitch", "roll"), euler.T, strict=True):
        middle.plot(angle, linewidth=0.8, label=name)
    middle.set_ylabel("degrees")
    for name in _SHOWN_UNITS:
        bottom.plot(parameters["expression"][:, UNIT_NAMES.index(name)], linewidth=0.8, label=name)
    bottom.set_ylabel("strength")
    bottom.set_xlabel("frame")
    for axes in (top, middle, bottom):
        for first in np.flatnonzero(np.diff(parameters["take"])) + 1:
            axes.axvline(first, color="0.85", linewidth=0.6)
    middle.legend(loc="upper right")
    bottom.legend(loc="upper right")
    with atomic(folder / "curves.png") as partial:
        figure.savefig(partial, dpi=110)
    plt.close(figure)
