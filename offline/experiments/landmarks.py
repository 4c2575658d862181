"""``landmarks``, the paper's Fig. 5: vid2vid on drawn landmarks, which carry the source's face to the target."""

from __future__ import annotations

from functools import partial

import numpy as np

from face.errors import UserError
from offline.experiments.comparison import Measure, compare
from offline.experiments.conditionings import drawn_landmarks, registered_landmarks
from offline.experiments.figures import moments, write_sheet
from offline.experiments.identity import identity_kept
from offline.experiments.scores import APD, MOUTH_APD
from offline.experiments.setup import Setup
from offline.experiments.subjects import Subject
from offline.experiments.tables import Table
from offline.experiments.training import Variant, driven
from offline.experiments.transfer import driven_by, transferred_conditionings


def run(setup: Setup) -> list[Table]:
    """Self-reenactment of both, and whose face is seen when somebody else drives.

    Raises:
        UserError: the profile's generator cannot go by landmarks.
    """
    profile = setup.scale.whole_image
    if profile is None:
        raise UserError("The compact generator looks textures up by the NMFC: give --profile paper or small.")
    setup.pairs()  # before anything is trained
    ours = Variant("NMFC and gaze", profile, "whole-image")
    baseline = Variant("landmarks", profile, "drawn-landmarks", drawn_landmarks)
    table = compare(setup, "landmarks", [ours, baseline], [Measure("APD", APD), Measure("mouth APD", MOUTH_APD)])
    return [table, _identity_table(setup, ours, baseline)]


def _identity_table(setup: Setup, ours: Variant, baseline: Variant) -> Table:
    columns = ("source", "target", "conditioning", "seed", "mm to target", "mm to source", "cosine to target",
               "cosine to source", "faces seen")  # fmt: skip
    caption = f"Whose face the outputs show when a source drives a target (Fig. 5). {setup.caption()}"
    table = Table("landmarks-identity", caption, columns)
    for source, target in setup.pairs():
        for seed in range(setup.seeds):
            outputs = {
                ours.name: _drive(setup, source, target, ours, seed),
                baseline.name: _drive(setup, source, target, baseline, seed),
            }
            for name, images in outputs.items():
                kept = identity_kept(setup, source, target, images)
                table.add(source.name, target.name, name, seed, kept.target_mm, kept.source_mm, kept.target_cosine,
                          kept.source_cosine, kept.seen)  # fmt: skip
            if seed == 0:
                _write_figure(setup, source, target, outputs)
    return table


def _drive(setup: Setup, source: Subject, target: Subject, variant: Variant, seed: int) -> np.ndarray:
    """The target driven by the source's held-out frames."""
    if variant.conditionings is None:
        conditionings = partial(transferred_conditionings, setup, source, target)
    else:
        conditionings = partial(registered_landmarks, setup, source, target)
    return driven(setup, target, variant, seed, driven_by(source), conditionings)


def _write_figure(setup: Setup, source: Subject, target: Subject, outputs: dict[str, np.ndarray]) -> None:
    chosen = moments(len(source.held_out))
    rows = {f"source: {source.name}": [np.asarray(source.dataset.frames[source.held_out[k]]) for k in chosen]}
    rows |= {name: [np.asarray(images[k]) for k in chosen] for name, images in outputs.items()}
    write_sheet(rows, setup.folder("landmarks") / f"landmarks-{source.name}-{target.name}.png")
