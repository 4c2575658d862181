"""What a rater is asked, in which order: all clips, shuffled, then all comparisons."""

from __future__ import annotations

import random
from dataclasses import dataclass

from offline.experiments.study.catalogue import Catalogue, Comparison

OURS, BASELINE = 1, 0  # what the answers to a comparison are stored as


@dataclass(frozen=True)
class Question:
    """One question.

    Attributes:
        item: id of a clip or a comparison.
        source: clip of the person who drives; ``None`` where one clip is rated.
        clips: to rate, or to choose from, as they stand on the page.
        choices: what each possible answer is stored as, by the answer.
    """

    item: str
    source: str | None
    clips: tuple[str, ...]
    choices: dict[int, int]


def questions(catalogue: Catalogue, seed: int) -> list[Question]:
    """A rater's questions; their order, and which clip stands left, depend on the seed alone."""
    chance = random.Random(seed)
    ratings = [Question(clip.id, None, (clip.id,), {score: score for score in range(1, 6)}) for clip in catalogue.clips]
    comparisons = [_comparison(comparison, chance.random() < 0.5) for comparison in catalogue.comparisons]
    chance.shuffle(ratings)
    chance.shuffle(comparisons)
    return [*ratings, *comparisons]


def _comparison(comparison: Comparison, ours_first: bool) -> Question:
    """The question which of two clips follows the source better; answers are 1, the left one, and 2."""
    if ours_first:
        return Question(
            comparison.id, comparison.source, (comparison.ours, comparison.baseline), {1: OURS, 2: BASELINE}
        )
    return Question(comparison.id, comparison.source, (comparison.baseline, comparison.ours), {1: BASELINE, 2: OURS})
