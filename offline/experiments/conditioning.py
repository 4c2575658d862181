"""``conditioning``, ours: what the gaze image, teeth in the NMFC and the swap of identities are good for."""

from __future__ import annotations

from functools import partial

from offline.experiments.comparison import Measure, compare
from offline.experiments.conditionings import without_gaze, without_teeth
from offline.experiments.identity import identity_kept
from offline.experiments.scores import APD, EYES_APD, MOUTH_APD, teeth_frames
from offline.experiments.setup import Setup
from offline.experiments.tables import Table
from offline.experiments.training import Variant, driven
from offline.experiments.transfer import driven_by, transferred_conditionings

_SWAPS = {True: "swapped", False: "the source's"}


def run(setup: Setup) -> list[Table]:
    """Self-reenactment with each conditioning, and cross-reenactment with the identity swapped or not."""
    profile = setup.scale.profile
    variants = [
        Variant("as shipped", profile),
        Variant("without gaze", profile, "no-gaze", without_gaze),
        Variant("without teeth", profile, "no-teeth", without_teeth),
    ]
    measures = [
        Measure("APD", APD),
        Measure("eyes APD", EYES_APD),
        Measure("mouth APD", MOUTH_APD),
        Measure("mouth APD, teeth", MOUTH_APD, lambda subject: teeth_frames(setup.model, subject)),
    ]
    pairs = setup.pairs()
    tables = [compare(setup, "conditioning", variants, measures)]
    columns = ("source", "target", "identity in the NMFC", "seed", "mm to target", "mm to source",
               "cosine to target", "cosine to source", "faces seen")  # fmt: skip
    caption = f"Whose face the outputs show, with and without the swap of identities. {setup.caption()}"
    table = Table("conditioning-identity", caption, columns)
    for source, target in pairs:
        for swap, said in _SWAPS.items():
            conditionings = partial(transferred_conditionings, setup, source, target, swap)
            for seed in range(setup.seeds):
                images = driven(setup, target, variants[0], seed, driven_by(source, swap), conditionings)
                kept = identity_kept(setup, source, target, images)
                table.add(source.name, target.name, said, seed, kept.target_mm, kept.source_mm, kept.target_cosine,
                          kept.source_cosine, kept.seen)  # fmt: skip
    return [*tables, table]
