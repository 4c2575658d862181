"""What skin, eyes, teeth, cloth and hair are made of."""

from __future__ import annotations

from typing import Any

import numpy as np

from offline.synthetic.blender.head import HeadModel
from offline.synthetic.blender.nodes import Nodes, image, rgb
from offline.synthetic.blender.person import Person
from offline.synthetic.blender.skin import detail_images, frown_lines
from offline.synthetic.blender.strands import Group

_IRIS_CM = 0.60
FOLDS = ("raise", "smile", "frown")  # wrinkles that come and go, as value nodes of the skin's material


def skin(head: HeadModel, person: Person) -> tuple[Any, dict[str, Any]]:
    """The material, and sockets of the strengths of wrinkles that the face's movement brings."""
    n = Nodes("skin")
    at = n.node("Mapping", {"Vector": n.node("UVMap", uv_map="uv").outputs[0], "Scale": (0.5, 1, 1)}).outputs[0]
    color_image, height_image = detail_images(head, person)
    detail = n.node("TexImage", {"Vector": at}, image=image("skin color", color_image), interpolation="Linear")
    heights = n.node("TexImage", {"Vector": at}, image=image("skin height", height_image), interpolation="Linear")
    frown = frown_lines(head)
    furrow = n.node("TexImage", {"Vector": at}, image=image("frown", np.dstack([frown] * 3 + [np.ones_like(frown)])))
    lips, oil, freckled = n.attribute("lips"), n.attribute("oil"), n.attribute("freckled")
    color = n.mix(n.attribute("fine"), n.attribute("tone", "Color"), detail.outputs["Color"], "MULTIPLY")
    spots = n.math("MULTIPLY", n.math("MULTIPLY", detail.outputs["Alpha"], freckled), min(0.8 * person.freckles, 0.8))
    color = n.mix(spots, color, n.mix(1.0, color, (0.60, 0.42, 0.33, 1), "MULTIPLY"))
    split = n.node("SeparateColor", {0: heights.outputs["Color"]})
    folds = {name: n.node("Value") for name in FOLDS}
    moving = n.total(
        (split.outputs[2], folds["raise"].outputs[0]), (heights.outputs["Alpha"], folds["smile"].outputs[0]),
        (furrow.outputs["Color"], folds["frown"].outputs[0]),
    )  # fmt: skip
    height = n.math("ADD", n.mix_float(lips, split.outputs[0], split.outputs[1]), moving)
    rough = n.math("ADD", n.total((oil, -0.13), (split.outputs[0], -0.03), (lips, -0.16)), 0.50)
    bump = n.node(
        "Bump",
        {"Strength": n.math("MULTIPLY", n.attribute("fine"), person.pores), "Distance": 0.0032, "Height": height},
    )
    bsdf = n.node(
        "BsdfPrincipled",
        {
            "Base Color": color,
            "Roughness": rough,
            "Subsurface Weight": n.math("SUBTRACT", 1.0, n.math("MULTIPLY", n.attribute("ear"), 0.7)),  # else they glow
            "Subsurface Scale": 0.022,
            "Subsurface Radius": (1.0, 0.36, 0.18),
            "Specular IOR Level": 0.45,
            "Normal": bump.outputs[0],
            "Coat Weight": n.total((oil, 0.10), (lips, 0.18)),
            "Coat Roughness": 0.28,
        },
        subsurface_method="BURLEY",
    )  # fmt: skip  (a random walk takes four times as long)
    return n.finish(bsdf.outputs[0]), {name: node.outputs[0] for name, node in folds.items()}


def eye(person: Person) -> Any:
    """Sclera, limbus, iris and pupil by the distance from the eye's axis (attribute ``eye``: cm, in its frame)."""
    n = Nodes("eye")
    at = n.attribute("eye", "Vector")
    xyz = n.node("SeparateXYZ", {0: at})
    x, y = xyz.outputs[0], xyz.outputs[1]
    r = n.math("SQRT", n.total((x, x), (y, y)))
    angle = n.math("ARCTAN2", y, x)
    pupil = person.pupil
    polar = n.node("CombineXYZ", {0: n.math("COSINE", angle), 1: n.math("SINE", angle), 2: n.math("MULTIPLY", r, 0.8)})
    fibers = n.noise(polar.outputs[0], 9.0, 2.0, 0.65)
    dark, light, inner = person.iris
    iris = n.mix(n.ramp(fibers, 0.32, 0.68), rgb(dark), rgb(light))
    collar = n.ramp(n.math("ADD", r, n.math("MULTIPLY", fibers, 0.10)), pupil + 0.08, pupil + 0.22)
    iris = n.mix(n.math("MULTIPLY", n.math("SUBTRACT", 1.0, collar), 0.8), iris, rgb(inner))
    iris = n.mix(n.ramp(r, 0.42, _IRIS_CM), iris, rgb(tuple(np.array(dark) * 0.2)))
    # Light focused by the cornea falls on the half away from the lamp.
    glow = n.math("MULTIPLY", n.ramp(y, 0.1, -0.5), n.ramp(r, _IRIS_CM, 0.3))
    iris = n.mix(n.math("MULTIPLY", glow, 0.55), iris, n.mix(1.0, iris, (2.2, 2.2, 2.2, 1), "MULTIPLY"))
    iris = n.mix(n.ramp(r, pupil - 0.012, pupil + 0.022), (0.003, 0.003, 0.003, 1), iris)
    corner = n.ramp(n.math("ABSOLUTE", x), 0.6, 1.45)
    # Beside dark skin the whites would glow.
    white = float(np.interp(sum(person.tone), [0.3, 1.2], [0.68, 1.0]))
    pale, pink = np.array([0.57, 0.53, 0.505]) * white, np.array([0.54, 0.35, 0.30]) * white
    sclera = n.mix(n.math("MULTIPLY", corner, 0.6), rgb(tuple(pale)), rgb(tuple(pink)))
    # The lid and its lashes shade the upper white more than so few samples of so small a gap show.
    sclera = n.mix(n.ramp(y, 0.15, 0.75), sclera, n.mix(1.0, sclera, (0.55, 0.46, 0.44, 1), "MULTIPLY"))
    veins = n.noise(n.node("Mapping", {"Vector": at, "Scale": (0.6, 2.6, 1.0)}).outputs[0], 2.4, 2.0, 0.6)
    off = n.math("ABSOLUTE", n.math("SUBTRACT", veins, 0.5))
    thin = n.math("SUBTRACT", 1.0, n.math("MULTIPLY", off, 22.0), clamp=True)
    vein = n.math("MULTIPLY", thin, n.math("ADD", 0.05, n.math("MULTIPLY", corner, 0.28)))
    sclera = n.mix(vein, sclera, (0.50, 0.16, 0.12, 1))
    color = n.mix(n.ramp(r, _IRIS_CM - 0.05, _IRIS_CM + 0.05), iris, sclera)
    bsdf = n.node("BsdfPrincipled", {
        "Base Color": color, "Roughness": 0.32, "Specular IOR Level": 0.2, "Coat Weight": 1.0, "Coat Roughness": 0.015,
        "Coat IOR": 1.7,  # catchlights are a few pixels wide: brighter than a cornea's
    })  # fmt: skip
    return n.finish(bsdf.outputs[0])


def teeth() -> Any:
    """Enamel, darker in the gaps (attribute ``gap``)."""
    n = Nodes("teeth")
    color = n.mix(n.attribute("gap"), (0.70, 0.61, 0.48, 1), (0.30, 0.17, 0.12, 1))
    bsdf = n.node("BsdfPrincipled", {
        "Base Color": color, "Roughness": 0.22, "Subsurface Weight": 0.5, "Coat Weight": 0.5, "Coat Roughness": 0.08,
        "Subsurface Radius": (1, 0.8, 0.6), "Subsurface Scale": 0.008,
    }, subsurface_method="BURLEY")  # fmt: skip
    return n.finish(bsdf.outputs[0])


def gums() -> Any:
    """Gums and tongue (attribute ``tongue``)."""
    n = Nodes("gums")
    color = n.mix(n.attribute("tongue"), (0.44, 0.14, 0.12, 1), (0.52, 0.18, 0.155, 1))
    bsdf = n.node(
        "BsdfPrincipled",
        {"Base Color": color, "Roughness": 0.32, "Subsurface Weight": 0.4, "Subsurface Scale": 0.015},
        subsurface_method="BURLEY",
    )
    return n.finish(bsdf.outputs[0])


def socket() -> Any:
    """Behind the eyeball, and its corner."""
    n = Nodes("socket")
    return n.finish(n.node("BsdfPrincipled", {"Base Color": (0.22, 0.055, 0.045, 1), "Roughness": 0.35}).outputs[0])


def tears() -> Any:
    """The wet rim of the lower lid."""
    n = Nodes("tears")
    clear, gloss = n.node("BsdfTransparent"), n.node("BsdfGlossy", {"Roughness": 0.03})
    share = n.node("Fresnel", {"IOR": 1.36}).outputs[0]
    return n.finish(n.node("MixShader", {0: share, 1: clear.outputs[0], 2: gloss.outputs[0]}).outputs[0])


def cloth(person: Person) -> Any:
    """A knitted jersey."""
    n = Nodes("cloth")
    size = 128
    v, u = np.mgrid[0:size, 0:size] / size
    stitch = np.abs(np.sin(np.pi * u * 8)) * (
        0.75 + 0.25 * np.sin(2 * np.pi * (v * 12 + 0.25 * np.sin(2 * np.pi * u * 8)))
    )
    grain = np.random.default_rng(person.seed).random((size, size))
    height = (0.75 * stitch + 0.25 * grain).astype(np.float32)
    knit = n.node(
        "TexImage",
        {"Vector": n.attribute("weave", "Vector")},
        image=image("knit", np.dstack([height] * 3 + [height * 0 + 1])),
    )
    bump = n.node("Bump", {"Strength": 0.55, "Distance": 0.012, "Height": knit.outputs["Color"]})
    tone = np.array(person.cloth)
    color = n.mix(knit.outputs["Color"], rgb(tuple(tone * 0.68)), rgb(tuple(tone * 1.25)))
    bsdf = n.node("BsdfPrincipled", {
        "Base Color": color, "Roughness": 0.9, "Sheen Weight": 0.25, "Sheen Roughness": 0.5, "Specular IOR Level": 0.15,
        "Normal": bump.outputs[0],
    })  # fmt: skip
    return n.finish(bsdf.outputs[0])


def hair(group: Group, person: Person) -> Any:
    """Strands of a group."""
    n = Nodes(group.name)
    bsdf = n.node("BsdfHairPrincipled", {
        "Melanin": group.melanin, "Melanin Redness": person.redness, "Roughness": 0.24, "Radial Roughness": 0.4,
        "Random Roughness": 0.0, "IOR": 1.45, "Random Color": group.variety, "Coat": 0.0,
        "Random": n.node("HairInfo").outputs["Random"],
    }, parametrization="MELANIN")  # fmt: skip
    return n.finish(bsdf.outputs[0])
