"""The generator on a CPU: ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort

from face.errors import FaceError

_NO_OUTPUT = 128  # zero in the network's range: what stands for an output that is not there yet


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


class OnnxGenerator:
    """Runs a target's network step by step.

    Args:
        path: the target file.
        threads: processor threads; 0 lets ONNX Runtime choose.

    Raises:
        FaceError: the file holds no network of this program.
    """

    def __init__(self, path: Path, threads: int = 0) -> None:
        chosen = choose_precision(path)
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        # Idle threads must sleep: on two cores their spinning would starve the tracker.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = ort.InferenceSession(str(chosen), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises bare exceptions of many kinds
            raise FaceError(f"ONNX Runtime cannot load {chosen}: {str(error).splitlines()[0]}") from None
        inputs = {i.name: i.shape for i in self._session.get_inputs()}
        if "conditioning" not in inputs or "output_2" not in inputs:
            raise FaceError(f"{chosen} holds no generator of this program.")
        self.size = int(inputs["conditioning"][0])
        precision = "int8" if chosen != path else "fp32"
        self.description = f"ONNX Runtime {ort.__version__} on the CPU, {precision}, {chosen.name}"
        self.reset()

    def reset(self) -> None:
        """Forget the past."""
        self._conditionings: tuple[np.ndarray, np.ndarray] | None = None
        blank = np.full((self.size, self.size, 3), _NO_OUTPUT, np.uint8)
        self._outputs = blank, blank

    def step(self, conditioning: np.ndarray) -> np.ndarray:
        """Next picture ``[H, W, 3]`` uint8 RGB from a conditioning ``[H, W, 6]`` uint8."""
        before, earlier = self._conditionings or (conditioning, conditioning)
        feeds = {
            "conditioning": conditioning, "conditioning_1": before, "conditioning_2": earlier,
            "output_1": self._outputs[0], "output_2": self._outputs[1],
        }  # fmt: skip
        picture: np.ndarray = self._session.run(None, feeds)[0]
        self._conditionings = conditioning, before
        self._outputs = picture, self._outputs[0]
        return picture
