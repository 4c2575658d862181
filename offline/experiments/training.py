"""Networks of experiments: trained once, kept by what they were trained on, and rolled out."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from face.files import atomic
from offline.dataset.dataset import Dataset
from offline.dataset.store import stack_parameters, write_dataset
from offline.evaluate.report import write_json
from offline.experiments.scales import shortened
from offline.experiments.setup import Setup, at_takes, digest
from offline.experiments.subjects import Subject
from offline.flow.stored_flows import store_flows
from offline.learn import begun_with
from offline.networks.exported_step import torch_network
from offline.rollout import Network, roll_out
from offline.training import checkpoint
from offline.training.config import as_config
from offline.training.loader import needed_strides
from offline.training.loop import learn
from offline.training.perceptual_loss import PyramidDistance, load_perceptual
from offline.training.profiles import Profile
from offline.training.trainer import Trainer

_TRAINED = "trained.json"  # written last: it says that a run is whole
# From a person's dataset to what stands for its conditionings, ``[H, W, 6]`` uint8 each, frame by frame.
Conditionings = Callable[[Setup, Dataset], Iterator[np.ndarray]]
FULL = "full"


@dataclass(frozen=True)
class Variant:
    """One of the networks that an experiment compares.

    Attributes:
        name: for tables.
        profile: how it is trained.
        network: tells apart generators and conditionings, which the profile's numbers do not show.
        conditionings: what it goes by; ``None`` for the dataset's own.
    """

    name: str
    profile: Profile
    network: str = FULL
    conditionings: Conditionings | None = None


@dataclass(frozen=True)
class Origin:
    """Where conditionings come from.

    Attributes:
        name: for files.
        made_of: all that decides them, beside the network that goes by them.
    """

    name: str
    made_of: str


def train(setup: Setup, subject: Subject, variant: Variant, seed: int) -> Path:
    """The folder of a trained run; goes on where it was interrupted.

    Raises:
        UserError: see ``Trainer`` and ``learn``.
    """
    profile = shortened(variant.profile, setup.sequences) if setup.sequences else variant.profile
    dataset = _conditioned(setup, subject, variant)
    recipe: dict[str, object] = {
        "dataset": dataset.fingerprint, "scale": setup.scale.name, "profile": as_config(profile),
        "network": variant.network, "seed": seed,
    }  # fmt: skip
    run = setup.out / "runs" / f"{subject.name}-{variant.network}-{seed}-{digest(recipe)}"
    if (run / _TRAINED).exists():
        return run
    if setup.ranks.device.type == "cuda":  # which would wait for them
        store_flows(dataset, profile.flow, needed_strides(profile))
    perceptual = PyramidDistance() if setup.smoke else load_perceptual(setup.perceptual_weights, begun_with(run))
    trainer = Trainer([dataset], run, profile, perceptual, setup.ranks, seed=seed)
    first, begin = trainer.step, time.perf_counter()
    learn(trainer, None, sample_every=trainer.last_step)
    took_s = time.perf_counter() - begin
    trained = max(1, trainer.last_step - first)
    minutes = took_s / 60 * trainer.last_step / trained
    write_json(run / _TRAINED, recipe | {"minutes": minutes, "perceptual": perceptual.kind})
    return run


def minutes_of(run: Path) -> float:
    """How long a run took to train."""
    return float(json.loads((run / _TRAINED).read_text())["minutes"])


def network_of(setup: Setup, run: Path, profile: Profile, size: int) -> Network:
    """The averaged generator of a trained run."""
    state = torch.load(run / checkpoint.NAME, map_location="cpu", weights_only=True)
    generator = profile.generator(size)
    generator.load_state_dict(state["average"])
    return torch_network(generator.to(setup.ranks.device), setup.ranks.device)


def driven(
    setup: Setup,
    subject: Subject,
    variant: Variant,
    seed: int,
    origin: Origin,
    conditionings: Callable[[], list[np.ndarray]],
) -> np.ndarray:
    """Outputs ``[T, H, W, 3]`` uint8 of a person's network, trained if need be, and computed once.

    Args:
        setup: of the experiment.
        subject: whose network.
        variant: which of them.
        seed: of its training.
        origin: of the conditionings.
        conditionings: gives those of each take, ``[t, H, W, 6]`` uint8; each is rolled out from a blank.
    """
    run = train(setup, subject, variant, seed)
    path = run / f"{origin.name}-{digest({'made of': origin.made_of})}.npy"
    if not path.exists():
        takes = conditionings()
        network = network_of(setup, run, variant.profile, takes[0].shape[1])
        count = sum(len(take) for take in takes)
        with atomic(path) as partial:
            shape = (count, *takes[0].shape[1:3], 3)
            images = np.lib.format.open_memmap(partial, "w+", np.uint8, shape)
            rolled = (image for take in takes for image in roll_out(network, take))
            for number, image in enumerate(tqdm(rolled, total=count, desc=f"{run.name}: {origin.name}", unit="frame")):
                images[number] = image
            images.flush()
    outputs: np.ndarray = np.load(path, mmap_mode="r")
    return outputs


def held_out_outputs(setup: Setup, subject: Subject, variant: Variant, seed: int) -> np.ndarray:
    """Self-reenactment: outputs ``[T, H, W, 3]`` uint8 for the held-out frames."""

    def conditionings() -> list[np.ndarray]:
        return at_takes(subject, _conditioned(setup, subject, variant).conditionings[subject.held_out])

    return driven(setup, subject, variant, seed, Origin("held-out", subject.held_out_key), conditionings)


def _conditioned(setup: Setup, subject: Subject, variant: Variant) -> Dataset:
    """The person's dataset with the variant's conditionings, made once."""
    dataset = subject.dataset
    if variant.conditionings is None:
        return dataset
    folder = setup.out / "people" / f"{subject.name}-{variant.network}-{dataset.fingerprint[:10]}"
    if not (folder / "manifest.json").exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        faces, aligned = (
            [face(k) for k in range(len(dataset.frames))] for face in (dataset.face, dataset.aligned_face)
        )
        parameters = stack_parameters(faces, aligned, dataset.parameters["take"], dataset.camera_map)
        conditionings = np.stack(list(variant.conditionings(setup, dataset)))
        manifest = dataset.manifest | {"conditioning": variant.network, "of": dataset.fingerprint}
        write_dataset(folder, dataset.frames, conditionings, parameters, manifest)
    return Dataset(folder, setup.model)
