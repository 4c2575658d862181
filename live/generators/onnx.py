"""The generator on a CPU: ONNX Runtime."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime as ort

from face.errors import FaceError
from face.recurrence import INPUTS, Recurrence
from live.generators.threads import Fastest


def has_vnni() -> bool:
    """Whether the processor multiplies 8-bit integers fast and without saturating (VNNI)."""
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return "avx512_vnni" in flags or "avx_vnni" in flags


def choose_precision(path: Path) -> Path:
    """The 8-bit network beside an fp32 one (``NAME.int8.onnx``) where the processor runs it well."""
    small = path.with_suffix(".int8.onnx")
    return small if has_vnni() and small.exists() else path


def _load(path: Path, threads: int) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    # Idle threads must sleep: on two cores their spinning would starve the tracker.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises bare exceptions of many kinds
        raise FaceError(f"ONNX Runtime cannot load {path}: {str(error).splitlines()[0]}") from None


class OnnxGenerator:
    """Runs a target's network step by step.

    Args:
        path: the target file.
        threads: how many processor threads a step may use: whichever of these is fastest just now; 0 is one for
            each core.

    Raises:
        FaceError: the file holds no network of this program.
    """

    def __init__(self, path: Path, threads: Sequence[int] = (0, 1)) -> None:
        chosen = choose_precision(path)
        sessions = [_load(chosen, count) for count in threads]
        self._run = Fastest([session.run for session in sessions])
        inputs = {i.name: i.shape for i in sessions[0].get_inputs()}
        if set(inputs) != set(INPUTS):
            raise FaceError(f"{chosen} holds no generator of this program.")
        self.size = int(inputs["conditioning"][0])
        precision = "int8" if chosen != path else "fp32"
        self.description = f"ONNX Runtime {ort.__version__} on the CPU, {precision}, {chosen.name}"
        self._past = Recurrence()

    def reset(self) -> None:
        """Forget the past."""
        self._past.reset()

    def another(self) -> OnnxGenerator:
        """A generator of the same network, which is loaded once, with a state of its own."""
        twin = copy.copy(self)
        twin._past = Recurrence()
        return twin

    def step(self, conditioning: np.ndarray) -> np.ndarray:
        """Next picture ``[H, W, 3]`` uint8 RGB from a conditioning ``[H, W, 6]`` uint8."""
        picture: np.ndarray = self._run(None, self._past.inputs(conditioning))[0]
        self._past.advance(conditioning, picture)
        return picture
