"""Who is shown: a target and the parts that belong to it, exchanged as one while live."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from face.conditioning import ConditioningRenderer, CpuConditioning
from face.errors import FaceError
from face.morphable import MorphableModel
from face.target import TargetInfo, read_info
from live.generators import Generator
from live.generators.cpu_int8 import open_on_processor
from trt_engines.engines import runnable
from trt_engines.gpu import Gpu
from trt_engines.graph import Precision


@dataclass(frozen=True, eq=False)
class Cast:
    """A target on the stage.

    Every conditioning carries the cast it was drawn for, and is shown to that cast's generator: two people cannot
    be mixed in one picture, whenever the cast changes.

    Attributes:
        info: the target's description.
        renderer: draws its conditionings.
        generator: makes its pictures; owns the recurrent state.
    """

    info: TargetInfo
    renderer: ConditioningRenderer
    generator: Generator

    def another(self) -> Cast:
        """The same target for another loop: the network is shared, state and buffers are not."""
        return Cast(self.info, self.renderer.another(), self.generator.another())


def load_cast(path: Path, model: MorphableModel, gpu: Gpu | None = None) -> Cast:
    """Open a target file.

    Args:
        path: an ONNX target or an engine.
        model: the morphable model in use.
        gpu: where it is to run; ``None`` for the processor.

    Raises:
        FaceError: it is no target of this program, or needs what this machine lacks.
    """
    info = read_info(path, model.hash)
    if gpu is not None:
        from live.generators.tensorrt import TensorRtGenerator
        from live.renderers.cuda import CudaConditioning

        engine = runnable(path, info, gpu.capability, Precision.FP16)
        return Cast(info, CudaConditioning(model, info.size, gpu), TensorRtGenerator(engine, Gpu()))
    if path.suffix == ".engine":
        source = path.with_suffix(".onnx")
        if not source.exists():
            raise FaceError(f"{path} is a TensorRT engine, which needs an NVIDIA GPU: give the .onnx target instead.")
        print(f"The engine {path} needs an NVIDIA GPU: {source.name} is used instead.")
        return load_cast(source, model)
    return Cast(info, CpuConditioning(model, info.size), open_on_processor(path))
