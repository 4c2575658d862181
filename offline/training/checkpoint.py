"""A run's ``checkpoint.pt``: all that it needs to go on exactly, and what it was begun with."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import torch

from face.errors import UserError
from face.files import write_whole
from offline.training.config import as_config, differences
from offline.training.profiles import Profile

NAME = "checkpoint.pt"


class Stateful(Protocol):
    """A network, an optimizer or a gradient scaler."""

    def state_dict(self) -> dict[str, Any]:
        """Its state."""
        ...

    def load_state_dict(self, state: dict[str, Any], /) -> object:
        """Take over a state."""
        ...


def write_checkpoint(
    run: Path, parts: Mapping[str, Stateful], profile: Profile, fingerprint: str, step: int, people: int
) -> None:
    """Write the checkpoint of a run's folder, whole or not at all."""
    state: dict[str, Any] = {name: part.state_dict() for name, part in parts.items()}
    state |= {
        "step": step, "torch_rng": torch.get_rng_state(), "people": people,
        "profile": profile.name, "config": as_config(profile), "dataset": fingerprint,
    }  # fmt: skip
    content = io.BytesIO()  # given a file, torch hides a full disk behind another error
    torch.save(state, content)
    write_whole(run / NAME, content.getbuffer())


def read_checkpoint(
    run: Path, parts: Mapping[str, Stateful], profile: Profile, fingerprint: str, device: torch.device
) -> int:
    """Put the parts where a run's checkpoint left them; the step that comes next.

    Raises:
        UserError: the run trains another profile, configuration or dataset.
    """
    state = torch.load(run / NAME, map_location=device, weights_only=True)
    if state["profile"] != profile.name:
        raise UserError(
            f"{run} trains the {state['profile']} profile: go on with --profile {state['profile']},"
            " or give another folder."
        )
    changed = differences(state["config"], as_config(profile))
    if changed:
        raise UserError(
            f"{run} was begun with another {' and '.join(changed)}: go on with --config"
            f" {run / 'config.json'}, or give another folder, with --init {run}."
        )
    if state["dataset"] != fingerprint:
        raise UserError(f"{run} learned from another dataset: give another folder, with --init {run}.")
    for name, part in parts.items():
        if state[name]:  # the gradient scalers of a run in another precision have no state
            part.load_state_dict(state[name])
    torch.set_rng_state(state["torch_rng"].cpu())
    return int(state["step"])
