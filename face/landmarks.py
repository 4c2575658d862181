"""Landmarks of one face and the named subsets of MediaPipe's 478 points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

COUNT = 478
SURFACE_COUNT = 468  # the rest are the irises

LEFT_IRIS, RIGHT_IRIS = 473, 468  # centers; left and right are the person's own

# Closed loops, in order around the eye or lip.
RIGHT_EYE = (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7)
LEFT_EYE = (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249)
OUTER_LIPS = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)
INNER_LIPS = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95)
RIGHT_BROW = (70, 63, 105, 66, 107, 55, 65, 52, 53, 46)
LEFT_BROW = (300, 293, 334, 296, 336, 285, 295, 282, 283, 276)
FACE_OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
LINE_LOOPS = (FACE_OVAL, OUTER_LIPS, INNER_LIPS, LEFT_EYE, RIGHT_EYE, LEFT_BROW, RIGHT_BROW)  # that drawings show
EYE_CORNERS = (33, 263)  # outer corners: their distance is our inter-ocular distance

MOUTH_CORNERS = (61, 291)

# The 68 points of the iBUG annotation, by the nearest of MediaPipe's points.
IBUG_68 = (
    162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389,
    70, 63, 105, 66, 107, 336, 296, 334, 293, 300,
    168, 197, 5, 4, 75, 97, 2, 326, 305,
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181,
    78, 82, 13, 312, 308, 317, 14, 87,
)  # fmt: skip

# The 52 ARKit face units, the order of the model's expression directions and of the tracker's scores.
UNIT_NAMES = (
    "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight", "cheekPuff",
    "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft", "eyeBlinkRight", "eyeLookDownLeft",
    "eyeLookDownRight", "eyeLookInLeft", "eyeLookInRight", "eyeLookOutLeft", "eyeLookOutRight",
    "eyeLookUpLeft", "eyeLookUpRight", "eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight",
    "jawForward", "jawLeft", "jawOpen", "jawRight", "mouthClose", "mouthDimpleLeft", "mouthDimpleRight",
    "mouthFrownLeft", "mouthFrownRight", "mouthFunnel", "mouthLeft", "mouthLowerDownLeft",
    "mouthLowerDownRight", "mouthPressLeft", "mouthPressRight", "mouthPucker", "mouthRight", "mouthRollLower",
    "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthSmileLeft", "mouthSmileRight",
    "mouthStretchLeft", "mouthStretchRight", "mouthUpperUpLeft", "mouthUpperUpRight", "noseSneerLeft",
    "noseSneerRight", "tongueOut",
)  # fmt: skip

ABOUT_EYES = (130, 243, 463, 359, 226, 446, 244, 464, 112, 341, 247, 467, 25, 255, 110, 339)
_NOSE = (168, 6, 197, 195, 122, 351, 196, 419, 5, 4, 1, 2, 97, 326)
BELOW_NOSE = (
    11, 12, 15, 16, 18, 32, 38, 41, 42, 43, 57, 62, 72, 73, 74, 76, 77, 83, 85, 86, 89, 90, 92, 96, 106, 135, 138, 140,
    164, 165, 167, 169, 170, 171, 175, 179, 180, 182, 183, 184, 186, 187, 192, 194, 199, 200, 201, 202, 204, 206, 207,
    208, 210, 211, 212, 213, 214, 215, 216, 262, 268, 271, 272, 273, 287, 292, 302, 303, 304, 306, 307, 313, 315, 316,
    319, 320, 322, 325, 335, 364, 367, 369, 391, 393, 394, 395, 396, 403, 404, 406, 407, 408, 410, 411, 416, 418, 421,
    422, 424, 426, 427, 428, 430, 431, 432, 433, 434, 435, 436,
)  # fmt: skip
_WEIGHTS = (  # of landmarks in a fit, 1 for all others; later ones count
    (BELOW_NOSE, 0.5),  # cheeks and chin move in ways that no direction foresees
    # The tracker puts points of the outline where the face ends in the image, so they slide with pose.
    (FACE_OVAL, 0.15),
    # The rigid part, which says how the head is turned.
    (_NOSE, 10.0), ((*LEFT_EYE, *RIGHT_EYE), 5.0), (ABOUT_EYES, 10.0), ((33, 133, 263, 362), 60.0),
    # What a viewer looks at.
    (OUTER_LIPS, 12.0), (INNER_LIPS, 12.0), ((61, 291), 120.0), ((*LEFT_BROW, *RIGHT_BROW), 100.0),
    ((107, 55, 336, 285), 400.0),  # a frown brings the brows' inner ends together by a millimeter
    ((2, 0), 500.0),  # the upper lip rises toward the nose's base by as little
)  # fmt: skip


def fit_weights() -> np.ndarray:
    """How much each landmark counts in a fit, ``[468]`` float64."""
    weights = np.ones(SURFACE_COUNT)
    for landmarks, weight in _WEIGHTS:
        weights[list(landmarks)] = weight
    return weights


def inner_face() -> np.ndarray:
    """Indices of the landmarks inside the face oval, ``[432]`` int, on which fit quality is reported."""
    return np.setdiff1d(np.arange(SURFACE_COUNT), FACE_OVAL)


@dataclass(frozen=True)
class EyeImage:
    """The part of an image that shows both eyes.

    Attributes:
        gray: ``[h, w]`` uint8.
        left, top: px, where its corner lies in the image.
    """

    gray: np.ndarray
    left: int
    top: int


@dataclass(frozen=True)
class Landmarks:
    """What the tracker sees of one face.

    Attributes:
        points: ``[478, 2]`` float64, image frame in px (x right, y down, pixel centers at +0.5).
        scores: ``[52]`` float64, the tracker's blendshape scores 0…1 in the model's order of units.
        width, height: size of the image in px.
        eyes: what the image shows there; ``None`` where that is not known.
        colors: ``[468, 3]`` uint8 RGB, of the image under each landmark of the surface; ``None`` where not known.
        visibility: ``[468]`` 0…1, by how much each landmark counts in a fit; ``None`` where all count fully.
    """

    points: np.ndarray
    scores: np.ndarray
    width: int
    height: int
    eyes: EyeImage | None = None
    colors: np.ndarray | None = None
    visibility: np.ndarray | None = None

    @property
    def interocular_px(self) -> float:
        """Distance of the outer eye corners in px."""
        a, b = EYE_CORNERS
        return float(np.linalg.norm(self.points[a] - self.points[b]))
