"""The consent record of a target: on what ground a likeness is shown."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date


@dataclass(frozen=True, kw_only=True)
class Consent:
    """Who or what a target shows, and who permitted it.

    Attributes:
        subject: who or what is shown.
        footage: where the footage comes from.
        permission: under which permission it is used.
        permitted_by: who gave the permission.
        permitted_on: when, as in 2026-11-27.
        label_optional: the permission says that the label "AI-generated" may be left off.
    """

    subject: str
    footage: str
    permission: str
    permitted_by: str
    permitted_on: str
    label_optional: bool = False

    def problem(self) -> str | None:
        """What is wrong with the record, by the name of the field; ``None`` if nothing is."""
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "label_optional":
                if not isinstance(value, bool):
                    return "label_optional is neither true nor false"
            elif not isinstance(value, str) or not value.strip():
                return f"{field.name} is no text"
        try:
            date.fromisoformat(self.permitted_on)
        except ValueError:
            return "permitted_on is no date like 2026-11-27"
        return None
