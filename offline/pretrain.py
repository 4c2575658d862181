"""Train one network on many people, for targets to start from.

    python -m offline.pretrain --out DIR [--people 16]       on rendered people
    python -m offline.pretrain FOLDER --out DIR              on your own: a video, or a folder of videos, per person
    python -m offline.train VIDEO… --init DIR/run …          a new target starts from it

Every person is reconstructed as for a target of their own (DIR/people); the network is trained as by ``offline.learn``
on all of them (DIR/run). What is done and up to date is not done again.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tqdm import tqdm

from face.errors import UserError
from face.files import check_output_folder
from face.morphable import MorphableModel
from offline.cli_errors import one_sentence
from offline.dataset.dataset import Dataset
from offline.learn import learn_with_options
from offline.options import options_of
from offline.reconstruct.options import ReconstructionOptions
from offline.reconstruct.reconstruction import reconstruct
from offline.synthetic.motion import natural_motion
from offline.synthetic.raster_people import Person, act, film
from offline.training.distributed import Ranks
from offline.training.options import TrainingOptions, add_options

_FIRST_SEED = 7000  # of the rendered people: of no others
_FRAMES = 150  # of each rendered person
_SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".avi")


def render_people(model: MorphableModel, folder: Path, count: int, size: int) -> dict[str, list[Path]]:
    """Videos of rendered people by name, filmed into a folder if they are not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    people: dict[str, list[Path]] = {}
    for seed in tqdm(range(_FIRST_SEED, _FIRST_SEED + count), desc="filming", unit="person"):
        path = folder / f"painted_{seed}.mp4"
        if not path.with_suffix(".npz").exists():  # written last
            person = Person(model, seed)
            film(person, act(person, natural_motion(_FRAMES, seed), size), size, path)
        people[path.stem] = [path]
    return people


def find_people(folder: Path) -> dict[str, list[Path]]:
    """Videos by person: each video of a folder is one's, and so are all those of a folder in it.

    Raises:
        UserError: there are fewer than two.
    """
    videos = lambda inside: sorted(p for p in inside.iterdir() if p.suffix.lower() in _SUFFIXES)  # noqa: E731
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder: give one with a video, or a folder of videos, per person.")
    people = {path.stem: [path] for path in videos(folder)}
    people |= {path.name: videos(path) for path in sorted(folder.iterdir()) if path.is_dir() and videos(path)}
    if len(people) < 2:
        raise UserError(f"{folder} holds videos of {len(people)} people: give two at least, better dozens.")
    return people


@one_sentence
def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m offline.pretrain", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("folder", type=Path, nargs="?", help="videos of people (default: rendered ones)")
    parser.add_argument("--out", type=Path, required=True, help="folder for people and run")
    parser.add_argument("--people", type=int, default=16, help="rendered people (default 16)")
    parser.add_argument("--size", type=int, default=256, help="height and width of the crop in px (default 256)")
    add_options(parser)
    arguments = parser.parse_args()
    check_output_folder(arguments.out)
    model = MorphableModel.load()
    with Ranks.join() as ranks:
        if ranks.first:
            people = (
                find_people(arguments.folder) if arguments.folder
                else render_people(model, arguments.out / "videos", arguments.people, arguments.size)
            )  # fmt: skip
            for name, videos in people.items():
                reconstruct(arguments.out / "people" / name, ReconstructionOptions(videos, size=arguments.size))
        ranks.wait()
        folders = sorted(path.parent for path in (arguments.out / "people").glob("*/manifest.json"))
        datasets = [Dataset(path, model) for path in folders]
        learn_with_options(datasets, arguments.out / "run", options_of(TrainingOptions, arguments), ranks)
    if ranks.first:
        print(f"Start a target from it: python -m offline.train … --init {arguments.out / 'run'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
