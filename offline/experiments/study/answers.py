"""Answers of the study, in SQLite: who answered is a random token, and nothing else is known of them."""

from __future__ import annotations

import contextlib
import secrets
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

_SCHEMA = """
create table if not exists raters (token text primary key, seed integer not null);
create table if not exists answers (
  rater text not null references raters(token),
  item text not null,
  answer integer not null,
  given_at text not null default current_timestamp,
  primary key (rater, item)
);
"""


class AnsweredAlreadyError(Exception):
    """The rater has answered this before."""


class Answers:
    """The answers.

    Args:
        path: the SQLite file, made if it is not there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._connected() as connection:
            connection.executescript(_SCHEMA)

    @contextlib.contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """A connection whose changes are kept if the block ends, and dropped if it raises."""
        with contextlib.closing(sqlite3.connect(self._path)) as connection, connection:
            connection.execute("pragma foreign_keys = on")
            yield connection

    def new_rater(self) -> str:
        """The token of a new rater."""
        token = secrets.token_urlsafe(16)
        with self._connected() as connection:
            connection.execute("insert into raters values (?, ?)", (token, secrets.randbits(32)))
        return token

    def seed(self, rater: str) -> int | None:
        """What decides a rater's order of items; ``None`` for an unknown rater."""
        with self._connected() as connection:
            row = connection.execute("select seed from raters where token = ?", (rater,)).fetchone()
        return None if row is None else int(row[0])

    def answered(self, rater: str) -> set[str]:
        """Items that a rater has answered."""
        with self._connected() as connection:
            return {item for (item,) in connection.execute("select item from answers where rater = ?", (rater,))}

    def add(self, rater: str, item: str, answer: int) -> None:
        """Keep an answer.

        Raises:
            AnsweredAlreadyError: there is one.
        """
        try:
            with self._connected() as connection:
                connection.execute("insert into answers (rater, item, answer) values (?, ?, ?)", (rater, item, answer))
        except sqlite3.IntegrityError:
            raise AnsweredAlreadyError from None

    def counts(self, item: str) -> Counter[int]:
        """How often each answer was given to an item."""
        with self._connected() as connection:
            rows = connection.execute("select answer, count(*) from answers where item = ? group by answer", (item,))
            return Counter({int(answer): int(count) for answer, count in rows})
