"""Where the layers of the compact generator's image lie: the camera that an NMFC implies, and places on the head.

Places are given in the NMFC's own coordinates (its colors, -1…1: right, up, towards the camera), which go on beyond
the face. Pixels run from -1 to 1, right and down.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from face.compact_constants import CAMERA_PIXELS, HEAD_EXTENT, MASK_SLOPE, PARALLAX_ITERATIONS, RIDGE, RIGID_ABOVE

CAMERA_NUMBERS = 8  # an affine camera: 2×3 matrix, row by row, and offset


def face_mask(conditioning: Tensor) -> Tensor:
    """1 where the NMFC shows the face, else 0, [B, 1, H, W], of conditionings [B, 6, H, W]; its background is -1."""
    return torch.clamp((conditioning[:, :3].sum(1, keepdim=True) + 3) * MASK_SLOPE, 0, 1)


def _pixels(count: int, like: Tensor) -> Tensor:
    """Centers of ``count`` × ``count`` pixels, [1, 2, count, count]."""
    line = torch.linspace(-1 + 1 / count, 1 - 1 / count, count, device=like.device)
    return torch.stack([line.expand(count, -1), line[:, None].expand(-1, count)])[None]


def implied_camera(coordinates: Tensor) -> Tensor:
    """Affine camera [B, 8] from the coordinates [B, 3, h, w] that an NMFC shows at ``CAMERA_PIXELS``: least squares.

    ``pixel = matrix · coordinates + offset`` over the rigid part of the face.
    """
    size = coordinates.shape[2] * CAMERA_PIXELS.step
    pixels = _pixels(size, coordinates)[:, :, CAMERA_PIXELS, CAMERA_PIXELS].expand(coordinates.shape[0], -1, -1, -1)
    weight = face_mask(coordinates) * torch.clamp((coordinates[:, 1:2] - RIGID_ABOVE) * MASK_SLOPE, 0, 1)
    weight = weight / (weight.mean((2, 3), keepdim=True) + 1e-6)
    mean = lambda v: (v * weight).mean((2, 3), keepdim=True)  # noqa: E731
    center, middle = mean(coordinates), mean(pixels)
    u, v, w = (coordinates - center).split(1, dim=1)
    uu, vv, ww, uv, uw, vw = mean(torch.cat([u * u, v * v, w * w, u * v, u * w, v * w], dim=1)).split(1, dim=1)
    uu, vv, ww = uu + RIDGE, vv + RIDGE, ww + RIDGE
    # The symmetric 3×3 equations by Cramer's rule.
    inverse = torch.cat([vv * ww - vw * vw, uw * vw - uv * ww, uv * vw - uw * vv,
                         uu * ww - uw * uw, uv * uw - vw * uu, uu * vv - uv * uv], dim=1)  # fmt: skip
    determinant = uu * inverse[:, 0:1] + uv * inverse[:, 1:2] + uw * inverse[:, 2:3]
    a, b, c, d, e, f = (inverse / determinant).split(1, dim=1)
    rows = []
    for k in (0, 1):
        across = pixels[:, k : k + 1] - middle[:, k : k + 1]
        pu, pv, pw = mean(torch.cat([across * u, across * v, across * w], dim=1)).split(1, dim=1)
        rows.append(torch.cat([a * pu + b * pv + c * pw, b * pu + d * pv + e * pw, c * pu + e * pv + f * pw], dim=1))
    offset = middle - torch.cat([(row * center).sum(1, keepdim=True) for row in rows], dim=1)
    return torch.cat([*rows, offset], dim=1).flatten(1)


def head_sampling_grid(camera: Tensor, depth_map: Tensor, warp_field: Tensor | None, size: int) -> Tensor:
    """Where on the head each pixel looks, [B, 2, size, size]: coordinates right and up of the point it sees.

    Each pixel's ray is followed to the depth map in a few steps (parallax mapping), at twice the warp field's
    resolution, or a quarter of the size where there is none.

    Args:
        camera: [B, 8] as from ``implied_camera``.
        depth_map: [1 or B, 3, h, w] over the head's first two coordinates, which reach to ``HEAD_EXTENT``: the third
            coordinate, and a shift of the first two where the head is not rigid.
        warp_field: what to add, [B, 2, h, w], h a part of the size, or nothing.
        size: height and width of the image.
    """
    batch = camera.shape[0]
    xu, xv, xw, yu, yv, yw, x0, y0 = camera[:, :, None, None].split(1, dim=1)
    count = size // 4 if warp_field is None else 2 * warp_field.shape[2]
    x, y = _pixels(count, camera).expand(batch, -1, -1, -1).split(1, dim=1)
    x, y = x - x0, y - y0
    area = xu * yv - xv * yu
    u, v = (x * yv - y * xv) / area, (y * xu - x * yu) / area  # where the third coordinate is 0
    step_u, step_v = (xw * yv - yw * xv) / area, (yw * xu - xw * yu) / area  # and how that moves with it
    if warp_field is not None:
        warp_field = F.interpolate(warp_field, scale_factor=2.0, mode="bilinear", align_corners=False)
        u, v = u + warp_field[:, :1], v + warp_field[:, 1:]
    depth_map = depth_map.expand(batch, -1, -1, -1)
    depth = depth_map[:, :1].mean((2, 3), keepdim=True)
    for _ in range(PARALLAX_ITERATIONS - 1):
        depth = _sample(depth_map[:, :1], u - step_u * depth, v - step_v * depth)
    depth, shift = _sample(depth_map, u - step_u * depth, v - step_v * depth).split([1, 2], dim=1)
    places = torch.cat([u - step_u * depth, v - step_v * depth], dim=1) + shift
    return F.interpolate(places, scale_factor=float(size // count), mode="bilinear", align_corners=False)


def _sample(depth_map: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """Depth map [B, C, h, w] at head coordinates [B, 1, H, W], [B, C, H, W]."""
    places = torch.cat([u, v], dim=1).permute(0, 2, 3, 1) / HEAD_EXTENT
    return F.grid_sample(depth_map, places, padding_mode="border", align_corners=False)
