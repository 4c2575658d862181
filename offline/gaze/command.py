"""The network that sees the gaze in a picture of the eyes (``face/gaze_estimation.py``), learned from invented people.

    python -m offline.gaze_network STRANGERS [--painted 120] [--steps 6000] [--out face/data/gaze.onnx]

STRANGERS is a folder that ``offline.synthetic.blender.gaze_set`` filmed: path-traced eyes look like real ones. Painted
people (``offline/synthetic/raster_people.py``) are added, who are many and cheap. Everybody's lids follow their gaze
by another amount.
The last sixth of either kind is held out, and the scores on it are printed. What the tracker saw is kept in
STRANGERS/seen, so that the same command goes on where it stopped.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

from tqdm import tqdm

from face.errors import UserError
from face.gaze_estimation import NETWORK_PATH
from face.morphable import MorphableModel
from offline.cli_errors import one_sentence
from offline.gaze.network import export
from offline.gaze.samples import GazeSamples, cached, filmed_samples, rendered_samples
from offline.gaze.train import score, train

_PAINTED_SEED = 1000  # the tests' people have lower ones
_HELD_OUT = 6  # one of so many people


@one_sentence
def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m offline.gaze_network", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("strangers", type=Path, metavar="STRANGERS")
    parser.add_argument("--painted", type=int, default=120, help="painted people (default 120)")
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--out", type=Path, default=NETWORK_PATH)
    arguments = parser.parse_args()
    films = sorted(arguments.strangers.glob("*.npz"))
    if len(films) < 2 or arguments.painted < 2:
        raise UserError(f"{arguments.strangers} holds fewer than two filmed people: film them with "
                        "python -m offline.synthetic.blender.gaze_set.")  # fmt: skip
    model, seen = MorphableModel.load(), arguments.strangers / "seen"
    seeds = range(_PAINTED_SEED, _PAINTED_SEED + arguments.painted)
    people = {
        "painted": [cached(seen / f"painted_{k}.npz", partial(rendered_samples, model, k))
                    for k in tqdm(seeds, desc="painting", unit="person")],
        "filmed": [cached(seen / f"filmed_{film.name}", partial(filmed_samples, model, film))
                   for film in tqdm(films, desc="watching films", unit="person")],
    }  # fmt: skip
    split = {kind: len(samples) - max(1, len(samples) // _HELD_OUT) for kind, samples in people.items()}
    train_on = {kind: GazeSamples.join(samples[: split[kind]]) for kind, samples in people.items()}
    held_out = {kind: GazeSamples.join(samples[split[kind] :]) for kind, samples in people.items()}
    network = train(train_on["painted"], train_on["filmed"], arguments.steps)
    for kind, unseen in held_out.items():
        correlation, error = score(network, unseen)
        print(f"{kind} people, {len(unseen.eyes)} pictures held out: correlation {correlation[0]:.3f} sideways, "
              f"{correlation[1]:.3f} upwards; error {error[0]:.1f} and {error[1]:.1f} degrees")  # fmt: skip
    export(network, arguments.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
