"""The networks that experiments compare: the paper's, a narrow copy for a CPU, the compact one, and toys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from offline.dataset.augmentation import Augmentation
from offline.networks.compact_generator import CompactGenerator
from offline.networks.paper_generator import PaperGenerator
from offline.training.profiles import COMPACT, PAPER, Phase, Profile, Weights

_SMALL_WIDTH, _TOY_WIDTH = 16, 4  # channels after the first layer; the paper has 64
_TOY_LENGTH = 4  # frames of a sequence


@dataclass(frozen=True)
class Scale:
    """How large networks are.

    Attributes:
        name: as in ``--profile``.
        profile: what is trained, with all that it has.
        whole_image: a profile whose generator renders the whole image, so that it can go by drawn landmarks; ``None``
            where the generator looks up textures by the NMFC.
    """

    name: str
    profile: Profile
    whole_image: Profile | None


def shortened(profile: Profile, sequences: int) -> Profile:
    """A profile whose schedule ends after so many sequences, its phases in proportion."""
    factor = sequences / profile.phases[-1].until
    phases = tuple(replace(phase, until=max(1, round(phase.until * factor))) for phase in profile.phases)
    return replace(profile, phases=phases, warm_up=max(1, min(profile.warm_up, sequences // 10)))


def reweighted(profile: Profile, change: Callable[[Weights], Weights]) -> Profile:
    """A profile whose losses weigh otherwise, in each of its phases."""
    return replace(profile, phases=tuple(replace(phase, weights=change(phase.weights)) for phase in profile.phases))


# The paper knows no augmentation, and drawn landmarks could not be moved with the faces.
_PAPER = replace(PAPER, augmentation=Augmentation())
_SMALL = replace(_PAPER, generator=lambda size: PaperGenerator(size, _SMALL_WIDTH), discriminator_width=_SMALL_WIDTH)
_TOY_LOSSES = Weights(l1=1.0, image=0.1, mouth=0.1, dynamics=0.1, warping=1.0)
_TOY_PHASE = Phase(until=2, length=_TOY_LENGTH, rate=1e-4, weights=_TOY_LOSSES)
_TOY = replace(
    COMPACT, generator=lambda size: CompactGenerator(size, widths=(8, 12, 16), fine=8), phases=(_TOY_PHASE,),
    discriminator_width=_TOY_WIDTH, warm_up=1, crop=None,
)  # fmt: skip
_TOY_PAPER = replace(_TOY, name=PAPER.name, generator=lambda size: PaperGenerator(size, _TOY_WIDTH))

SMOKE = Scale("smoke", _TOY, _TOY_PAPER)
SCALES = {
    scale.name: scale
    for scale in (Scale("paper", _PAPER, _PAPER), Scale("small", _SMALL, _SMALL), Scale("compact", COMPACT, None))
}
