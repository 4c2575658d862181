"""Where each pixel of a frame was in an earlier one: optical flow, exact on the face.

The face's flow is that of the fitted mesh: each visible point of its surface is projected in both frames. Elsewhere a
classical estimator stands in (DIS; Kroeger et al. 2016). The paper learns this composite with a network.
"""

from __future__ import annotations

from enum import StrEnum

import cv2
import numpy as np

from face.nmfc import NmfcRenderer
from face.parameters import FaceParameters
from face.raster import interpolate, rasterize


class FlowKind(StrEnum):
    """Whose word is taken for how the image moved."""

    MESH = "mesh"  # the fitted face's, elsewhere DIS
    DIS = "dis"  # DIS alone: for comparison
    LEARNED = "learned"  # a network that learned from people whose flow is known; see offline/flow/refinement_unet.py


def face_flow(
    renderer: NmfcRenderer, now: FaceParameters, earlier: FaceParameters, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Flow ``[size, size, 2]`` float32 px from a frame to an earlier one on the face, and where that is, bool."""
    points = renderer.vertices(now)
    index, _ = rasterize(points, renderer.triangles, size, size)
    moved = (renderer.vertices(earlier) - points)[:, :2]
    return interpolate(points, renderer.triangles, index, np.ascontiguousarray(moved)), index >= 0


def estimated_flow(now: np.ndarray, earlier: np.ndarray) -> np.ndarray:  # both [H, W, 3] uint8
    """Flow ``[H, W, 2]`` float32 px from a frame to an earlier one, by DIS."""
    gray = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (now, earlier)]
    flow: np.ndarray = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(gray[0], gray[1], None)
    return flow


def composite_flow(on_face: np.ndarray, inside: np.ndarray, elsewhere: np.ndarray) -> np.ndarray:
    """The face's flow where there is a face, the other elsewhere, ``[H, W, 2]``."""
    return np.where(inside[..., None], on_face, elsewhere)


def warp_image(earlier: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """An earlier image ``[H, W, C]`` brought to the frame that a flow ``[H, W, 2]`` starts from."""
    rows, columns = np.mgrid[: flow.shape[0], : flow.shape[1]].astype(np.float32)
    moved: np.ndarray = cv2.remap(
        earlier, columns + flow[..., 0], rows + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return moved
