"""Who is filmed: an invented person as numbers, drawn from a seed."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from offline.synthetic.blender.head import HeadModel, smoothstep

Color = tuple[float, float, float]  # linear RGB
_MODES = 40

_TONES = np.array(
    [(0.66, 0.42, 0.325), (0.56, 0.345, 0.25), (0.42, 0.245, 0.165), (0.27, 0.148, 0.095), (0.135, 0.070, 0.045)]
)
IRISES: dict[str, tuple[Color, Color, Color]] = {  # rim, fibers, around the pupil
    "brown": ((0.030, 0.013, 0.006), (0.13, 0.062, 0.026), (0.12, 0.05, 0.016)),
    "dark": ((0.018, 0.009, 0.005), (0.060, 0.028, 0.014), (0.05, 0.022, 0.010)),
    "hazel": ((0.045, 0.032, 0.014), (0.17, 0.115, 0.045), (0.16, 0.07, 0.02)),
    "green": ((0.040, 0.050, 0.030), (0.15, 0.17, 0.09), (0.16, 0.11, 0.04)),
    "blue": ((0.030, 0.045, 0.060), (0.14, 0.20, 0.25), (0.16, 0.14, 0.09)),
    "gray": ((0.045, 0.050, 0.055), (0.18, 0.20, 0.21), (0.14, 0.13, 0.10)),
}
_CLOTHS: tuple[Color, ...] = (
    (0.10, 0.14, 0.17), (0.035, 0.05, 0.09), (0.30, 0.29, 0.27), (0.16, 0.035, 0.04), (0.05, 0.09, 0.06),
    (0.02, 0.02, 0.022), (0.28, 0.17, 0.09), (0.42, 0.36, 0.30), (0.12, 0.07, 0.12), (0.07, 0.16, 0.20),
)  # fmt: skip
_RELAXED = {
    "mouthSmileLeft": 0.34, "mouthSmileRight": 0.31, "cheekSquintLeft": 0.14, "cheekSquintRight": 0.12,
    "eyeSquintLeft": 0.08, "eyeSquintRight": 0.08, "eyeBlinkLeft": 0.09, "eyeBlinkRight": 0.08,
}  # fmt: skip
LOCKS = (
    ([(5.6, 9.3, 6.9), (7.2, 7.6, 7.2), (7.9, 4.0, 6.6), (7.6, 0.0, 6.6),
      (7.2, -4.0, 7.0), (6.4, -7.0, 6.9)], 50, 0.45),
    ([(-5.6, 9.2, 6.9), (-7.1, 7.6, 7.4), (-8.0, 4.2, 6.8), (-7.9, 0.4, 6.3),
      (-7.3, -3.4, 6.6), (-6.9, -6.2, 7.2)], 42, 0.45),
    ([(6.9, 5.8, 5.2), (7.8, 4.0, 5.0), (7.8, 1.2, 5.0), (7.4, -1.6, 5.6)], 22, 0.25),
    ([(-6.9, 5.8, 5.2), (-7.8, 4.0, 5.0), (-7.9, 1.4, 4.8), (-7.3, -1.2, 5.3)], 22, 0.25),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Person:
    """An invented person.

    Attributes:
        seed: of all that is random about skin, hair and room.
        individual: standard deviations along the head model's modes.
        ancestry: shares, African, Asian and Caucasian, by MakeHuman's names.
        male, age: 0…1; years.
        tone, lip_tone: of the skin and the lips.
        flush, freckles, pores, wrinkles, lid: strengths of the skin's detail, 0…1 or a little more.
        asymmetry: cm by which the chin is off the middle.
        iris: colors of rim, fibers and collar.
        pupil: radius, cm.
        hair: ``pulled back``, ``short``, ``curly`` or ``bald``.
        hairline: ``round``, ``angular`` or ``receding``.
        melanin, redness: of the hair, 0…1.
        gray_variety: how much strands differ: graying hair is mixed.
        beard: 0 none, to 1 stubble, to 2 a short beard.
        collar: cm by which the shirt's collar stands above (or below) the base of the neck.
        light: seed of where lamps stand and how warm they are.
        ease: the person's own relaxed face, which gives way to what is played.
    """

    seed: int = 0
    individual: np.ndarray = field(default_factory=lambda: np.zeros(0))
    ancestry: tuple[float, float, float] = (0.2, 0.2, 0.6)
    male: float = 0.0
    age: float = 28.0
    tone: Color = (0.60, 0.36, 0.265)
    lip_tone: Color = (0.50, 0.185, 0.16)
    flush: float = 1.0
    freckles: float = 0.5
    pores: float = 0.45
    wrinkles: float = 0.1
    lid: float = 0.7
    asymmetry: float = 0.08
    iris: tuple[Color, Color, Color] = IRISES["brown"]
    pupil: float = 0.255
    hair: str = "pulled back"
    hairline: str = "round"
    strands: int = 30_000
    hair_length: float = 1.0
    sweep: float = 0.75
    curl: float = 0.7
    locks: tuple = ()
    melanin: float = 0.80
    redness: float = 0.30
    gray_variety: float = 0.10
    brow_melanin: float = 0.76
    brow_hairs: int = 1200
    brow_width: float = 1.0
    upper_lashes: int = 170
    lower_lashes: int = 50
    lash_reach: float = 0.70
    beard: float = 0.0
    beard_melanin: float = 0.8
    cloth: Color = (0.10, 0.14, 0.17)
    collar: float = 0.0
    backdrop: int = 3
    light: int = 0
    exposure: float = -0.2
    ease: dict[str, float] = field(default_factory=lambda: dict(_RELAXED))

    @property
    def hair_color(self) -> Color:
        """What the scalp looks like between the strands."""
        light = np.array([0.42, 0.26, 0.12]) * (1 - self.melanin) + np.array([0.02, 0.012, 0.008])
        return tuple(light * [1 + 0.6 * self.redness, 1, 1 - 0.3 * self.redness])


def shape_of(person: Person, head: HeadModel) -> np.ndarray:
    """The person's head at rest, ``[V, 3]``."""
    modes = head.identity[: len(person.individual)]
    shape = head.base + np.tensordot(person.individual[: len(modes)], modes, 1)
    weights = {
        name: share - 1 / 3 for name, share in zip(("african", "asian", "caucasian"), person.ancestry, strict=True)
    }
    weights |= {"male": person.male - 0.5, "old": (person.age - 35) / 30}
    for name, weight in weights.items():
        shape += weight * head.directions[name]
    female, old = 1 - person.male, max(0.0, (person.age - 35) / 30)
    return _sculpt(
        shape, head, jaw=0.09 * female, chin=0.36 * female, crown=0.5 * female,
        neck=0.15 * female - 0.03 * person.male, ears=0.3 + 0.1 * female,
        lips=0.45 * female - 0.05 - 0.25 * old,
        eyes=0.09 * female, nose=0.10 * female - 0.03 * old, brow=0.22 * female - 0.08 * person.male,
        asymmetry=person.asymmetry, sag=0.25 * old,
    )  # fmt: skip


def _sculpt(
    shape: np.ndarray, head: HeadModel, *, jaw: float, chin: float, crown: float, neck: float, ears: float,
    lips: float, eyes: float, nose: float, brow: float, asymmetry: float, sag: float,
) -> np.ndarray:  # fmt: skip
    """What the modes leave out, as shares or centimeters, placed by the mean face's coordinates."""
    v, (x, y, z) = shape.copy(), head.base.T
    v[:, 0] *= 1 - jaw * smoothstep(1.0, -5.0, y) * smoothstep(0, 5, z)
    v[:, 1] += chin * smoothstep(-3.8, -6.8, y) * smoothstep(-13, -9.5, y) * smoothstep(1, 6, z)
    v[:, 1] -= crown * smoothstep(7, 14, y)
    v[:, 0] *= 1 - neck * smoothstep(-5.5, -10, y) * smoothstep(-17, -12.5, y) * (z < 8.5)
    v[:, 0] -= np.sign(x) * ears * smoothstep(7.4, 9.0, np.abs(x)) * smoothstep(-4, -2, y) * (y < 8)
    ear = smoothstep(7.4, 8.4, np.abs(x)) * smoothstep(-4, -2, y) * (y < 8) * (z < 4.5)
    v[:, 1:] -= 0.3 * ears * ear[:, None] * (v[:, 1:] - [2.6, 1.0])
    marks = head.base[head.landmarks]
    for middle, up in ((marks[51] - [0, 0.25, 0], 1), (marks[57] + [0, 0.3, 0], -1)):
        near = ((x - middle[0]) / 1.5) ** 2 + ((y - middle[1]) / 0.42) ** 2 + ((z - middle[2]) / 1.3) ** 2
        bump = np.exp(-0.5 * near)
        v[:, 2] += lips * 0.35 * bump
        v[:, 1] += lips * 0.06 * up * bump
    for side, name in ((1, "l"), (-1, "r")):
        near = ((x - 3.15 * side) / 2.0) ** 2 + ((y - 3.5) / 1.5) ** 2 + ((z - 9.2) / 2.4) ** 2
        v += eyes * np.exp(-0.5 * near)[:, None] * (v - v[head.eyes[name]].mean(0)) * [1, 1, 0.5]
    bump = np.exp(-0.5 * ((x / 1.8) ** 2 + ((y - 0.2) / 1.6) ** 2 + ((z - 11.5) / 1.8) ** 2))
    v[:, 0] *= 1 - nose * bump
    v[:, 2] -= nose * 1.6 * bump
    v[:, 1] += nose * 0.8 * bump
    v[:, 2] -= brow * np.exp(-0.5 * (((np.abs(x) - 2.8) / 2.6) ** 2 + ((y - 6.0) / 1.1) ** 2 + ((z - 10) / 2) ** 2))
    jowl = np.exp(-0.5 * (((np.abs(x) - 4.6) / 1.6) ** 2 + ((y + 4.2) / 1.6) ** 2 + ((z - 7.6) / 2.4) ** 2))
    v[:, 1] -= sag * jowl
    v[:, 0] += sag * 0.4 * np.sign(x) * jowl
    v[:, 0] += asymmetry * smoothstep(2, -7, y) * smoothstep(2, 8, z)
    v[:, 1] += asymmetry * 0.25 * np.tanh(x / 3) * smoothstep(1, 6, z)
    return v


def draw_person(seed: int) -> Person:
    """The seed's person: ancestry, gender, age, asymmetry, skin, hair, eyes, clothes, room and light."""
    rng = np.random.default_rng(seed)
    man = bool(rng.random() < 0.5)
    male = float(np.clip(rng.normal(0.85 if man else 0.12, 0.1), 0, 1))
    age = float(20 + 45 * rng.beta(1.3, 1.9))
    shares = rng.dirichlet([0.45, 0.45, 0.45])  # African, Asian, Caucasian
    individual = np.clip(rng.normal(0, 0.42, _MODES), -0.95, 0.95)
    individual[0] *= 0.5  # size
    dark = float(np.clip(shares @ [0.86, 0.30, 0.10] + rng.normal(0, 0.08), 0, 1))
    tone = np.array([np.interp(dark * (len(_TONES) - 1), range(len(_TONES)), _TONES[:, c]) for c in range(3)])
    tone *= rng.normal(1, 0.03, 3)
    lip = tone * [0.92, 0.62, 0.66] * (1 if man else rng.uniform(0.9, 1.0)) * ([1, 1, 1] if man else [1.0, 0.85, 0.85])
    fair = float(np.clip(shares[2] * 1.3 - 0.3 + rng.normal(0, 0.1), 0, 1))
    melanin = float(np.clip(0.93 - fair * rng.uniform(0, 0.62), 0.2, 0.96))
    gray = float(np.clip((age - 38) / 25 + rng.normal(0, 0.15), 0, 1)) if age > 36 else 0.0
    eyes = (
        rng.choice(["blue", "green", "gray", "hazel", "brown"])
        if rng.random() < fair
        else rng.choice(["brown", "dark"])
    )
    if man:
        bald = rng.random() < np.clip((age - 25) / 60, 0.05, 0.5)
        curls = rng.random() < 0.15 + 0.6 * shares[0]
        hair = "bald" if bald else "curly" if curls else "short"
        hairline = str(rng.choice(["angular", "receding"], p=[0.75, 0.25])) if age > 35 else "angular"
        beard = float(rng.choice([0.0, rng.uniform(0.35, 1.0), rng.uniform(1.2, 1.8)], p=[0.35, 0.4, 0.25]))
    else:
        hair = str(rng.choice(["pulled back", "short", "curly"], p=[0.55, 0.2, 0.25]))
        hairline, beard = "round", 0.0
    hair_melanin = melanin * (1 - 0.92 * gray)
    smile = rng.uniform(0.20, 0.36)
    ease = {
        "mouthSmileLeft": smile, "mouthSmileRight": smile * rng.uniform(0.8, 1.1), "cheekSquintLeft": 0.3 * smile,
        "cheekSquintRight": 0.3 * smile, "eyeSquintLeft": 0.12, "eyeSquintRight": 0.12,
        "eyeBlinkLeft": (lid := rng.uniform(0.0, 0.12)), "eyeBlinkRight": lid,
    }  # fmt: skip
    return Person(
        seed=seed, individual=individual, ancestry=tuple(shares), male=male, age=age,
        tone=tuple(np.clip(tone, 0.03, 0.8)), lip_tone=tuple(lip),
        flush=float(rng.uniform(0.5, 1.2) * (1 - 0.5 * dark)), freckles=float(rng.beta(1.2, 2) * (0.4 + fair)),
        pores=float(rng.uniform(0.35, 0.65) * (1.2 if man else 0.9)), wrinkles=float(np.clip((age - 24) / 38, 0.05, 1)),
        lid=float(rng.uniform(0.5, 0.9)), asymmetry=float(rng.normal(0, 0.09)), iris=IRISES[str(eyes)],
        pupil=float(rng.uniform(0.21, 0.28)), hair=hair, hairline=hairline,
        strands=26_000 if hair == "curly" else 30_000,
        hair_length=float(rng.uniform(0.55, 1.15) if man else rng.uniform(0.85, 1.2)),
        sweep=float(rng.choice([-0.75, 0.75])),
        curl=float(rng.uniform(0.5, 1.1)), locks=LOCKS if rng.random() < 0.6 else (), melanin=hair_melanin,
        redness=float(rng.beta(1.2, 3) * (1 - gray)), gray_variety=0.10 + 0.5 * gray * (1 - gray) * 4 * 0.5,
        brow_melanin=float(np.clip(melanin * (1 - 0.5 * gray) - 0.05, 0.2, 0.88)),
        brow_hairs=int(rng.uniform(1300, 1900)),
        brow_width=float(rng.uniform(1.0, 1.3) if man else rng.uniform(0.8, 1.05)), upper_lashes=95 if man else 170,
        lower_lashes=40 if man else 50, lash_reach=0.5 if man else 0.70, beard=beard,
        beard_melanin=float(melanin * (1 - 0.8 * gray)), cloth=_CLOTHS[rng.integers(len(_CLOTHS))],
        collar=float(rng.choice([0.0, 0.7])), backdrop=int(rng.integers(10_000)), light=seed, ease=ease,
    )  # fmt: skip
