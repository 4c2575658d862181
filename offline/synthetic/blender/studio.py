"""One invented person before a camera, posed and filmed frame by frame."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix

from face.silenced_libraries import silenced
from offline.synthetic.blender import materials, stage
from offline.synthetic.blender.facial_hair import grow_facial_hair
from offline.synthetic.blender.hairstyles import grow_hair
from offline.synthetic.blender.head import Faces, HeadModel, smoothstep
from offline.synthetic.blender.person import Person, shape_of
from offline.synthetic.blender.shirt import make_shirt, under_shirt
from offline.synthetic.blender.skin import vertex_colors
from offline.synthetic.blender.strands import Group

ORIGIN_DM = np.array([0.0, 6.17, 0.0])  # where the head model's origin stands in the studio
_NECK_CM = np.array([0.0, -5.5, -1.5])  # where the head turns
_CONVERGENCE_DEG = 1.9  # of each eye that looks into the lens
_FIRM = ("mouthFrownLeft", "mouthFrownRight", "mouthFunnel", "mouthPucker", "browDownLeft", "browDownRight")


class Studio:
    """A person, a stage and a camera.

    Args:
        head: the head model.
        person: who.
        size: of the frame, px.
        samples: paths a pixel, at most.
        threads: of the renderer.
    """

    def __init__(self, head: HeadModel, person: Person, size: int, samples: int, threads: int) -> None:
        bpy.ops.wm.read_factory_settings(use_empty=True)
        self._head, self._person, self.scene = head, person, bpy.context.scene
        self._shape = shape_of(person, head)
        self._parts: list[tuple[Any, np.ndarray]] = []
        self._make_head()
        self._shirt_rest, faces, weave = make_shirt(head, self._shape, person.collar)
        self._shirt = self._add_mesh("shirt", self._shirt_rest, faces, materials.cloth(person), 2, {"weave": weave})
        self._make_hair()
        stage.build(self.scene, person)
        stage.settle_rendering(self.scene, person, size, samples, threads)

    @property
    def landmarks(self) -> np.ndarray:
        """Vertices of the iBUG landmarks, ``[68]``."""
        return self._head.landmarks

    def shoot(
        self,
        path: Path,
        units: Mapping[str, float],  # strength of each ARKit unit, 0…1
        rotation: np.ndarray,  # [3, 3] of the head
        translation: np.ndarray,  # [3] of the person, dm
        gaze: np.ndarray,  # [3, 3] of the eyeballs in the head's frame; the identity looks ahead, into the lens
    ) -> np.ndarray:
        """Film one frame to ``path`` (PNG). Returns the head model's vertices ``[V, 3]``, dm, in the studio."""
        shape = self._posed(self.shown(units), gaze)
        moved = _follow_head(self._shape, shape, rotation, translation)
        for item, vertices in self._parts:
            _place(item, moved[vertices])
        _place(self._shirt, self._shirt_rest + np.asarray(translation) * 10)
        for item, group, curves in self._strands:
            if group.rigid:
                item.matrix_world = _rigid(rotation, translation)
                continue
            points = group.place(shape).reshape(-1, 3)
            points = _follow_head(group.strands.reshape(-1, 3), points, rotation, translation)
            curves.points.foreach_set("position", _to_blender(points).ravel())
            curves.update_tag()
        self.scene.render.filepath = str(path.resolve())
        with silenced(1):  # Blender tells every step
            bpy.ops.render.render(write_still=True)
        return moved * 0.1 + ORIGIN_DM

    def shown(self, units: Mapping[str, float]) -> dict[str, float]:
        """What the face shows when units are played: the person's relaxed face gives way to them."""
        out = dict(units)
        firm = min(1.0, max(units.get(name, 0.0) for name in _FIRM))
        for name, weight in self._person.ease.items():
            out[name] = units.get(name, 0.0) + weight * (1 - min(1, units.get(name, 0.0))) * (1 - firm)
        return out

    def _posed(self, units: Mapping[str, float], gaze: np.ndarray) -> np.ndarray:
        for name, socket in self._folds.items():
            socket.default_value = _fold(name, units)
        shape = self._head.deform(self._shape, units)
        for side, eye in (("Left", "l"), ("Right", "r")):
            blink = units.get("eyeBlink" + side, 0.0)
            vertices, middle = self._head.eyes[eye], self._eye_middles[eye]
            aim = _about_y(-_CONVERGENCE_DEG if eye == "l" else _CONVERGENCE_DEG)
            shape[vertices] = (self._shape[vertices] - middle) @ (gaze @ aim).T + middle
            shape[vertices, 2] -= 0.28 * smoothstep(0.35, 1.0, blink)  # keeps the cornea behind the closing lid
        return shape

    def _make_head(self) -> None:
        head, person = self._head, self._person
        r, count = head.regions, len(head.base)

        def whole(values: np.ndarray) -> np.ndarray:
            return np.concatenate([values, np.zeros(count - len(values))])

        hidden = under_shirt(head, self._shape, person.collar)
        kept, uv, corner = [], [], 0
        for face in head.parts["skin"]:
            if not hidden[face].any():
                kept.append(face)
                uv.append(head.skin_uv[corner : corner + len(face)])
            corner += len(face)
        skin, self._folds = materials.skin(head, person)
        self._add_part("skin", kept, skin, 1, {
            "tone": vertex_colors(head, person), "lips": whole(r["lips"]), "ear": whole(r["ear"]),
            "oil": whole(r["t_zone"]), "freckled": whole(r["freckled"]),
            "fine": 0.15 + 0.85 * smoothstep(-9.0, -6.5, head.base[:, 1]),
        }, np.concatenate(uv))  # fmt: skip
        self._add_part("socket", head.parts["socket"], materials.socket(), 0)
        x, y, z = head.base.T
        tongue = (
            smoothstep(-1.9, -2.6, y)
            * smoothstep(-5.2, -4.2, y)
            * smoothstep(2.3, 1.9, abs(x))
            * smoothstep(9.4, 9.0, z)
        )
        self._add_part("gums", head.parts["gums"], materials.gums(), 1, {"tongue": tongue})
        self._add_part("teeth", head.parts["teeth"], materials.teeth(), 1, {"gap": head.tooth_gap})
        self._add_part("tears", head.parts["tears"], materials.tears(), 1)
        material = materials.eye(person)
        self._eye_middles = {}
        for side in ("l", "r"):
            vertices = head.eyes[side]
            ball = self._shape[vertices]
            back = ball[ball[:, 2] < np.quantile(ball[:, 2], 0.55)]  # without the cornea: a sphere
            system = np.c_[2 * back, np.ones(len(back))]
            self._eye_middles[side] = np.linalg.lstsq(system, (back**2).sum(1), rcond=None)[0][:3]
            local = np.zeros((count, 3))
            local[vertices] = ball - self._eye_middles[side]
            self._add_part("eye_" + side, head.parts["eye_" + side], material, 1, {"eye": local})

    def _make_hair(self) -> None:
        rng = np.random.default_rng(self._person.seed + 1)
        groups = grow_hair(rng, self._head, self._person, self._shape)
        groups += grow_facial_hair(rng, self._head, self._person, self._shape)
        self._strands: list[tuple[Any, Group, Any]] = []
        for group in groups:
            count, points = group.strands.shape[:2]
            curves = bpy.data.hair_curves.new(group.name)
            curves.add_curves([points] * count)
            curves.points.foreach_set("radius", (group.radius * 0.1).astype(np.float32).ravel())
            rest = group.strands.reshape(-1, 3)
            curves.points.foreach_set("position", _to_blender(rest).ravel())
            curves.materials.append(materials.hair(group, self._person))
            item = bpy.data.objects.new(group.name, curves)
            self.scene.collection.objects.link(item)
            self._strands.append((item, group, curves))

    def _add_part(self, name: str, faces: Faces, material: Any, subdivision: int,
                  attributes: Mapping[str, np.ndarray] | None = None,
                  uv: np.ndarray | None = None) -> None:  # fmt: skip
        """A part of the head model; attributes are of all the model's vertices."""
        if not faces:
            return
        vertices = np.unique(np.concatenate([np.array(f) for f in faces]))
        number = {int(i): k for k, i in enumerate(vertices)}
        own = {key: values[vertices] for key, values in (attributes or {}).items()}
        faces = [[number[i] for i in face] for face in faces]
        self._parts.append(
            (self._add_mesh(name, self._shape[vertices], faces, material, subdivision, own, uv), vertices)
        )

    def _add_mesh(self, name: str, vertices: np.ndarray, faces: Faces, material: Any, subdivision: int,
                  attributes: Mapping[str, np.ndarray], uv: np.ndarray | None = None) -> Any:  # fmt: skip
        mesh = bpy.data.meshes.new(name)
        mesh.from_pydata(_to_blender(vertices).tolist(), [], faces)
        mesh.polygons.foreach_set("use_smooth", np.ones(len(faces), bool))
        mesh.materials.append(material)
        if uv is not None:
            mesh.uv_layers.new(name="uv").data.foreach_set("uv", uv.astype(np.float32).ravel())
        kinds = {1: ("FLOAT", "value"), 3: ("FLOAT_VECTOR", "vector"), 4: ("FLOAT_COLOR", "color")}
        for key, values in attributes.items():
            kind, field = kinds[1 if values.ndim == 1 else values.shape[1]]
            mesh.attributes.new(key, kind, "POINT").data.foreach_set(field, values.astype(np.float32).ravel())
        item = bpy.data.objects.new(name, mesh)
        self.scene.collection.objects.link(item)
        if subdivision:
            modifier = item.modifiers.new("subdivision", "SUBSURF")
            modifier.levels = modifier.render_levels = subdivision
        return item


def _fold(name: str, units: Mapping[str, float]) -> float:
    """How deep the wrinkles are that a movement brings, 0…1."""

    def both(unit: str) -> float:
        return 0.5 * (units.get(unit + "Left", 0.0) + units.get(unit + "Right", 0.0))

    if name == "raise":
        return max(both("browOuterUp"), 0.8 * units.get("browInnerUp", 0.0))
    if name == "frown":
        return both("browDown")
    return max(both("cheekSquint"), 0.6 * max(0.0, both("mouthSmile") - 0.3), 0.6 * both("eyeSquint"))


def _to_blender(points_cm: np.ndarray) -> np.ndarray:
    """Head coordinates (cm; x right, y up, z to the viewer) to Blender's (dm; x right, y away, z up), float32."""
    a = points_cm * 0.1 + ORIGIN_DM
    return np.stack([a[:, 0], -a[:, 2], a[:, 1]], axis=1).astype(np.float32)


def _place(item: Any, points_cm: np.ndarray) -> None:
    item.data.vertices.foreach_set("co", _to_blender(points_cm).ravel())
    item.data.update()


def _follow_head(rest: np.ndarray, points: np.ndarray, rotation: np.ndarray, translation: np.ndarray) -> np.ndarray:
    """Points turned with the head about the neck; the neck blends into shoulders that only move along."""
    height = rest[:, 1] + 0.35 * np.maximum(rest[:, 2] - 2, 0)
    weight = smoothstep(-14.5, -5.5, height)[:, None]
    turned = (points - _NECK_CM) @ rotation.T + _NECK_CM
    return points + (turned - points) * weight + np.asarray(translation) * 10


def _rigid(rotation: np.ndarray, translation: np.ndarray) -> Matrix:
    """The head's turn as Blender's matrix: whatever only turns with the head need not be built again."""
    axes = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    turn = axes @ rotation @ axes.T
    neck = _to_blender(_NECK_CM[None])[0].astype(float)
    matrix = np.eye(4)
    matrix[:3, :3] = turn
    matrix[:3, 3] = neck - turn @ neck + axes @ np.asarray(translation)
    return Matrix(matrix.tolist())


def _about_y(degrees: float) -> np.ndarray:
    a = np.radians(degrees)
    return np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
