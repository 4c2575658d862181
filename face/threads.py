"""How many threads libraries compute on, which is the whole process's affair."""

from __future__ import annotations

import cv2
import scipy.linalg  # noqa: F401  brings its own BLAS, and only one that is loaded can be told
from threadpoolctl import threadpool_limits


def compute_on_one_thread() -> None:
    """Have OpenCV and BLAS work on the thread that calls them; for a command to say once, as it starts.

    A frame's matrices and crops are small: more threads gain nothing, and idle they spin on the generator's core.
    """
    cv2.setNumThreads(1)
    threadpool_limits(1, "blas")
