"""What training and the live loop must agree on about the compact generator: where its layers lie, where it is cut.

``offline/networks/head_warp.py`` has the geometry for training, ``live/generators/cpu_compositing.py`` the same for the
CPU.
"""

from __future__ import annotations

HEAD_EXTENT = 2.0  # the head's texture reaches twice as far as the face on every side
CAMERA_PIXELS = slice(2, None, 4)  # along either axis: those that the camera is estimated from
RIGID_ABOVE = -0.25  # of the NMFC's height: nose, eyes and forehead move as one, the jaw does not
MASK_SLOPE = 64  # so steep that the face's darkest color counts as face
RIDGE = 1e-4  # added to the variances that the camera is divided by: few pixels may lie in a plane
PARALLAX_ITERATIONS = 3  # in which a pixel's ray meets the depth map

PATCH = 4  # px, side of the patches that the encoders' first convolutions see
FINE_PATCH = 2  # px, side of those from which the layers are corrected
MIDDLE, HALF_RANGE = 128, 127.5  # in int8 a byte stands for (byte - MIDDLE) / HALF_RANGE

# Tensors of the step arranged for the CPU (``offline/export/cpu_step.py``) between which its convolutions lie:
# what goes into each of three parts and comes out of it. Bytes but for the geometry.
LOOK_BACK = ("made",), ("before_quarter", "before_eighth", "before_sixteenth")
CONSIDER = ("told", "implied", *LOOK_BACK[1]), ("features", "camera", "relief", "bend")
CORRECT = ("features", "seen"), ("corrections",)
SEAMS = (*LOOK_BACK[0], *CONSIDER[0], *CONSIDER[1], "seen", "corrections")
HALVED = ".half"  # how the names of maps in half precision end
