"""Options of a command as a dataclass."""

from __future__ import annotations

import argparse
from dataclasses import fields
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Options = TypeVar("Options", bound="DataclassInstance")


def options_of(kind: type[Options], parsed: argparse.Namespace) -> Options:
    """A dataclass whose fields have the names of a parser's options, filled with what was parsed."""
    return kind(**{field.name: getattr(parsed, field.name) for field in fields(kind)})
