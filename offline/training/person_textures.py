"""The textures of many people who share one network: initialized for each, and never trained."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from tqdm import tqdm

from offline.dataset.dataset import Dataset
from offline.training.profiles import Generator
from offline.training.texture_init import TEXTURES, TexturedGenerator, initialize_textures


class PersonTextures:
    """Textures by person; nothing for a single person, whose textures are trained, or a network without any.

    Args:
        people: datasets, one per person.
        networks: the networks that they share; their textures are kept from training.
        quiet: show no progress.
    """

    def __init__(self, people: Sequence[Dataset], networks: Sequence[Generator], quiet: bool) -> None:
        self._textures: list[dict[str, Tensor]] = []
        first = networks[0]
        if len(people) == 1 or not isinstance(first, TexturedGenerator):
            return
        for dataset in tqdm(people, desc="initializing textures", unit="person", disable=quiet):
            initialize_textures(first, dataset)
            self._textures.append({name: getattr(first, name).detach().clone() for name in TEXTURES})
        for network in networks:
            for name in TEXTURES:
                getattr(network, name).requires_grad_(False)

    @torch.no_grad()
    def load(self, network: Generator, person: int) -> None:
        """Put a person's textures into a network."""
        if self._textures:
            for name, value in self._textures[person].items():
                getattr(network, name).copy_(value)
