"""What training and the live loop must agree on about the compact generator: where its layers lie, where it is cut.

``offline/networks/head_warp.py`` has the geometry for training, ``live/generators/cpu_compositing.py`` the same for the
CPU.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

HEAD_EXTENT = 2.0  # the head's texture reaches twice as far as the face on every side
CAMERA_PIXELS = slice(2, None, 4)  # along either axis: those that the camera is estimated from
RIGID_ABOVE = -0.25  # of the NMFC's height: nose, eyes and forehead move as one, the jaw does not
MASK_SLOPE = 64  # so steep that the face's darkest color counts as face
RIDGE = 1e-4  # added to the variances that the camera is divided by: few pixels may lie in a plane
PARALLAX_ITERATIONS = 3  # in which a pixel's ray meets the depth map

PATCH = 4  # px, side of the patches that the encoder's first convolution sees
FINE_PATCH = 2  # px, side of those from which the layers are corrected
MIDDLE, HALF_RANGE = 128, 127.5  # in int8 a byte stands for (byte - MIDDLE) / HALF_RANGE


@dataclass(frozen=True)
class Part:
    """A part of the face that is corrected at full resolution, in a window about it.

    Attributes:
        name: of the generator's module.
        point: middle of the part on the mean head, in the NMFC's coordinates.
        share: rows and columns of the window over the image's.
    """

    name: str
    point: tuple[float, float, float]
    share: tuple[float, float]

    def sides(self, size: int) -> tuple[int, int]:
        """Rows and columns of the window in an image of a size, px: whole patches."""
        rows, columns = (PATCH * max(1, round(share * size / PATCH)) for share in self.share)
        return rows, columns

    def corner(self, camera: np.ndarray, size: int) -> tuple[int, int]:
        """First row and column of the window, px, whole patches, under an affine camera ``[8]``."""
        place = camera[:6].reshape(2, 3) @ np.array(self.point) + camera[6:]
        sides = np.array(self.sides(size))
        first = np.floor(((place[::-1] + 1) * (size / 2) - sides / 2) / PATCH + 0.5)
        row, column = (PATCH * np.clip(first, 0, (size - sides) // PATCH)).astype(int)
        return int(row), int(column)


# Means of the morphable model's landmarks of lips and lids.
PARTS = (
    Part("mouth", (0.0, -0.446, 0.562), (56 / 256, 72 / 256)),
    Part("eyes", (0.0, 0.344, 0.257), (40 / 256, 96 / 256)),
)

# Tensors of the step arranged for the CPU (``offline/export/cpu_step.py``) between which its convolutions lie:
# what goes into each of three parts and comes out of it. Bytes but for the geometry.
LOOK_BACK = ("made",), ("before_quarter", "before_eighth", "before_sixteenth")
CONSIDER = ("told", "implied", *LOOK_BACK[1]), ("features", "camera", "relief", "bend")
CORRECT = ("features", "seen"), ("corrections",)
SEAMS = (*LOOK_BACK[0], *CONSIDER[0], *CONSIDER[1], "seen", "corrections")
# The same of the layered generator's (``offline/export/layered_step.py``), and of its windows by their names.
WEIGH = ("patches", "implied"), ("features", "camera", "depth_map", "warp", "mixture")
RETOUCH = ("features", "layers"), ("corrections",)
REFINE = {
    part.name: ((f"{part.name}_features", f"{part.name}_layers"), (f"{part.name}_corrections",)) for part in PARTS
}
LAYERED_SEAMS = (
    *WEIGH[0],
    *WEIGH[1],
    "layers",
    *RETOUCH[1],
    *(seam for inputs, outputs in REFINE.values() for seam in (*inputs, *outputs)),
)
HALVED = ".half"  # how the names of maps in half precision end
