"""What is trained and how: two profiles for two CPU cores, compact and layered, and the paper's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from offline.dataset.augmentation import Augmentation
from offline.flow.optical_flow import FlowKind
from offline.networks.compact_generator import CompactGenerator
from offline.networks.layered_generator import LayeredGenerator
from offline.networks.paper_generator import PaperGenerator
from offline.training.perceptual_loss import PerceptualKind

Generator = CompactGenerator | LayeredGenerator | PaperGenerator


@dataclass(frozen=True, kw_only=True, slots=True)
class Weights:
    """Weight of each loss; 0 leaves it out.

    Attributes:
        l1, gradient: of the pixels and of their differences, weighted towards the face.
        perceptual: of a VGG trunk's features.
        image, mouth, eyes, dynamics: of the discriminators: frame, mouth, three frames with their flow (Eq. 5), and
            the eyes, which the paper leaves out and the profiles too.
        matching: of the discriminators' features, times the discriminator's own weight.
        warping: of the change from the output before, moved along the flow.
    """

    l1: float = 0.0
    gradient: float = 0.0
    perceptual: float = 0.0
    image: float = 0.0
    mouth: float = 0.0
    eyes: float = 0.0
    dynamics: float = 0.0
    matching: float = 10.0
    warping: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Phase:
    """A stretch of training.

    Attributes:
        until: sequence number at which it ends.
        length: frames of a sequence.
        rate: learning rate of the generator at its end; it moves there from the previous phase's.
        weights: of the losses.
    """

    until: int
    length: int
    rate: float
    weights: Weights


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """A generator and how it is trained.

    Attributes:
        name: as in ``--profile``.
        generator: makes the network for an image size.
        phases: in order.
        first_rate: learning rate of the generator at the beginning, after a warm-up.
        betas: of Adam, for the generator.
        discriminator_rate: learning rate of the discriminators; ``None`` for the generator's.
        discriminator_width: channels after a discriminator's first layer.
        crop: side in px of the square that the costly losses see; ``None`` for the whole image.
        blank: share of the sequences that begin without earlier outputs.
        perceptual: which network's features the perceptual loss compares; a run names the one that it found.
        flow: whose flow the dynamics discriminators and the warping loss go by.
        augmentation: how far sequences are moved at random.
        warm_up: steps over which the learning rate rises; 1 for none.
        gradient_clip: largest norm of the generator's gradient; ``None`` for any.
        average_decay: of the generator's exponential moving average, which is exported; 0 exports the last weights.
    """

    name: str
    generator: Callable[[int], Generator]
    phases: tuple[Phase, ...]
    first_rate: float
    betas: tuple[float, float]
    discriminator_width: int
    crop: int | None
    blank: float
    perceptual: PerceptualKind = PerceptualKind.VGG19
    flow: FlowKind = FlowKind.MESH
    augmentation: Augmentation = Augmentation()
    warm_up: int = 200
    discriminator_rate: float | None = None
    gradient_clip: float | None = 1.0
    average_decay: float = 0.998

    def at(self, step: int) -> tuple[Phase, float]:
        """The phase at a step and the generator's learning rate."""
        begin, rate = 0, self.first_rate
        for phase in self.phases:
            if step < phase.until:
                part = (step - begin) / (phase.until - begin)
                return phase, (rate + (phase.rate - rate) * part) * min(1.0, (step + 1) / self.warm_up)
            begin, rate = phase.until, phase.rate
        return self.phases[-1], self.phases[-1].rate


_PIXELS = Weights(l1=1.0, gradient=1.0)
_FEATURES = Weights(l1=1.0, gradient=1.0, perceptual=0.15)
_PAPER = Weights(perceptual=10.0, image=1.0, mouth=1.0, dynamics=1.0, warping=10.0)

# The costly losses last: what two cores can do. The adversaries' weights are those that trained the demo person.
COMPACT = Profile(
    name="compact",
    generator=CompactGenerator,
    phases=(
        Phase(until=6500, length=4, rate=1.5e-4, weights=_PIXELS),
        Phase(until=8500, length=4, rate=3e-5, weights=_FEATURES),
        Phase(until=10500, length=4, rate=5e-6, weights=replace(_FEATURES, image=0.05, mouth=0.05)),
    ),
    first_rate=5e-4,
    betas=(0.9, 0.99),
    discriminator_rate=2e-4,
    discriminator_width=32,
    crop=112,
    blank=0.25,
)
# No history: a sequence need not begin with outputs of its own.
LAYERED = replace(COMPACT, name="layered", generator=LayeredGenerator, blank=1.0)
# 60 epochs over about 4 000 frames, the rate falling over the last third. A sequence is long enough from the start
# for the dynamics discriminator of the longest stride, which needs 19 frames. Beyond the paper, each named here:
# ``warping`` (in the authors' code), ``augmentation``, ``warm_up``, ``gradient_clip``, ``average_decay``.
PAPER = Profile(
    name="paper",
    generator=PaperGenerator,
    phases=(
        Phase(until=5000, length=30, rate=2e-4, weights=_PAPER),
        Phase(until=7000, length=50, rate=0.0, weights=_PAPER),
    ),
    first_rate=2e-4,
    betas=(0.5, 0.999),
    discriminator_width=64,
    crop=None,
    blank=1.0,
    augmentation=Augmentation(zoom=0.03, turn_deg=1.5, shift=0.015),
)
PROFILES = {profile.name: profile for profile in (COMPACT, LAYERED, PAPER)}
