"""People as MakeHuman has them. Invented: mixtures of its targets; no real person."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Role:
    """An invented person.

    Attributes:
        targets: MakeHuman's shape targets with their weights.
        skin, iris: changes of hue, saturation and value of the textures (0.5, 1, 1 leave them as they are).
        hair: name of the hair's mesh.
        melanin, redness: of the hair, 0…1.
        cloth: color of the blouse, linear RGB.
        backdrop: seed of the room behind.
        camera_height: dm above the floor.
    """

    targets: dict[str, float]
    skin: tuple[float, float, float]
    iris: tuple[float, float, float]
    hair: str
    melanin: float
    redness: float
    cloth: tuple[float, float, float]
    backdrop: int
    camera_height: float = 6.52


_AVERAGE = {"macrodetails/universal-female-young-averagemuscle-averageweight": 1.0}

MIRA = Role(  # the demo target until November 2026: her eyes say where the camera stands
    targets={
        **_AVERAGE,
        "macrodetails/caucasian-female-young": 0.75, "macrodetails/asian-female-young": 0.25,
        "head/head-oval": 0.5, "eyes/l-eye-scale-incr": 0.25, "eyes/r-eye-scale-incr": 0.25,
        "mouth/mouth-scale-horiz-incr": 0.15, "chin/chin-height-decr": 0.2, "nose/nose-scale-horiz-decr": 0.25,
        "neck/neck-scale-horiz-decr": 0.2, "mouth/mouth-lowerlip-volume-incr": 0.2,
        "mouth/mouth-upperlip-volume-incr": 0.25, "nose/nose-point-up": 0.3,
    },
    skin=(0.5, 1.05, 0.97), iris=(0.525, 0.8, 1.3), hair="long01", melanin=0.80, redness=0.6,
    cloth=(0.03, 0.075, 0.14), backdrop=3,
)  # fmt: skip
