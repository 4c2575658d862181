"""The layered generator in int8: ONNX Runtime for the convolutions, loops over the pixels for the rest.

ONNX Runtime spends as long on lookup, concatenation and compositing as on the convolutions. So the step is cut at its
seams (``offline/export/layered_step.py``), and ``cpu_compositing.py`` does what lies between them.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import onnxruntime as ort

from face.compact_constants import FINE_PATCH, LAYERED_SEAMS, PARTS, PATCH, REFINE, RETOUCH, WEIGH, Part
from live.generators.cpu_compositing import compositor, head_sampling_grid, implied_camera, push_frame
from live.generators.cut_network import background_of, constants, open_parts
from live.generators.mixed_layers import mix_bases, sample_mixed_layers

_CHANNELS = 6 + 4 + 4  # conditioning, head, face
_composite = compositor(FINE_PATCH)
_LAYERS = ("head", "face")  # in the order of their bases' weights


class LayeredInt8Generator:
    """Runs a target's network step by step.

    Args:
        model: the network, with seams.
        name: of its file.
        threads: CPU threads; 0 lets ONNX Runtime choose.

    Raises:
        UserError: ONNX Runtime cannot load it.
    """

    on_cpu = True

    def __init__(self, model: onnx.ModelProto, name: str, threads: int = 0) -> None:
        on_second_core = [(part, 1) for part in REFINE.values()]
        self._consider, self._correct, *windows = open_parts(
            model, name, ((WEIGH, threads), (RETOUCH, threads), *on_second_core)
        )
        self._refine = dict(zip(REFINE, windows, strict=True))
        self._second_core = ThreadPoolExecutor(1, "second core")
        values = constants(model)
        self._head, self._face = values["head_table"], values["face_table"]
        self._bases = [values[f"{layer}_bases"] for layer in _LAYERS]
        self._worth = np.concatenate([values[f"{layer}_worth"] for layer in _LAYERS])
        self._background = background_of(values)
        # What a byte of each stands for: one step, and the byte of zero.
        self._bytes = {
            node.input[0]: (values[node.input[1]], values[node.input[2]])
            for node in model.graph.node
            if node.op_type == "DequantizeLinear" and node.input[0] in LAYERED_SEAMS
        }
        self._factors = {seam: values[f"{seam}_factor"] for seam in self._bytes if seam.endswith("corrections")}
        step, zero = self._bytes["corrections"]
        self._no_correction = np.float32(zero)
        self._steps = values["head_step"], values["face_step"], self._factors["corrections"] * step
        self.size = self._background.shape[1]
        self.description = f"ONNX Runtime {ort.__version__} on the CPU, {name}"
        self.reset()

    def reset(self) -> None:
        """Make room for what a step writes; there is no history to forget."""
        quarter, half = self.size // PATCH, self.size // FINE_PATCH
        self._patches = np.empty((quarter, quarter, 6 * PATCH**2), np.uint8)
        self._layers = np.empty((half, half, FINE_PATCH, FINE_PATCH, _CHANNELS), np.uint8)
        self._refinement = np.zeros((4, self.size, self.size), np.float32)
        self._more = [np.empty(bases.shape[1:], np.float32) for bases in self._bases]

    def clone(self) -> LayeredInt8Generator:
        """A generator of the same network, which is loaded once, with a state of its own."""
        clone = copy.copy(self)
        clone.reset()
        return clone

    def step(self, conditioning: np.ndarray) -> np.ndarray:
        """Next image ``[H, W, 3]`` uint8 RGB from a conditioning ``[H, W, 6]`` uint8."""
        push_frame(self._patches, conditioning)
        implied = implied_camera(conditioning)
        features, camera, depth_map, warp, mixture = self._consider.run(
            list(WEIGH[1]), {"patches": self._patches, "implied": implied[None]}
        )
        weights = (mixture[0] * self._worth).reshape(len(_LAYERS), -1)
        for bases, weight, more in zip(self._bases, weights, self._more, strict=True):
            mix_bases(bases.reshape(len(bases), -1), weight, more.reshape(-1))
        grid = head_sampling_grid(camera[0], depth_map[0], warp[0])
        more_head, more_face = self._more
        self._by_rows(
            lambda rows: sample_mixed_layers(
                conditioning, grid, self._head, more_head, self._face, more_face, self._layers, rows
            )
        )
        refining = self._second_core.submit(lambda: [self._refine_part(part, implied, features) for part in PARTS])
        half = len(self._layers)
        (corrections,) = self._correct.run(
            list(RETOUCH[1]), {"features": features, "layers": self._layers.reshape(half, half, -1)}
        )
        corrections = corrections.reshape(half, half, FINE_PATCH, FINE_PATCH, -1)
        windows = refining.result()
        image = np.empty((self.size, self.size, 3), np.uint8)
        self._by_rows(
            lambda rows: _composite(
                self._layers, corrections, self._refinement, self._background, *self._steps, self._no_correction,
                image, rows,
            )
        )  # fmt: skip
        for rows, columns in windows:
            self._refinement[:, rows, columns] = 0
        return image

    def _by_rows(self, work: Callable[[tuple[int, int]], None]) -> None:
        """Do some work on the image's rows, half of them on the second core."""
        middle = self.size // 2
        lower = self._second_core.submit(work, (middle, self.size))
        work((0, middle))
        lower.result()

    def _refine_part(self, part: Part, implied: np.ndarray, features: np.ndarray) -> tuple[slice, slice]:
        """Add a part's own corrections to the refinement; the window's rows and columns."""
        row, column = part.corner(implied, self.size)
        rows, columns = (
            slice(first, first + side) for first, side in zip((row, column), part.sides(self.size), strict=True)
        )
        step, zero = self._bytes["features"]
        coarse = features[0, :, _every(rows, PATCH), _every(columns, PATCH)].transpose(1, 2, 0)
        pixels = self._layers[_every(rows, FINE_PATCH), _every(columns, FINE_PATCH)].transpose(0, 2, 1, 3, 4)
        inputs, outputs = REFINE[part.name]
        (corrections,) = self._refine[part.name].run(
            list(outputs),
            {
                inputs[0]: (coarse.astype(np.float32) - np.float32(zero)) * step,
                inputs[1]: pixels.reshape(*part.sides(self.size), _CHANNELS),
            },
        )
        step, zero = self._bytes[outputs[0]]
        values = (corrections[0].astype(np.float32) - np.float32(zero)) * (self._factors[outputs[0]] * step)
        self._refinement[:, rows, columns] += values.transpose(2, 0, 1)
        return rows, columns


def _every(pixels: slice, side: int) -> slice:
    """The patches of a stretch of pixels."""
    return slice(pixels.start // side, pixels.stop // side)
