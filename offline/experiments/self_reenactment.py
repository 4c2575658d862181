"""``self``, the paper's Fig. 2: how far outputs are from the last third of each person's footage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial

import numpy as np

from face.camera_map import CameraMap
from face.errors import UserError
from face.fit_batch import fit_video
from offline.dataset.pixel_error import score_images
from offline.evaluate.face_metrics import watch
from offline.experiments.figures import heat_map, moments, write_sheet
from offline.experiments.intervals import mean_interval
from offline.experiments.scores import APD, MOUTH_APD, scores_of
from offline.experiments.setup import Setup, at_takes
from offline.experiments.subjects import Subject
from offline.experiments.tables import Table
from offline.experiments.training import Origin, Variant, driven, held_out_outputs, minutes_of, train

LIVE, BATCH, TRUE = "live fit", "batch fit", "true parameters"  # what conditionings are of


def run(setup: Setup) -> list[Table]:
    """APD of each person by the live fit, as the product works, and by the batch fit, as the paper's tracking does.

    Painted people's datasets hold true parameters instead of the live fit.
    """
    full = Variant("full", setup.scale.profile)
    columns = ("person", "fit", "frames", "seed", "APD", "mouth APD", "masked APD", "SSIM", "sharpness", "minutes")
    caption = f"Self-reenactment of the last third, never trained on (Fig. 2), 95 % intervals. {setup.caption()}"
    table = Table("self", caption, columns)
    for subject in setup.subjects:
        for seed in range(setup.seeds):
            own = TRUE if subject.painted else LIVE
            origin = Origin("batch-fit", subject.held_out_key)
            batch = driven(setup, subject, full, seed, origin, partial(_batch_conditionings, setup, subject))
            outputs = {own: held_out_outputs(setup, subject, full, seed), BATCH: batch}
            for fit, images in outputs.items():
                scores = scores_of(subject, images)
                whole = _whole_scores(subject, images)
                took = minutes_of(train(setup, subject, full, seed))
                table.add(subject.name, fit, len(images), seed, mean_interval(scores[APD]),
                          mean_interval(scores[MOUTH_APD]), whole["masked_apd"], whole["ssim"], whole["sharpness"],
                          took)  # fmt: skip
            if seed == 0:
                _write_figure(setup, subject, outputs)
    return [table]


def _whole_scores(subject: Subject, images: np.ndarray) -> dict[str, float]:
    """Scores that are of a take, not of a frame; takes count by their frames."""
    total: dict[str, float] = {}
    for (first, last), outputs in zip(subject.takes, at_takes(subject, images), strict=True):
        here = slice(first, last)
        dataset = subject.dataset
        scores = score_images(np.asarray(outputs), np.asarray(dataset.frames[here]),
                              np.asarray(dataset.conditionings[here]), dataset.mouths[here])  # fmt: skip
        for name, value in asdict(scores).items():
            total[name] = total.get(name, 0.0) + value * (last - first) / len(subject.held_out)
    return total


def _batch_conditionings(setup: Setup, subject: Subject) -> list[np.ndarray]:
    """Conditionings of the fit over whole takes (Eq. 2), identity known.

    Raises:
        UserError: a take shows no face.
    """
    dataset, renderer = subject.dataset, setup.renderer(subject)
    camera_map = CameraMap(setup.model, dataset.camera_map)
    takes = []
    for first, last in subject.takes:
        tracked = watch(dataset.frames[first:last], float(dataset.manifest["rate"]))
        faces = fit_video(setup.model, tracked, identity=dataset.parameters["identity"])
        known = [camera_map.correct(face) for face in faces if face is not None]
        if not known:
            raise UserError(f"No face is seen in the held-out frames of {subject.name}: give other footage.")
        numbers = np.maximum(np.cumsum([face is not None for face in faces]) - 1, 0)
        takes.append(np.stack([renderer.render(known[k]) for k in numbers]))
    return takes


def _write_figure(setup: Setup, subject: Subject, outputs: dict[str, np.ndarray]) -> None:
    chosen = moments(len(subject.held_out))
    truths = [np.asarray(subject.dataset.frames[subject.held_out[k]]) for k in chosen]
    rows: dict[str, Sequence[np.ndarray]] = {"truth": truths}
    for fit, images in outputs.items():
        rows[f"output, {fit}"] = [np.asarray(images[k]) for k in chosen]
        rows[f"distance, {fit}"] = [heat_map(images[k], truth) for k, truth in zip(chosen, truths, strict=True)]
    write_sheet(rows, setup.folder("self") / f"self-{subject.name}.png")
