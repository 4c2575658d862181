"""The stage: camera, four lights, an out-of-focus room, and how Blender renders it."""

from __future__ import annotations

import math
from typing import Any

import bpy
import numpy as np
from mathutils import Vector

from offline.synthetic.blender.gaze_set.people import Role

CAMERA_DISTANCE_DM = 11.0
LENS_MM, SENSOR_MM = 97.0, 26.0
_LIGHTS = (  # place (dm), side (dm), energy (W), color: key, fill, and two from behind
    ((-5, -7, 9.5), 3.5, 780, (1, 0.95, 0.88)), ((6, -6, 6.5), 5, 190, (0.85, 0.92, 1)),
    ((3.5, 4.5, 9), 4, 225, (1, 0.97, 0.92)), ((-5, 4, 7), 4, 90, (0.8, 0.9, 1)),
)  # fmt: skip
_FACE = (0, -0.8, 6.3)  # where the lights point


def build(scene: Any, role: Role) -> None:
    """Put camera, lights and backdrop into a scene."""
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.location = (0, -CAMERA_DISTANCE_DM, role.camera_height)
    camera.rotation_euler = (math.pi / 2, 0, 0)
    camera.data.lens, camera.data.sensor_width = LENS_MM, SENSOR_MM
    scene.collection.objects.link(camera)
    scene.camera = camera
    for place, side, energy, color in _LIGHTS:
        light = bpy.data.lights.new("light", "AREA")
        light.size, light.energy, light.color = side, energy, color
        lamp = bpy.data.objects.new("light", light)
        lamp.location = place
        lamp.rotation_euler = (Vector(_FACE) - Vector(place)).to_track_quat("-Z", "Y").to_euler()
        scene.collection.objects.link(lamp)
    world = bpy.data.worlds.new("world")
    world.use_nodes = True
    world.node_tree.nodes["Background"].inputs[0].default_value = (0.35, 0.4, 0.46, 1)
    world.node_tree.nodes["Background"].inputs[1].default_value = 0.3
    scene.world = world
    _hang_backdrop(_room(role.backdrop))


def settle_rendering(scene: Any, size: int, samples: int, threads: int) -> None:
    """Path tracing with few samples and a denoiser."""
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising, scene.cycles.denoiser = samples, True, "OPENIMAGEDENOISE"
    scene.cycles.max_bounces, scene.cycles.diffuse_bounces, scene.cycles.glossy_bounces = 3, 2, 2
    scene.cycles.sample_clamp_indirect = 3.0  # fireflies in the hair become flicker once denoised
    scene.cycles_curves.shape, scene.cycles_curves.subdivisions = "RIBBONS", 1
    scene.render.resolution_x = scene.render.resolution_y = size
    scene.render.threads_mode, scene.render.threads = "FIXED", threads
    scene.render.use_persistent_data = True
    scene.view_settings.view_transform, scene.view_settings.look = "Filmic", "Medium High Contrast"


def _room(seed: int, size: int = 256) -> np.ndarray:
    """Shelves, a window, a lamp, drawn as soft boxes and discs: linear RGB ``[size, size, 3]``."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0 : 1 : size * 1j, 0 : 1 : size * 1j]

    def soft(distance: np.ndarray, width: float) -> np.ndarray:
        return 1 / (1 + np.exp(-distance / width))

    room = np.stack([0.16 + 0.05 * y, 0.17 + 0.05 * y, 0.18 + 0.06 * y], axis=-1)
    for _ in range(26):
        middle_x, middle_y = rng.uniform(0, 1, 2)
        wide, high = rng.uniform(0.02, 0.16), rng.uniform(0.03, 0.22)
        box = soft(wide - abs(x - middle_x), 0.022) * soft(high - abs(y - middle_y), 0.022)
        color = rng.uniform(0.03, 0.34) * (1 + rng.uniform(-0.35, 0.35, 3) * [1, 0.3, -1])
        room += box[..., None] * 0.8 * (color - room)
    for _ in range(5):
        middle_x, middle_y, radius = *rng.uniform(0.05, 0.95, 2), rng.uniform(0.012, 0.035)
        disc = soft(radius - np.hypot(x - middle_x, y - middle_y), 0.004) * rng.uniform(0.1, 0.35)
        room += disc[..., None] * [1, 0.82, 0.55]
    return room


def _hang_backdrop(room: np.ndarray) -> None:
    size = len(room)
    image = bpy.data.images.new("backdrop", size, size, float_buffer=True)
    image.pixels.foreach_set(np.dstack([room, np.ones((size, size))]).astype(np.float32).ravel())
    material = bpy.data.materials.new("backdrop")
    material.use_nodes = True
    tree = material.node_tree
    tree.nodes.clear()
    out = tree.nodes.new("ShaderNodeOutputMaterial")
    emission, texture = tree.nodes.new("ShaderNodeEmission"), tree.nodes.new("ShaderNodeTexImage")
    texture.image = image
    tree.links.new(texture.outputs["Color"], emission.inputs["Color"])
    tree.links.new(emission.outputs[0], out.inputs["Surface"])
    bpy.ops.mesh.primitive_plane_add(size=10, location=(0, 9, 6.4), rotation=(math.pi / 2, 0, 0))
    bpy.context.object.data.materials.append(material)
