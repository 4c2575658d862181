"""The person on the stage: body, eyes, teeth, clothes and hair, posed frame by frame.

MakeHuman's coordinates (dm; x to the image's right, y up, z to the viewer) throughout; Blender's only at the border.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np

from offline.morphable.makehuman import MakeHuman
from offline.synthetic.blender.gaze_set.materials import Materials
from offline.synthetic.blender.gaze_set.people import Role
from offline.synthetic.blender.gaze_set.proxies import Proxy
from offline.synthetic.blender.gaze_set.strands import grow

_NECK = np.array([0.0, 5.35, 0.05])  # where the head turns
_LOWEST_BODY_DM, _LOWEST_CLOTH_DM = 3.2, 2.4
_HEAD_MIDDLE = np.array([0.0, 6.6, 0.1])
_STRANDS, _STRAND_POINTS = 22_000, 12
_ROOT_DM, _TIP_DM = 0.006, 0.002  # radii of a strand


class Actor:
    """One person, ready to be posed.

    Args:
        scene: Blender's scene.
        source: MakeHuman's base mesh and targets.
        role: who.
        assets: folder of proxies and textures.
        strands: of hair.
    """

    def __init__(self, scene: Any, source: MakeHuman, role: Role, assets: Path, strands: int = _STRANDS) -> None:
        self._scene, self._units = scene, source.units
        self._rest = source.vertices + sum(weight * source.target(name) for name, weight in role.targets.items())
        self._eyes = source.eye_middles(self._rest)
        look = Materials(role, assets)
        blouse = Proxy(assets, "female_elegantsuit01")
        self._make_body(source, blouse, look.skin)
        self._proxies = [
            self._make_proxy(Proxy(assets, "high-poly"), look.eye),
            self._make_proxy(Proxy(assets, "teeth_base"), look.teeth),
            self._make_proxy(Proxy(assets, "tongue01"), look.tongue),
            self._make_proxy(blouse, look.cloth, _LOWEST_CLOTH_DM),
        ]
        self._make_hair(Proxy(assets, role.hair), look.hair, strands)

    def pose(
        self,
        units: dict[str, float],  # strength of each face unit, 0…1
        rotation: np.ndarray,  # [3, 3] of the head
        gaze: np.ndarray,  # [3, 3] of the eyeballs, in the head's frame
    ) -> None:
        """Move everything to a frame's pose."""
        shape = self._rest.copy()
        for name, strength in units.items():
            if strength and name in self._units:
                shape += strength * self._units[name]
        self._place(self._body, _follow_head(self._rest, shape, rotation)[self._body_vertices])
        for proxy, item, rest in self._proxies:
            vertices = proxy.fit(shape, self._rest)
            if proxy.name == "high-poly":
                for side, eye in zip((rest[:, 0] > 0, rest[:, 0] < 0), self._eyes, strict=True):
                    center = np.array([*rest[side].mean(0)[:2], eye[2]])
                    vertices[side] = (rest[side] - center) @ gaze.T + center
            self._place(item, _follow_head(rest, vertices, rotation))
        hair = _follow_head(self._hair_rest, self._hair_rest, rotation)
        self._hair.points.foreach_set("position", _to_blender(hair).ravel())
        self._hair.update_tag()

    def eyes(self, rotation: np.ndarray) -> np.ndarray:
        """Centers of the left and right eyeball for a turn of the head, ``[2, 3]``, in Blender's axes."""
        return _to_blender(_follow_head(self._eyes, self._eyes, rotation))

    def _make_body(self, source: MakeHuman, blouse: Proxy, material: Any) -> None:
        mesh = source.mesh
        kept = [
            k for k, (face, group) in enumerate(zip(mesh.faces, mesh.groups, strict=True))
            if group == "body" and self._rest[face, 1].min() > _LOWEST_BODY_DM
            and not all(i in blouse.hidden for i in face)
        ]  # fmt: skip
        self._body_vertices = np.unique([i for k in kept for i in mesh.faces[k]])
        number = {int(i): n for n, i in enumerate(self._body_vertices)}
        faces = [[number[i] for i in mesh.faces[k]] for k in kept]
        uvs = mesh.uvs[[i for k in kept for i in mesh.face_uvs[k]]]
        self._body = self._add_mesh("body", self._rest[self._body_vertices], faces, uvs, material, subdivision=2)

    def _make_proxy(self, proxy: Proxy, material: Any, lowest_dm: float = -np.inf) -> tuple[Proxy, Any, np.ndarray]:
        """The proxy, its object and its vertices at rest."""
        vertices, mesh = proxy.fit(self._rest, self._rest), proxy.mesh
        kept = [k for k, face in enumerate(mesh.faces) if vertices[face, 1].min() > lowest_dm]
        uvs = mesh.uvs[[i for k in kept for i in mesh.face_uvs[k]]]
        item = self._add_mesh(proxy.name, vertices, [mesh.faces[k] for k in kept], uvs, material, subdivision=1)
        return proxy, item, vertices

    def _add_mesh(
        self, name: str, vertices: np.ndarray, faces: list[list[int]], uvs: np.ndarray, material: Any, subdivision: int
    ) -> Any:
        mesh = bpy.data.meshes.new(name)
        mesh.from_pydata(_to_blender(vertices).tolist(), [], faces)
        mesh.uv_layers.new(name="uv").data.foreach_set("uv", uvs.astype(np.float32).ravel())
        mesh.polygons.foreach_set("use_smooth", np.ones(len(faces), bool))
        mesh.materials.append(material)
        item = bpy.data.objects.new(name, mesh)
        self._scene.collection.objects.link(item)
        modifier = item.modifiers.new("subdivision", "SUBSURF")
        modifier.levels = modifier.render_levels = subdivision
        return item

    def _make_hair(self, proxy: Proxy, material: Any, count: int) -> None:
        strands = grow(proxy, count, _STRAND_POINTS)
        self._hair_rest = strands.points(proxy.fit(self._rest, self._rest), _HEAD_MIDDLE).reshape(-1, 3)
        self._hair = bpy.data.hair_curves.new("hair")
        self._hair.add_curves([_STRAND_POINTS] * count)
        radii = np.tile(np.linspace(_ROOT_DM, _TIP_DM, _STRAND_POINTS), count)
        self._hair.points.foreach_set("radius", radii.astype(np.float32))
        self._hair.materials.append(material)
        self._scene.collection.objects.link(bpy.data.objects.new("hair", self._hair))

    @staticmethod
    def _place(item: Any, vertices: np.ndarray) -> None:
        item.data.vertices.foreach_set("co", _to_blender(vertices).ravel())
        item.data.update()


def _to_blender(points: np.ndarray) -> np.ndarray:
    """MakeHuman's axes to Blender's (x right, y away, z up), float32."""
    return np.stack([points[:, 0], -points[:, 2], points[:, 1]], axis=1).astype(np.float32)


def _follow_head(rest: np.ndarray, points: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """Points turned with the head about the neck; the neck blends into shoulders that stay."""
    above = np.clip((rest[:, 1] - 5.0) / 0.75, 0, 1)
    chin = np.clip((rest[:, 1] - 5.25) / 0.3, 0, 1) * (rest[:, 2] > 0.9)
    weight = np.maximum(above, chin)
    weight = (weight * weight * (3 - 2 * weight))[:, None]
    return points + ((points - _NECK) @ rotation.T + _NECK - points) * weight
