"""What a target file says beside its network, as options."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from datetime import date

from face.consent import Consent
from face.errors import UserError
from face.target import TargetInfo


@dataclass(frozen=True)
class TargetLabels:
    """What users read of a target; see ``face.target.TargetInfo``."""

    name: str
    title: str
    provenance: str
    consent: Consent | None = None


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options by the names of ``TargetLabels``."""
    target = parser.add_argument_group("target", "none is made without a name and a provenance")
    target.add_argument("--name", help="short name, as in --target NAME")
    target.add_argument("--title", metavar="TEXT", help="name for people to read (default: the name)")
    target.add_argument("--provenance", metavar="TEXT", help="who or what is shown; the page shows it")
    consent = parser.add_argument_group("consent record", "on what ground the likeness is used; "
                                         "no target is made without")  # fmt: skip
    consent.add_argument("--footage", metavar="TEXT", help="where the footage comes from")
    consent.add_argument("--permission", metavar="TEXT", help="under which permission it is used")
    consent.add_argument("--permitted-by", metavar="NAME", help="who gave the permission")
    consent.add_argument("--permitted-on", metavar="DATE", default=date.today().isoformat(),
                         help="when, as in 2026-11-27 (default: today)")  # fmt: skip
    consent.add_argument("--label-optional", action="store_true",
                         help='the permission says that the label "AI-generated" may be left off')  # fmt: skip


def target_labels(parsed: argparse.Namespace, teacher: TargetInfo | None = None) -> TargetLabels:
    """The labels that the options give.

    Args:
        parsed: what ``add_options`` took from the command line.
        teacher: a target of the same person; its title, provenance and consent stand for those that are left out.

    Raises:
        UserError: an option is missing, or is not what it should be.
    """
    provenance: str = parsed.provenance or (teacher.provenance if teacher is not None else "")
    record = {"--footage": parsed.footage, "--permission": parsed.permission, "--permitted-by": parsed.permitted_by}
    inherited = teacher.consent if teacher is not None and not any(record.values()) else None
    needed = {"--name": parsed.name, "--provenance": provenance} | ({} if inherited else record)
    missing = [option for option, value in needed.items() if not value]
    if missing:
        raise UserError(f"A target needs a name and a record of consent: give {' and '.join(missing)} as well.")
    consent = inherited or Consent(
        subject=provenance, footage=parsed.footage, permission=parsed.permission, permitted_by=parsed.permitted_by,
        permitted_on=parsed.permitted_on, label_optional=parsed.label_optional,
    )  # fmt: skip
    if (wrong := consent.problem()) is not None:
        raise UserError(f"The record of consent cannot be used ({wrong}): change that option.")
    title = parsed.title or (teacher.title if teacher is not None else parsed.name)
    return TargetLabels(parsed.name, title, provenance, consent)
