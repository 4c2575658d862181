"""The compact generator in eight bits: ONNX Runtime for the convolutions, loops over the pixels for the rest.

ONNX Runtime spends as long on looking up, joining and painting, operator by operator, as on the convolutions. So the
step is cut at its seams (``offline/export/cpu_step.py``), and what lies between them is done by
``cpu_compositing.py``. What
can be told before a conditioning comes, from the pictures made, is told while the next face is looked for.
"""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from google.protobuf.message import DecodeError
from onnx import numpy_helper
from onnx.utils import Extractor

from face.compact_constants import CONSIDER, CORRECT, FINE_PATCH, HALVED, LOOK_BACK, PATCH, SEAMS
from face.errors import UserError
from face.recurrence import CONDITIONING_FRAMES, NO_OUTPUT, PREVIOUS_FRAMES
from live.generators import cpu_compositing as painting
from live.generators.onnx_runtime import OnnxGenerator, open_session


class ProcessorGenerator:
    """Runs a target's network step by step.

    Args:
        model: the network, with seams.
        name: of its file.
        threads: processor threads; 0 lets ONNX Runtime choose.

    Raises:
        UserError: ONNX Runtime cannot load it.
    """

    on_processor = True

    def __init__(self, model: onnx.ModelProto, name: str, threads: int = 0) -> None:
        extractor = Extractor(model)
        # The first runs aside, where one thread is enough.
        self._look_back, self._consider, self._correct = (
            open_session(extractor.extract_model(list(inputs), list(outputs)).SerializeToString(), name, count)
            for (inputs, outputs), count in ((LOOK_BACK, 1), (CONSIDER, threads), (CORRECT, threads))
        )
        self._aside = ThreadPoolExecutor(1, "look back")
        values = {tensor.name: tensor for tensor in model.graph.initializer}
        read = lambda name: numpy_helper.to_array(values[name])  # noqa: E731
        self._head, self._face = read("head_table"), read("face_table")
        backdrop = read("generator.backdrop" + HALVED)[0].astype(np.float32)
        # The exporter lays it out as suits its graph.
        self._backdrop = np.ascontiguousarray(backdrop if len(backdrop) == 3 else backdrop.transpose(2, 0, 1))
        (corrections,) = (node for node in model.graph.node if "corrections" in node.input)
        step, middle = (read(name) for name in corrections.input[1:])
        self._steps = read("head_step"), read("face_step"), read("corrections_factor") * step
        self._no_correction = np.float32(middle)
        self.size = self._backdrop.shape[1]
        self.description = f"ONNX Runtime {ort.__version__} on the CPU, {name}"
        self.reset()

    def reset(self) -> None:
        """Forget the past."""
        side = self.size // PATCH
        self._told = np.empty((side, side, CONDITIONING_FRAMES * 6 * PATCH**2), np.uint8)
        self._made = np.full((side, side, PREVIOUS_FRAMES * 3 * PATCH**2), NO_OUTPUT, np.uint8)
        half = self.size // FINE_PATCH
        self._seen = np.empty((half, half, FINE_PATCH, FINE_PATCH, 6 + 4 + 4), np.uint8)
        self._begun = False
        self._begin_next()

    def clone(self) -> ProcessorGenerator:
        """A generator of the same network, which is loaded once, with a state of its own."""
        twin = copy.copy(self)
        twin.reset()
        return twin

    def step(self, conditioning: np.ndarray) -> np.ndarray:
        """Next picture ``[H, W, 3]`` uint8 RGB from a conditioning ``[H, W, 6]`` uint8."""
        for _ in range(1 if self._begun else CONDITIONING_FRAMES):  # the first stands for those before it
            painting.remember(self._told, conditioning)
        self._begun = True
        features, camera, relief, bend = self._consider.run(
            list(CONSIDER[1]),
            {
                "told": self._told,
                "implied": painting.implied_camera(conditioning)[None],
                **dict(zip(LOOK_BACK[1], self._before.result(), strict=True)),
            },
        )
        places = painting.head_places(camera[0], relief[0], bend[0])
        painting.show(conditioning, places, self._head, self._face, self._seen)
        half = len(self._seen)
        (corrections,) = self._correct.run(
            list(CORRECT[1]), {"features": features, "seen": self._seen.reshape(half, half, -1)}
        )
        corrections = corrections.reshape(half, half, FINE_PATCH, FINE_PATCH, -1)
        picture = painting.paint(self._seen, corrections, self._backdrop, *self._steps, self._no_correction)
        painting.remember(self._made, picture)
        self._begin_next()
        return picture

    def _begin_next(self) -> None:
        """Read the pictures made, on another thread: until the next conditioning comes it has the time."""
        self._before = self._aside.submit(self._look_back.run, list(LOOK_BACK[1]), {"made": self._made})


def open_on_processor(path: Path) -> OnnxGenerator | ProcessorGenerator:
    """The generator of a target file, or of the 8-bit network beside it, which takes half the time or less.

    Raises:
        UserError: the file holds no network of this program.
    """
    chosen = choose_precision(path)
    if chosen == path:
        return OnnxGenerator(path)
    try:
        model = onnx.load(str(chosen))
    except DecodeError:
        raise UserError(f"{chosen} is damaged: export the target again.") from None
    # Targets exported by earlier versions have none, or others.
    has_seams = {one.name for one in model.graph.value_info}.issuperset(SEAMS)
    return ProcessorGenerator(model, chosen.name) if has_seams else OnnxGenerator(chosen)


def choose_precision(path: Path) -> Path:
    """The 8-bit network beside an fp32 one (``NAME.int8.onnx``), if there is one."""
    small = path.with_suffix(".int8.onnx")
    return small if small.exists() else path
