"""What skin, eyes, teeth, cloth and hair are made of, as Blender materials."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

from offline.synthetic.blender.gaze_set.people import Role


class Materials:
    """One person's materials.

    Args:
        role: who.
        assets: holds the textures ``skin.png`` and ``brown_eye.png``.
    """

    def __init__(self, role: Role, assets: Path) -> None:
        self.skin, tree, surface = _principled(
            "skin", Roughness=0.5, Subsurface_Weight=0.35, Subsurface_Scale=0.08, Subsurface_Radius=(1, 0.35, 0.2),
            Specular_IOR_Level=0.4,
        )  # fmt: skip
        image, color = _texture(tree, assets / "skin.png", role.skin)
        tree.links.new(color, surface.inputs["Base Color"])
        _bump(tree, surface, image.outputs["Color"], strength=0.12, distance=0.02)

        self.eye, tree, surface = _principled("eye", Roughness=0.05, Coat_Weight=1.0, Coat_Roughness=0.02)
        image, color = _texture(tree, assets / "brown_eye.png", role.iris)
        tree.links.new(color, surface.inputs["Base Color"])
        tree.links.new(image.outputs["Alpha"], surface.inputs["Alpha"])

        self.teeth, _, _ = _principled(
            "teeth", Base_Color=(0.92, 0.87, 0.78, 1), Roughness=0.2, Subsurface_Weight=0.3,
            Subsurface_Radius=(1, 0.6, 0.4), Subsurface_Scale=0.04,
        )  # fmt: skip
        self.tongue, _, _ = _principled("tongue", Base_Color=(0.45, 0.13, 0.12, 1), Roughness=0.35)
        self.cloth, tree, surface = _principled("cloth", Base_Color=(*role.cloth, 1), Roughness=0.85, Sheen_Weight=0.3)
        noise = tree.nodes.new("ShaderNodeTexNoise")
        noise.inputs["Scale"].default_value = 60
        _bump(tree, surface, noise.outputs["Fac"], strength=0.15, distance=1.0)
        self.hair = _hair(role)


def _principled(name: str, **inputs: object) -> tuple[Any, Any, Any]:
    """A material, its node tree and its surface; inputs by name, blanks written as underscores."""
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    surface = material.node_tree.nodes["Principled BSDF"]
    for key, value in inputs.items():
        surface.inputs[key.replace("_", " ")].default_value = value
    return material, material.node_tree, surface


def _texture(tree: Any, path: Path, change: tuple[float, float, float]) -> tuple[Any, Any]:
    """An image node, and its color with hue, saturation and value changed."""
    image = tree.nodes.new("ShaderNodeTexImage")
    image.image = bpy.data.images.load(str(path.resolve()))
    adjust = tree.nodes.new("ShaderNodeHueSaturation")
    for key, value in zip(("Hue", "Saturation", "Value"), change, strict=True):
        adjust.inputs[key].default_value = value
    tree.links.new(image.outputs["Color"], adjust.inputs["Color"])
    return image, adjust.outputs["Color"]


def _bump(tree: Any, surface: Any, height: Any, strength: float, distance: float) -> None:
    """Roughen a surface by the brightness of something."""
    bump = tree.nodes.new("ShaderNodeBump")
    bump.inputs["Strength"].default_value, bump.inputs["Distance"].default_value = strength, distance
    tree.links.new(height, bump.inputs["Height"])
    tree.links.new(bump.outputs["Normal"], surface.inputs["Normal"])


def _hair(role: Role) -> Any:
    material = bpy.data.materials.new("hair")
    material.use_nodes = True
    tree = material.node_tree
    tree.nodes.clear()
    out = tree.nodes.new("ShaderNodeOutputMaterial")
    surface = tree.nodes.new("ShaderNodeBsdfHairPrincipled")
    strand = tree.nodes.new("ShaderNodeHairInfo")
    surface.parametrization = "MELANIN"
    for key, value in {
        "Melanin": role.melanin, "Melanin Redness": role.redness, "Roughness": 0.42, "Radial Roughness": 0.6,
        "Random Roughness": 0.1, "Random Color": 0.25,
    }.items():  # fmt: skip
        surface.inputs[key].default_value = value
    tree.links.new(strand.outputs["Random"], surface.inputs["Random"])
    tree.links.new(surface.outputs[0], out.inputs["Surface"])
    return material
