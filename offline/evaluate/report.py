"""What an evaluation looks like: sheets, heat maps, tables, and files of scores."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

from face.drawing import draw_conditioning
from face.files import write_whole
from offline.dataset.pixel_error import distances

_COLUMNS = 6
_BRIGHTEST = 40.0  # distance shown as the brightest color of the heat map


def contact_sheet(images: np.ndarray, truth: np.ndarray, conditionings: np.ndarray) -> np.ndarray:
    """Rows of conditionings, outputs and truth at moments spread over the video, ``[h, w, 3]`` uint8 RGB."""
    chosen = np.linspace(0, len(images) - 1, _COLUMNS + 2).astype(int)[1:-1]
    columns = [np.vstack([draw_conditioning(conditionings[k]), images[k], truth[k]]) for k in chosen]
    return np.hstack(columns)


def heat_map(images: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Mean distance of each pixel as a color, ``[H, W, 3]`` uint8 RGB."""
    return heat_colors(distances(images, truth).mean(0), _BRIGHTEST)


def heat_colors(distance: np.ndarray, brightest: float) -> np.ndarray:
    """Distances ``[H, W]`` as colors, ``[H, W, 3]`` uint8 RGB, dark at 0; from ``brightest`` on the brightest."""
    share = (np.clip(distance / brightest, 0, 1) * 255).astype(np.uint8)
    return cv2.cvtColor(cv2.applyColorMap(share, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)


def write_json(path: Path, content: object) -> None:
    """Write content as JSON, whole or not at all."""
    write_text(path, json.dumps(content, indent=1))


def write_text(path: Path, text: str) -> None:
    """Write lines of text, whole or not at all."""
    write_whole(path, f"{text}\n".encode())
