"""``cycle``, the paper's Fig. 3: X drives Y, and what that shows drives X again; how much of X comes back."""

from __future__ import annotations

from functools import partial

import numpy as np

from offline.experiments.figures import heat_map, moments, save, write_sheet
from offline.experiments.intervals import mean_interval
from offline.experiments.kept_results import file_of
from offline.experiments.scores import APD, scores_of
from offline.experiments.setup import Setup, at_takes
from offline.experiments.subjects import Subject
from offline.experiments.tables import Table
from offline.experiments.training import Origin, Variant, driven, held_out_outputs
from offline.experiments.transfer import driven_by, filled, followed, transferred, transferred_conditionings, usual

_ENOUGH = 300  # frames of a mean that is worth its name


class _NoFaceError(Exception):
    """A driven video shows no face."""


def run(setup: Setup) -> list[Table]:
    """APD of X after the cycle, and without it, for every ordered pair of people.

    X's held-out frames drive Y's network. Its outputs are tracked and fitted with Y's identity, carried back, and
    drive X's network, which was trained on other frames of X.
    """
    full = Variant("full", setup.scale.profile)
    columns = ("X", "Y", "seed", "frames", "APD after the cycle", "APD without it", "note")
    table = Table("cycle", f"Cycle reenactment (Fig. 3), 95 % intervals. {setup.caption()}", columns)
    for x, y in setup.pairs():
        for seed in range(setup.seeds):
            there = _drive(setup, x, y, full, seed)
            frames = len(x.held_out)
            note = "" if frames >= _ENOUGH else f"fewer than {_ENOUGH} frames"
            origin = Origin(f"cycle-{y.name}", f"{x.held_out_key} {file_of(there).parent.name}")
            try:
                returned = driven(setup, x, full, seed, origin, partial(_bring_back, setup, x, y, there))
            except _NoFaceError:
                table.add(x.name, y.name, seed, frames, None, None, "no face seen in the driven video")
                continue
            errors = scores_of(x, returned)[APD]
            direct = scores_of(x, held_out_outputs(setup, x, full, seed))[APD]
            table.add(x.name, y.name, seed, frames, mean_interval(errors), mean_interval(direct), note)
            if seed == 0:
                _write_figures(setup, x, y, there, returned, errors)
    return [table]


def _drive(setup: Setup, x: Subject, y: Subject, variant: Variant, seed: int) -> np.ndarray:
    """Y driven by X's held-out frames, ``[T, H, W, 3]`` uint8."""
    return driven(setup, y, variant, seed, driven_by(x), partial(transferred_conditionings, setup, x, y))


def _bring_back(setup: Setup, x: Subject, y: Subject, images: np.ndarray) -> list[np.ndarray]:
    """Conditionings of X for what Y was made to do, take by take.

    Raises:
        _NoFaceError: no face is seen in a take.
    """
    renderer, ends = setup.renderer(x), (usual(y.dataset), usual(x.dataset))
    takes = []
    for take in at_takes(x, images):
        faces = filled(followed(setup.model, y.dataset, np.asarray(take)))
        if faces is None:
            raise _NoFaceError
        takes.append(np.stack([renderer.render(transferred(face, *ends)) for face in faces]))
    return takes


def _write_figures(
    setup: Setup, x: Subject, y: Subject, there: np.ndarray, returned: np.ndarray, errors: np.ndarray
) -> None:
    """The four rows of Fig. 3, and the error over time."""
    import matplotlib.pyplot as plt

    chosen = moments(len(errors))
    truths = [np.asarray(x.dataset.frames[x.held_out[k]]) for k in chosen]
    rows = {
        f"{x.name}": truths,
        f"{y.name}, driven by {x.name}": [np.asarray(there[k]) for k in chosen],
        f"{x.name}, driven by that": [np.asarray(returned[k]) for k in chosen],
        "distance": [heat_map(returned[k], truth) for k, truth in zip(chosen, truths, strict=True)],
    }
    folder = setup.folder("cycle")
    write_sheet(rows, folder / f"cycle-{x.name}-{y.name}.png")
    figure, axis = plt.subplots(figsize=(7, 2.6))
    axis.plot(errors)
    axis.set_xlabel("frame")
    axis.set_ylabel("APD")
    save(figure, folder / f"cycle-{x.name}-{y.name}-frames.png")
