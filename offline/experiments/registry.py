"""The rows: experiments by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from offline.experiments import (
    conditioning,
    cycle,
    flow,
    landmarks,
    mouth,
    pix2pix,
    self_reenactment,
)
from offline.experiments.detector import row as detector
from offline.experiments.setup import Setup
from offline.experiments.study import row as study
from offline.experiments.tables import Table


@dataclass(frozen=True)
class Row:
    """An experiment.

    Attributes:
        paper: where the paper has it.
        run: computes its tables, and writes its figures; what is there is not computed twice.
    """

    paper: str
    run: Callable[[Setup], list[Table]]


ROWS = {
    "self": Row("Fig. 2", self_reenactment.run),
    "cycle": Row("Fig. 3", cycle.run),
    "pix2pix": Row("Fig. 4", pix2pix.run),
    "landmarks": Row("Fig. 5", landmarks.run),
    "flow": Row("Table I a", flow.run),
    "mouth": Row("Table I b", mouth.run),
    "conditioning": Row("ours", conditioning.run),
    "detector": Row("automated study", detector.run),
    study.NAME: Row("Tables II, III", study.run),
}
