"""The network that sees the gaze in an image of the eyes (``face/gaze_estimation.py``), learned from invented people.

    python -m offline.gaze_network FILMS [--rendered 120] [--steps 6000] [--out face/data/gaze.onnx]

FILMS is a folder that ``offline.synthetic.blender.gaze_set`` filmed: path-traced eyes look like real ones. Rendered
people (``offline/synthetic/raster_people.py``) are added, who are many and cheap. Everybody's lids follow their gaze
by another amount. The last sixth of either kind is held out, and the scores on it are printed. The tracked samples are
kept in FILMS/seen, so that the same command goes on where it stopped.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

from tqdm import tqdm

from face.errors import UserError
from face.files import check_output_file
from face.gaze_estimation import NETWORK_PATH
from face.morphable import MorphableModel
from offline.cli_errors import one_sentence
from offline.gaze.network import export
from offline.gaze.samples import GazeSamples, cached, filmed_samples, rendered_samples
from offline.gaze.train import score, train

_RENDERED_SEED = 1000  # the tests' people have lower ones
_HELD_OUT = 6  # one of so many people


@one_sentence
def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m offline.gaze_network", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("films", type=Path, metavar="FILMS")
    parser.add_argument("--rendered", type=int, default=120, help="rendered people (default 120)")
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--out", type=Path, default=NETWORK_PATH)
    arguments = parser.parse_args()
    check_output_file(arguments.out)
    films = sorted(arguments.films.glob("*.npz"))
    if len(films) < 2 or arguments.rendered < 2:
        raise UserError(f"{arguments.films} holds fewer than two filmed people: film them with "
                        "python -m offline.synthetic.blender.gaze_set.")  # fmt: skip
    model, cache = MorphableModel.load(), arguments.films / "seen"
    seeds = range(_RENDERED_SEED, _RENDERED_SEED + arguments.rendered)
    people = {
        "rendered": [cached(cache / f"painted_{k}.npz", partial(rendered_samples, model, k))
                    for k in tqdm(seeds, desc="rendering", unit="person")],
        "filmed": [cached(cache / f"filmed_{film.name}", partial(filmed_samples, model, film))
                   for film in tqdm(films, desc="tracking films", unit="person")],
    }  # fmt: skip
    split = {kind: len(samples) - max(1, len(samples) // _HELD_OUT) for kind, samples in people.items()}
    train_on = {kind: GazeSamples.join(samples[: split[kind]]) for kind, samples in people.items()}
    held_out = {kind: GazeSamples.join(samples[split[kind] :]) for kind, samples in people.items()}
    network = train(train_on["rendered"], train_on["filmed"], arguments.steps)
    for kind, unseen in held_out.items():
        correlation, error = score(network, unseen)
        print(f"{kind} people, {len(unseen.eyes)} images held out: correlation {correlation[0]:.3f} sideways, "
              f"{correlation[1]:.3f} upwards; error {error[0]:.1f} and {error[1]:.1f} degrees")  # fmt: skip
    export(network, arguments.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
