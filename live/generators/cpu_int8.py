"""The compact generator in int8: ONNX Runtime for the convolutions, loops over the pixels for the rest.

ONNX Runtime spends as long on lookup, concatenation and compositing as on the convolutions. So the step is cut at its
seams (``offline/export/cpu_step.py``), and ``cpu_compositing.py`` does what lies between them. The encoder of previous
outputs needs no conditioning: it runs while the next frame is tracked.
"""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort

from face.compact_constants import CONSIDER, CORRECT, FINE_PATCH, LAYERED_SEAMS, LOOK_BACK, PATCH, SEAMS
from face.recurrence import CONDITIONING_FRAMES, NO_OUTPUT, PREVIOUS_FRAMES
from face.target_sizes import network_of_size
from live.generators.cpu_compositing import (
    compositor,
    halved,
    head_sampling_grid,
    implied_camera,
    layer_sampler,
    push_frame,
)
from live.generators.cut_network import background_of, constants, open_parts
from live.generators.layered_int8 import LayeredInt8Generator
from live.generators.onnx_runtime import OnnxGenerator


class CpuInt8Generator:
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
        # The first runs in the background, where one thread is enough.
        self._look_back, self._consider, self._correct = open_parts(
            model, name, ((LOOK_BACK, 1), (CONSIDER, threads), (CORRECT, threads))
        )
        self._background_thread = ThreadPoolExecutor(1, "look back")
        values = constants(model)
        self._head, self._face = values["head_table"], values["face_table"]
        self._background = background_of(values)
        (corrections,) = (node for node in model.graph.node if "corrections" in node.input)
        step, middle = (values[name] for name in corrections.input[1:])
        self._steps = values["head_step"], values["face_step"], values["corrections_factor"] * step
        self._no_correction = np.float32(middle)
        self.size = self._background.shape[1]
        (outputs,) = (value for value in model.graph.value_info if value.name == LOOK_BACK[0][0])
        self._trunk = PATCH * outputs.type.tensor_type.shape.dim[0].dim_value
        self._patch = FINE_PATCH * self.size // self._trunk
        self._sample_layers, self._composite = layer_sampler(self._patch), compositor(self._patch)
        self.description = f"ONNX Runtime {ort.__version__} on the CPU, {name}"
        self.reset()

    def reset(self) -> None:
        """Forget previous frames."""
        side = self._trunk // PATCH
        self._conditionings = np.empty((side, side, CONDITIONING_FRAMES * 6 * PATCH**2), np.uint8)
        self._outputs = np.full((side, side, PREVIOUS_FRAMES * 3 * PATCH**2), NO_OUTPUT, np.uint8)
        half, patch = self._trunk // FINE_PATCH, self._patch
        self._layers = np.empty((half, half, patch, patch, 6 + 4 + 4), np.uint8)
        self._started = False
        self._encoded_outputs = self._background_thread.submit(self._encode_outputs, self._outputs, None)

    def clone(self) -> CpuInt8Generator:
        """A generator of the same network, which is loaded once, with a state of its own."""
        clone = copy.copy(self)
        clone.reset()
        return clone

    def step(self, conditioning: np.ndarray) -> np.ndarray:
        """Next image ``[H, W, 3]`` uint8 RGB from a conditioning ``[H, W, 6]`` uint8."""
        for _ in range(1 if self._started else CONDITIONING_FRAMES):  # the first stands for the earlier ones
            push_frame(self._conditionings, self._at_trunk(conditioning))
        self._started = True
        features, camera, depth_map, warp = self._consider.run(
            list(CONSIDER[1]),
            {
                "told": self._conditionings,
                "implied": implied_camera(conditioning)[None],
                **dict(zip(LOOK_BACK[1], self._encoded_outputs.result(), strict=True)),
            },
        )
        grid = head_sampling_grid(camera[0], depth_map[0], warp[0])
        self._sample_layers(conditioning, grid, self._head, self._face, self._layers)
        half, patch = len(self._layers), self._patch
        (corrections,) = self._correct.run(
            list(CORRECT[1]), {"features": features, "seen": self._layers.reshape(half, half, -1)}
        )
        corrections = corrections.reshape(half, half, patch, patch, -1)
        image = np.empty((self.size, self.size, 3), np.uint8)
        self._composite(
            self._layers, corrections, None, self._background, *self._steps, self._no_correction, image, (0, self.size)
        )
        self._encoded_outputs = self._background_thread.submit(self._encode_outputs, self._outputs, image)
        return image

    def _at_trunk(self, image: np.ndarray) -> np.ndarray:
        """An image of the size that the encoders see."""
        return halved(image) if self.size > self._trunk else image

    def _encode_outputs(self, outputs: np.ndarray, image: np.ndarray | None) -> list[np.ndarray]:
        """Encode the previous outputs, on another thread: it has time until the next conditioning comes."""
        if image is not None:
            push_frame(outputs, self._at_trunk(image))
        encoded: list[np.ndarray] = self._look_back.run(list(LOOK_BACK[1]), {"made": outputs})
        return encoded


def open_on_cpu(path: Path, size: int | None = None) -> OnnxGenerator | CpuInt8Generator | LayeredInt8Generator:
    """The generator of a target file, or of the int8 network beside it, which takes half the time or less.

    Args:
        path: the target file.
        size: of the images, px; by default the largest that the file has a network for.

    Raises:
        UserError: the file holds no network of this program, or none of that size.
    """
    chosen = choose_precision(path)
    if chosen == path:
        return OnnxGenerator(path, size=size)
    model = network_of_size(chosen, size)
    seams = {value.name for value in model.graph.value_info}
    if seams.issuperset(LAYERED_SEAMS):
        return LayeredInt8Generator(model, chosen.name)
    if seams.issuperset(SEAMS):
        return CpuInt8Generator(model, chosen.name)
    return OnnxGenerator(chosen, size=size)  # of an earlier version


def choose_precision(path: Path) -> Path:
    """The int8 network beside an fp32 one (``NAME.int8.onnx``), if there is one."""
    int8 = path.with_suffix(".int8.onnx")
    return int8 if int8.exists() else path
