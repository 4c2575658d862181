"""The generator's conditional input: NMFC, teeth and tongue included, and gaze image together."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from face.gaze_image import GazeRenderer
from face.morphable import MorphableModel
from face.mouth_image import MouthRenderer
from face.mouth_parts import MouthParts, TeethPlacement
from face.nmfc import NmfcRenderer
from face.parameters import FaceParameters

CHANNELS = 6


class ConditioningRenderer(Protocol):
    """Draws conditionings; ``CpuConditioning`` here and the CUDA renderer in ``live/renderers`` are alike."""

    def render(self, parameters: FaceParameters) -> np.ndarray:
        """Conditioning ``[H, W, 6]`` uint8: NMFC, then the gaze image.

        A renderer on a GPU may give what stays there and becomes an array when numpy asks for it.
        """
        ...

    def clone(self) -> ConditioningRenderer:
        """A renderer of the same kind for another thread, with buffers of its own."""
        ...


class CpuConditioning:
    """The CPU reference: numba z-buffer.

    Args:
        model: the morphable model.
        size: height and width of the image in px.
        teeth: of the person; ``None`` leaves the mouth black.
    """

    def __init__(self, model: MorphableModel, size: int, teeth: TeethPlacement | None = None) -> None:
        self.size, self._model, self._teeth = size, model, teeth
        self._nmfc, self._gaze = NmfcRenderer(model), GazeRenderer(model)
        self._mouth = MouthRenderer(model, MouthParts(model), teeth) if teeth else None

    def render(self, parameters: FaceParameters) -> np.ndarray:
        """Conditioning ``[H, W, 6]`` uint8."""
        image = np.zeros((self.size, self.size, CHANNELS), np.uint8)
        self._nmfc.draw(parameters, image[..., :3])
        if self._mouth:
            self._mouth.draw(parameters, image[..., :3])
        self._gaze.draw(parameters, image[..., 3:])
        return image

    def clone(self) -> CpuConditioning:
        """A renderer for another thread."""
        return CpuConditioning(self._model, self.size, self._teeth)
