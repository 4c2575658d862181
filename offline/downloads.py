"""Weights that others trained, from the network: checked, and read without running what is in them."""

from __future__ import annotations

import pickle
from pathlib import Path

import torch
from torch import Tensor

from face.errors import UserError
from face.files import sha256


def fetch_weights(url: str) -> dict[str, Tensor]:
    """The state dict at an address ``…/NAME-HASH.pth``, kept in torch's cache; HASH begins the file's SHA-256.

    Torch checks the hash of what it has just fetched, not of what it finds in its cache; here it is checked always.
    Nothing but tensors is unpickled: a pickle of anything else can run code.

    Raises:
        OSError: it cannot be fetched.
        UserError: it is not what its name says.
    """
    name = url.rsplit("/", 1)[1]
    path = Path(torch.hub.get_dir()) / "checkpoints" / name
    foreign = UserError(
        f"What {url} gives is not what its name says: check the network, and remove {path} if it is there."
    )
    try:
        if path.exists() and not sha256(path).startswith(Path(name).stem.rsplit("-", 1)[1]):
            raise foreign
        return torch.hub.load_state_dict_from_url(url, map_location="cpu", weights_only=True, check_hash=True)
    except (RuntimeError, pickle.UnpicklingError):  # another hash; anything but tensors
        raise foreign from None
