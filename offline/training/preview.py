"""What a run looks like so far: an image, and a target for ``run_live.py --target RUN``, renewed while it trains."""

from __future__ import annotations

import time
from functools import cached_property

import numpy as np

from face.target import PREVIEW, TargetInfo, write_onnx
from offline.export.onnx_step import export_onnx
from offline.export.options import TargetLabels
from offline.export.target_info import describe
from offline.image_file import write_image
from offline.networks.compact_generator import CompactGenerator
from offline.networks.exported_step import torch_network
from offline.rollout import roll_out
from offline.training.profiles import Generator
from offline.training.trainer import Trainer

_MOMENTS = 5  # on the image
_WARM_UP = 3  # frames rolled out before each
_SECONDS = 60.0  # between two


class Preview:
    """Writes ``RUN/preview.png``, and for the compact generator ``RUN/preview.onnx``.

    The target is not checked against torch as ``offline.export`` does: it shows how far the training is, no more.

    Args:
        trainer: who trains.
        labels: what viewers read of the target.
    """

    def __init__(self, trainer: Trainer, labels: TargetLabels) -> None:
        self._trainer, self._labels = trainer, labels
        self._written_s = time.monotonic()

    def renew(self) -> None:
        """Write anew if a minute has passed."""
        if time.monotonic() - self._written_s < _SECONDS:
            return
        generator = self._trainer.snapshot()
        write_image(self._trainer.run / "preview.png", self._image(generator))
        if isinstance(generator, CompactGenerator):
            self._write_target(generator)
        self._written_s = time.monotonic()

    def _image(self, generator: Generator) -> np.ndarray:
        """Moments that were held out: from top to bottom NMFC, output and truth, ``[3H, nW, 3]`` uint8 RGB."""
        dataset = self._trainer.people[0]
        network = torch_network(generator, self._trainer.device)
        first, last = (dataset.test or dataset.train)[0]
        columns = []
        for frame in np.linspace(first + _WARM_UP, last - 1, _MOMENTS).astype(int):
            conditionings = np.asarray(dataset.conditionings[frame - _WARM_UP : frame + 1])
            *_, output = roll_out(network, conditionings)
            columns.append(np.vstack([conditionings[-1, ..., :3], output, dataset.frames[frame]]))
        return np.hstack(columns)

    def _write_target(self, generator: CompactGenerator) -> None:
        trainer = self._trainer
        self._info.versions["trained_sequences"] = str(trainer.step)
        write_onnx(trainer.run / PREVIEW, export_onnx(generator.cpu(), self._info.size), self._info)

    @cached_property
    def _info(self) -> TargetInfo:
        """What the target says of the person, which training does not change."""
        return describe(self._trainer.people[0], self._trainer.profile.name, self._labels)
