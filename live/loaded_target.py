"""A target with its renderer and generator, exchanged as one while live."""

from __future__ import annotations

from dataclasses import dataclass

from face.conditioning import ConditioningRenderer
from face.target import TargetInfo
from live.generators import Generator


@dataclass(frozen=True, eq=False)
class LoadedTarget:
    """A target with what draws and generates it.

    Every conditioning carries the target it was drawn for, and goes to that target's generator: two people cannot
    be mixed in one frame, whenever the target changes.

    Attributes:
        info: the target's description.
        renderer: draws its conditionings.
        generator: makes its frames; owns the recurrent state.
    """

    info: TargetInfo
    renderer: ConditioningRenderer
    generator: Generator

    def clone(self) -> LoadedTarget:
        """The same target for another loop: the network is shared, state and buffers are not."""
        return LoadedTarget(self.info, self.renderer.clone(), self.generator.clone())
