"""A run's configuration as a file: the profile's numbers, to be read, compared, and changed for another run.

``RUN/config.json`` is written when a run begins. An edited copy starts another: ``offline.learn … --config FILE``.
A loss is left out by setting its weight to 0.
"""

from __future__ import annotations

import json
import typing
from dataclasses import asdict, fields, is_dataclass, replace
from pathlib import Path
from types import UnionType
from typing import Any

from face.errors import UserError
from face.files import write_whole
from offline.training.profiles import PROFILES, Profile


def as_config(profile: Profile) -> dict[str, Any]:
    """A profile's numbers as JSON has them."""
    described = asdict(profile)
    del described["generator"]  # the name tells it
    return json.loads(json.dumps(described))


def write_config(profile: Profile, path: Path) -> None:
    """Write a profile's numbers."""
    write_whole(path, (json.dumps(as_config(profile), indent=1) + "\n").encode())


def read_config(path: Path) -> Profile:
    """The profile that a file describes; what it leaves out is as in the profile that it names.

    Raises:
        UserError: the file cannot be read, names no profile, or says something that is no setting.
    """
    try:
        content = json.loads(path.read_text())
    except OSError as error:
        raise UserError(f"Cannot read the configuration {path}: {error.strerror}.") from None
    except ValueError as error:
        raise UserError(f"The configuration {path} is no JSON: {error}.") from None
    if not isinstance(content, dict) or content.get("name") not in PROFILES:
        raise UserError(f'The configuration {path} must have a "name", one of {", ".join(sorted(PROFILES))}.')
    base = PROFILES[content["name"]]
    try:
        return replace(base, **_settings(Profile, content, ""))
    except (TypeError, ValueError) as error:
        raise UserError(f"The configuration {path} does not fit: {error}.") from None


def _settings(kind: type, content: Any, where: str) -> dict[str, Any]:
    """Fields of a dataclass from what JSON has."""
    if not isinstance(content, dict):
        raise TypeError(f"{where or 'it'} must hold settings by name")
    hints = typing.get_type_hints(kind)
    names = {f.name for f in fields(kind)} - {"generator"}
    for name in content:
        if name not in names:
            raise ValueError(f"there is no setting {where}{name}")
    return {name: _value(hints[name], setting, f"{where}{name}") for name, setting in content.items()}


def _value(kind: Any, content: Any, where: str) -> Any:
    if is_dataclass(kind) and isinstance(kind, type):
        return kind(**_settings(kind, content, f"{where}."))
    arguments = typing.get_args(kind)
    if typing.get_origin(kind) is tuple:
        if not isinstance(content, list) or (arguments[-1] is not Ellipsis and len(content) != len(arguments)):
            raise TypeError(f"{where} must be a list as in RUN/config.json")
        kinds = [arguments[0]] * len(content) if arguments[-1] is Ellipsis else arguments
        return tuple(
            _value(inner_kind, item, f"{where}[{k}]")
            for k, (inner_kind, item) in enumerate(zip(kinds, content, strict=True))
        )
    allowed = arguments if isinstance(kind, UnionType) else (kind,)
    if float in allowed and isinstance(content, int) and not isinstance(content, bool):
        return float(content)
    if str in getattr(kind, "__mro__", ()) and isinstance(content, str):
        return kind(content)
    if isinstance(content, bool) or not isinstance(content, allowed):
        raise TypeError(f"{where} cannot be {content!r}")
    return content


def differences(a: dict[str, Any], b: dict[str, Any]) -> list[str]:
    """Names of the settings in which two configurations differ."""
    return sorted(name for name in a.keys() | b.keys() if a.get(name) != b.get(name))
