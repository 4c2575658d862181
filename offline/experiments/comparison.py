"""Variants of a network on the same footage, sequences and seeds: the table that most experiments end in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from offline.experiments.figures import bar_chart, side_by_side
from offline.experiments.intervals import difference, mean_interval
from offline.experiments.scores import scores_of
from offline.experiments.setup import Setup
from offline.experiments.subjects import Subject
from offline.experiments.tables import Table
from offline.experiments.training import Variant, held_out_outputs, minutes_of, train

_ALL = "all"
Frames = Callable[[Subject], np.ndarray]  # to the held-out frames that count, [T] bool


@dataclass(frozen=True)
class Measure:
    """What is compared.

    Attributes:
        name: for tables.
        score: of ``score_frames``.
        frames: which count; ``None`` for all.
    """

    name: str
    score: str
    frames: Frames | None = None


def compare(setup: Setup, row: str, variants: Sequence[Variant], measures: Sequence[Measure]) -> Table:
    """Every measure of every variant beside the first one's, for each person and for all.

    Also writes a chart and, for each person, frames side by side.
    """
    caption = f"{row}: self-reenactment, held-out frames, 95 % intervals. {setup.caption()}"
    columns = ("person", "measure", "frames", "variant", "mean", f"less {variants[0].name}", "verdict", "minutes")
    table = Table(row, caption, columns)
    values: dict[tuple[str, str, str], np.ndarray] = {}
    for subject in setup.subjects:
        _score(setup, subject, variants, measures, values)
    people = [subject.name for subject in setup.subjects]
    for person in people:
        _add(table, setup, person, [person], variants, measures, values)
    if len(people) > 1:
        _add(table, setup, _ALL, people, variants, measures, values)
    folder = setup.folder(row)
    bar_chart(table, folder / f"{row}.png")
    for subject in setup.subjects:
        images = {variant.name: held_out_outputs(setup, subject, variant, 0) for variant in variants}
        side_by_side(subject, images, folder / f"{row}-{subject.name}.png")
    return table


def _score(
    setup: Setup, subject: Subject, variants: Sequence[Variant], measures: Sequence[Measure],
    values: dict[tuple[str, str, str], np.ndarray],
) -> None:  # fmt: skip
    """Fill in values ``[S, T]`` of a person by person, variant and measure; NaN where a frame does not count."""
    masks = {measure.name: measure.frames(subject) if measure.frames else None for measure in measures}
    for variant in variants:
        outputs = [held_out_outputs(setup, subject, variant, seed) for seed in range(setup.seeds)]
        scores = [scores_of(subject, images) for images in outputs]
        for measure in measures:
            of_seeds = np.stack([score[measure.score] for score in scores])
            mask = masks[measure.name]
            values[subject.name, variant.name, measure.name] = (
                of_seeds if mask is None else np.where(mask, of_seeds, np.nan)
            )


def _add(
    table: Table, setup: Setup, person: str, of: list[str], variants: Sequence[Variant], measures: Sequence[Measure],
    values: dict[tuple[str, str, str], np.ndarray],
) -> None:  # fmt: skip
    """Rows of a person, or of several together."""
    for measure in measures:
        together = {v.name: np.hstack([values[name, v.name, measure.name] for name in of]) for v in variants}
        base = together[variants[0].name]
        frames = int(np.isfinite(base[0]).sum())
        for variant in variants:
            scored = together[variant.name]
            if not frames:
                table.add(person, measure.name, 0, variant.name, None, None, "no such frames", None)
                continue
            mean = mean_interval(np.mean(scored, axis=0))
            took = _minutes(setup, of, variant)
            if variant is variants[0]:
                table.add(person, measure.name, frames, variant.name, mean, None, None, took)
            else:
                gap = difference(scored, base)
                table.add(person, measure.name, frames, variant.name, mean, gap.mean, gap.verdict, took)


def _minutes(setup: Setup, names: list[str], variant: Variant) -> float:
    """Minutes that a network of a variant took to train, the mean."""
    subjects = [subject for subject in setup.subjects if subject.name in names]
    runs = [train(setup, subject, variant, seed) for subject in subjects for seed in range(setup.seeds)]
    return float(np.mean([minutes_of(run) for run in runs]))
