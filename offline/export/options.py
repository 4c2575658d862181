"""What a target file says beside its network, as options."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from face.errors import UserError


@dataclass(frozen=True)
class TargetLabels:
    """What users read of a target; see ``face.target.TargetInfo``."""

    name: str
    title: str
    provenance: str


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options by the names of ``TargetLabels``."""
    parser.add_argument("--name", help="short name, as in --target NAME")
    parser.add_argument("--title", help="name for people to read (default: the name)")
    parser.add_argument("--provenance", help="who this is and on what ground the likeness is used; the page shows it")


def target_labels(name: str | None, title: str | None, provenance: str | None) -> TargetLabels:
    """The labels that the options give.

    Raises:
        UserError: an option is missing.
    """
    if name is None or provenance is None:
        missing = [option for option, value in (("--name", name), ("--provenance", provenance)) if value is None]
        raise UserError(f"To export a run, give {' and '.join(missing)} as well.")
    return TargetLabels(name, title or name, provenance)
