"""The stage: camera, lamps, an out-of-focus room, and how Blender renders it."""

from __future__ import annotations

import math
from typing import Any

import bpy
import numpy as np
from mathutils import Vector
from scipy.ndimage import gaussian_filter

from offline.synthetic.blender.camera import DISTANCE_DM, HEIGHT_DM, LENS_MM, SENSOR_MM
from offline.synthetic.blender.nodes import Nodes, image
from offline.synthetic.blender.person import Person

_FACE = (0, -0.8, 6.3)  # where the lamps point, dm
_LAMPS = (  # place (dm), side (dm), energy (W), color: key, fill, and two from behind
    ((-8.0, -9.5, 9.6), 7, 2150, (1, 0.95, 0.89)), ((6.0, -11.0, 6.6), 7, 560, (0.92, 0.95, 1)),
    ((4.5, 5.0, 11.0), 4, 300, (1, 0.96, 0.91)), ((-5.5, 5.0, 10.5), 4, 150, (0.92, 0.96, 1)),
)  # fmt: skip
_NOISE_THRESHOLD, _FEWEST_SAMPLES = 0.03, 6


def build(scene: Any, person: Person) -> None:
    """Put camera, lamps and backdrop into a scene."""
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.location, camera.rotation_euler = (0, -DISTANCE_DM, HEIGHT_DM), (math.pi / 2, 0, 0)
    camera.data.lens, camera.data.sensor_width = LENS_MM, SENSOR_MM
    scene.collection.objects.link(camera)
    scene.camera = camera
    rng = np.random.default_rng(person.light)
    mirrored = -1 if person.light and rng.random() < 0.5 else 1
    spread = 0.18 if person.light else 0.0
    for place, side, energy, color in _LAMPS:
        lamp = bpy.data.lights.new("lamp", "AREA")
        lamp.size = side * math.exp(rng.normal(0, spread))
        lamp.energy = energy * math.exp(rng.normal(0, spread))
        lamp.color = np.clip(np.array(color) * (1 + rng.normal(0, 0.25 * spread) * np.array([1, 0, -1])), 0, 1)
        at = np.array(place) * [mirrored, 1, 1]
        item = bpy.data.objects.new("lamp", lamp)
        item.location = at
        item.rotation_euler = (Vector(_FACE) - Vector(at)).to_track_quat("-Z", "Y").to_euler()
        scene.collection.objects.link(item)
    world = bpy.data.worlds.new("world")
    world.use_nodes = True
    world.node_tree.nodes["Background"].inputs[0].default_value = (0.45, 0.43, 0.42, 1)
    world.node_tree.nodes["Background"].inputs[1].default_value = 0.3
    scene.world = world
    _hang_backdrop(_room(person.backdrop))


def settle_rendering(scene: Any, person: Person, size: int, samples: int, threads: int) -> None:
    """Path tracing with few samples and a denoiser."""
    cycles = scene.cycles
    scene.render.engine = "CYCLES"
    cycles.samples, cycles.use_denoising, cycles.denoiser = samples, True, "OPENIMAGEDENOISE"
    cycles.denoising_prefilter = "ACCURATE"
    cycles.use_adaptive_sampling = True
    cycles.adaptive_threshold, cycles.adaptive_min_samples = _NOISE_THRESHOLD, min(_FEWEST_SAMPLES, samples)
    cycles.use_light_tree = False  # four lamps: choosing among them costs more than it saves
    cycles.filter_width = 1.6
    cycles.max_bounces, cycles.diffuse_bounces, cycles.glossy_bounces, cycles.transparent_max_bounces = 3, 2, 2, 4
    # Fireflies in the hair become flicker once denoised.
    cycles.sample_clamp_direct, cycles.sample_clamp_indirect = 6.0, 2.0
    cycles.caustics_reflective = cycles.caustics_refractive = False
    cycles.seed = 0
    scene.cycles_curves.shape, scene.cycles_curves.subdivisions = "RIBBONS", 1
    scene.render.resolution_x = scene.render.resolution_y = size
    scene.render.threads_mode, scene.render.threads = "FIXED", threads
    scene.render.use_persistent_data = True
    scene.render.image_settings.compression = 15
    scene.view_settings.view_transform, scene.view_settings.look = "Standard", "None"
    scene.view_settings.exposure = person.exposure


def _room(seed: int, size: int = 256) -> np.ndarray:
    """An out-of-focus wall, window, shelves and lamps as soft boxes and discs: linear RGB ``[size, size, 3]``."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0 : 1 : size * 1j, 0 : 1 : size * 1j]

    def soft(distance: np.ndarray, width: float) -> np.ndarray:
        return 1 / (1 + np.exp(-np.clip(distance / width, -40, 40)))

    wall = np.array([[0.20, 0.165, 0.135], [0.13, 0.16, 0.18], [0.22, 0.20, 0.18], [0.12, 0.14, 0.12]])[rng.integers(4)]
    room = 1.7 * wall * (0.55 + 0.35 * y[..., None] + 0.5 * (x if rng.random() < 0.5 else 1 - x)[..., None])
    for _ in range(16):
        cx, cy = rng.uniform(0.2, 0.8, 2)
        w, h = rng.uniform(0.015, 0.07), rng.uniform(0.03, 0.14)
        box = soft(w - abs(x - cx), 0.010) * soft(h - abs(y - cy), 0.010)
        color = rng.uniform(0.05, 0.42) * (1 + rng.uniform(-0.45, 0.45, 3) * [1, 0.3, -1])
        room += box[..., None] * 0.65 * (color - room)
    wx = rng.choice([0.30, 0.70])
    window = (
        soft(0.085 - abs(x - wx), 0.010)
        * soft(0.16 - abs(y - 0.60), 0.010)
        * (1 - 0.6 * soft(0.006 - abs(x - wx), 0.006))
    )
    room += window[..., None] * np.array([0.34, 0.36, 0.37]) * rng.uniform(0.3, 1.0)
    for _ in range(6):
        cx, cy, r = *rng.uniform(0.3, 0.7, 2), rng.uniform(0.008, 0.018)
        disc = soft(r - np.hypot(x - cx, y - cy), 0.0025) * rng.uniform(0.15, 0.6)
        room += disc[..., None] * [1, 0.75, 0.45]
    return gaussian_filter(room, (size * 0.02, size * 0.02, 0))


def _hang_backdrop(room: np.ndarray) -> None:
    n = Nodes("backdrop")
    texture = n.node("TexImage", image=image("backdrop", np.dstack([room, np.ones(room.shape[:2])])))
    bpy.ops.mesh.primitive_plane_add(size=14, location=(0, 9, 6.4), rotation=(math.pi / 2, 0, 0))
    bpy.context.object.data.materials.append(
        n.finish(n.node("Emission", {"Color": texture.outputs["Color"]}).outputs[0])
    )
