"""Tables of results: Markdown to read, CSV to compute with."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from face.files import write_whole
from offline.experiments.intervals import Interval

Value = str | int | float | Interval | None


@dataclass
class Table:
    """A table.

    Attributes:
        name: of its files.
        caption: what it is of, and how it was made.
        columns: their heads.
        rows: values, one for each column; ``None`` where there is nothing to say.
    """

    name: str
    caption: str
    columns: tuple[str, ...]
    rows: list[tuple[Value, ...]] = field(default_factory=list)

    def add(self, *values: Value) -> None:
        """A row more."""
        assert len(values) == len(self.columns), values
        self.rows.append(values)

    def markdown(self) -> str:
        """The caption, then the table."""
        lines = [
            f"{self.caption}\n",
            "| " + " | ".join(self.columns) + " |",
            "|" + "---|" * len(self.columns),
            *("| " + " | ".join(_readable(value) for value in row) + " |" for row in self.rows),
        ]
        return "\n".join(lines) + "\n"

    def csv(self) -> str:
        """The table with an interval's ends in columns of their own."""
        wide = [k for k in range(len(self.columns)) if any(isinstance(row[k], Interval) for row in self.rows)]
        heads: list[str] = []
        for k, column in enumerate(self.columns):
            heads += [column, f"{column} low", f"{column} high"] if k in wide else [column]
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(heads)
        for row in self.rows:
            writer.writerow([cell for k, value in enumerate(row) for cell in _cells(value, k in wide)])
        return text.getvalue()

    def write(self, folder: Path) -> None:
        """Write ``NAME.md`` and ``NAME.csv``."""
        write_whole(folder / f"{self.name}.md", self.markdown().encode())
        write_whole(folder / f"{self.name}.csv", self.csv().encode())


def _readable(value: Value) -> str:
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return "—"
    if isinstance(value, Interval) and np.isnan(value.value):
        return "—"
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def _cells(value: Value, wide: bool) -> list[str]:
    if isinstance(value, Interval):
        return [str(number) for number in (value.value, value.low, value.high)]
    return ["" if value is None else str(value), *(["", ""] if wide else [])]
