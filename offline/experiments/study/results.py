"""Tables II and III, and which network follows its source better, from the answers."""

from __future__ import annotations

from collections import Counter

from offline.experiments.intervals import share_interval
from offline.experiments.study.answers import Answers
from offline.experiments.study.catalogue import Catalogue, Kind
from offline.experiments.study.plan import OURS
from offline.experiments.tables import Table

_SCORES = range(1, 6)
_REAL_FROM = 4  # "On a scale of 1-5, how real does this video look?"
_ALL = "all"


def study_tables(catalogue: Catalogue, answers: Answers) -> list[Table]:
    """The three tables; intervals are Wilson's of 95 %, as if every answer were somebody else's."""
    columns = ("person", "clips", *(str(score) for score in _SCORES), "answers", "real (4 or 5)")
    caption = "How real clips look, 1 to 5, counts of answers; real is 4 or 5, with 95 % intervals."
    ii = Table("study-ii", f"Self-reenactment (Table II). {caption}", columns)
    iii = Table("study-iii", f"Driven by another person (Table III). {caption}", columns)
    for table, kind in ((ii, Kind.SELF), (iii, Kind.DRIVEN)):
        people = sorted({clip.person for clip in catalogue.clips if clip.kind is kind})
        for person in [*people, _ALL]:
            for clip_kind in (Kind.REAL, kind):
                _add(table, catalogue, answers, person, clip_kind)
    return [ii, iii, _preferences(catalogue, answers)]


def _add(table: Table, catalogue: Catalogue, answers: Answers, person: str, kind: Kind) -> None:
    counts: Counter[int] = Counter()
    for clip in catalogue.clips:
        if clip.kind is kind and person in (clip.person, _ALL):
            counts += answers.counts(clip.id)
    total = counts.total()
    real = sum(counts[score] for score in _SCORES if score >= _REAL_FROM)
    name = "real" if kind is Kind.REAL else "synthesized"
    table.add(person, name, *(counts[score] for score in _SCORES), total, share_interval(real, total))


def _preferences(catalogue: Catalogue, answers: Answers) -> Table:
    caption = "Which of two videos follows the movements of the person in the source better? 95 % interval."
    table = Table(
        "study-pairs", caption, ("comparisons", "answers", "with history", "frame by frame", "with history, share")
    )
    counts = sum((answers.counts(comparison.id) for comparison in catalogue.comparisons), Counter[int]())
    total, ours = counts.total(), counts[OURS]
    table.add(len(catalogue.comparisons), total, ours, total - ours, share_interval(ours, total))
    return table
