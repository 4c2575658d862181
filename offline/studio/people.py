"""The people the studio can film. Invented: mixtures of MakeHuman's targets; no real person."""

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
        cloth: colour of the blouse, linear RGB.
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

MIRA = Role(  # the demo target
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
NOOR = Role(  # the demo driver
    targets={
        **_AVERAGE,
        "macrodetails/african-female-young": 0.55, "macrodetails/caucasian-female-young": 0.30,
        "macrodetails/asian-female-young": 0.15, "head/head-round": 0.5, "nose/nose-scale-horiz-incr": 0.2,
        "mouth/mouth-scale-horiz-incr": 0.3, "mouth/mouth-lowerlip-volume-incr": 0.5,
        "mouth/mouth-upperlip-volume-incr": 0.5, "chin/chin-width-decr": 0.2, "eyes/l-eye-scale-decr": 0.15,
        "eyes/r-eye-scale-decr": 0.15,
    },
    skin=(0.49, 1.25, 0.50), iris=(0.51, 1.0, 0.8), hair="ponytail01", melanin=0.95, redness=0.3,
    cloth=(0.16, 0.02, 0.03), backdrop=8, camera_height=6.66,
)  # fmt: skip
ROLES = {"mira": MIRA, "noor": NOOR}
