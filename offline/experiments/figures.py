"""Figures: charts of tables, and frames side by side with the number in the corner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from face.files import atomic
from offline.dataset.pixel_error import distances
from offline.evaluate.report import heat_colors
from offline.experiments.intervals import Interval
from offline.experiments.subjects import Subject
from offline.experiments.tables import Table
from offline.image_file import write_image

_COLUMNS = 6
_BRIGHTEST = 60.0  # distance shown as the heat map's brightest color
_MARGIN = 18  # px of a row's title


def heat_map(image: np.ndarray, truth: np.ndarray) -> np.ndarray:  # both [H, W, 3] uint8
    """Each pixel's distance as a color, the mean in the corner, ``[H, W, 3]`` uint8 RGB."""
    distance = distances(image, truth)
    heat = heat_colors(distance, _BRIGHTEST)
    size = len(image) / 256
    place = (round(6 * size), round(250 * size))
    cv2.putText(heat, f"{distance.mean():.1f}", place, cv2.FONT_HERSHEY_SIMPLEX, size, (255, 255, 255), 1, cv2.LINE_AA)
    return heat


def write_sheet(rows: Mapping[str, Sequence[np.ndarray]], path: Path) -> None:
    """Rows of images ``[H, W, 3]`` uint8 RGB with their titles, as a PNG file.

    Raises:
        UserError: the file cannot be written.
    """
    drawn = []
    for title, images in rows.items():
        row = np.hstack(list(images))
        strip = np.full((_MARGIN, row.shape[1], 3), 255, np.uint8)
        cv2.putText(strip, title, (4, _MARGIN - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1, cv2.LINE_AA)
        drawn += [strip, row]
    write_image(path, np.vstack(drawn))


def moments(count: int) -> np.ndarray:
    """Numbers of frames spread over ``count`` of them."""
    return np.linspace(0, count - 1, min(count, _COLUMNS + 2)).astype(int)[1:-1]


def side_by_side(subject: Subject, images: Mapping[str, np.ndarray], path: Path) -> None:
    """The truth, and for each variant its outputs and their heat maps, at some held-out frames."""
    chosen = moments(len(subject.held_out))
    truths = [np.asarray(subject.dataset.frames[subject.held_out[k]]) for k in chosen]
    rows: dict[str, Sequence[np.ndarray]] = {"truth": truths}
    for name, outputs in images.items():
        rows[name] = [np.asarray(outputs[k]) for k in chosen]
        rows[f"{name}: distance"] = [heat_map(outputs[k], truth) for k, truth in zip(chosen, truths, strict=True)]
    write_sheet(rows, path)


def bar_chart(table: Table, path: Path) -> None:
    """The means of a table of ``offline/experiments/comparison.py`` with their intervals, a panel for each measure."""
    entries = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    measures = list(dict.fromkeys(str(entry["measure"]) for entry in entries))
    figure, axes = plt.subplots(1, len(measures), figsize=(3.6 * len(measures), 3.2), squeeze=False)
    for axis, measure in zip(axes[0], measures, strict=True):
        of_measure = [entry for entry in entries if entry["measure"] == measure and entry["mean"] is not None]
        for number, entry in enumerate(of_measure):
            mean = entry["mean"]
            assert isinstance(mean, Interval)
            below_above = np.array([[mean.value - mean.low], [mean.high - mean.value]])
            reach = below_above if np.isfinite(below_above).all() else None
            axis.errorbar(number, mean.value, yerr=reach, fmt="o", capsize=3)
        labels = [f"{entry['person']}: {entry['variant']}" for entry in of_measure]
        axis.set_xticks(range(len(labels)), labels, rotation=60, ha="right", fontsize=7)
        axis.set_title(measure, fontsize=9)
    save(figure, path)


def save(figure: plt.Figure, path: Path) -> None:
    """Write a figure as PNG."""
    figure.tight_layout()
    with atomic(path) as partial:
        figure.savefig(partial, dpi=110)
    plt.close(figure)
