"""The warping loss of Eq. 6, and the reconstruction losses of the compact profile.

Shapes carry a suffix as in ``offline/networks/compact_generator.py``; images are -1…1.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_FOLLOWS = 0.04  # of the range -1…1: a pixel that changes by more along the flow was hidden, or the flow is wrong


def weighted_l1(output: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """Mean absolute difference of images [B, 3, H, W], weighted per pixel [B, 1, H, W]."""
    return ((output - truth).abs() * weight).mean()


def gradient_l1(output: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean absolute difference of neighboring pixels' differences: keeps edges and hair sharp."""
    total = output.new_zeros(())
    for axis in (2, 3):
        difference = torch.diff(output, dim=axis) - torch.diff(truth, dim=axis)
        cut = weight.narrow(axis, 1, weight.shape[axis] - 1)
        total = total + (difference.abs() * cut).mean()
    return total


def warp(earlier: Tensor, flow: Tensor) -> Tensor:
    """An earlier image [B, C, H, W] brought to the frame that a flow [B, 2, H, W] px starts from."""
    height, width = flow.shape[2:]
    rows = torch.arange(height, device=flow.device, dtype=flow.dtype)[:, None] + flow[:, 1]
    columns = torch.arange(width, device=flow.device, dtype=flow.dtype) + flow[:, 0]
    places = torch.stack([(2 * columns + 1) / width - 1, (2 * rows + 1) / height - 1], dim=-1)
    return F.grid_sample(earlier, places, padding_mode="border", align_corners=False)


def warping_l1(output: Tensor, output_before: Tensor, truth: Tensor, truth_before: Tensor, flow: Tensor) -> Tensor:
    """Mean absolute change of an image from the one before, moved along the flow: where the truth follows it."""
    follows = (truth - warp(truth_before, flow)).abs().mean(1, keepdim=True) < _FOLLOWS
    return ((output - warp(output_before, flow)).abs() * follows).mean()
