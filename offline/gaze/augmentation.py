"""Variations of eyes that the gaze network trains on: mirrored, shifted, relit, blurred, noisy."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from face.gaze_estimation import HEIGHT, WIDTH
from offline.gaze.samples import HIGH, WIDE


def mirror_half(samples: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Half of the samples in a mirror."""
    eyes, places, turn, gaze = samples
    sideways = torch.tensor([-1.0, 1.0])
    other = eyes.flip(1).flip(3), places.flip(1) * sideways, turn * sideways, gaze * sideways
    chosen = torch.rand(len(eyes)) < 0.5
    return tuple(torch.where(chosen.view(-1, *[1] * (a.dim() - 1)), b, a) for a, b in zip(samples, other, strict=True))


def cropped(eyes: Tensor, varied: bool) -> Tensor:
    """The middle of wide images ``[N, 2, 44, 56]``, as ``[N, 2, 28, 36]``: if varied shifted, turned and scaled."""
    count = len(eyes) * 2
    x, y = WIDTH / WIDE, HEIGHT / HIGH
    scale, turn = torch.ones(len(eyes), 1), torch.zeros(len(eyes), 1)
    shift = torch.zeros(count, 2)
    if varied:
        scale, turn = torch.exp(torch.randn_like(scale) * 0.06), torch.randn_like(turn) * 0.05
        shift = torch.randn_like(shift) * torch.tensor([1.5, 1.2])
    scale, turn = scale.repeat(1, 2).view(-1), turn.repeat(1, 2).view(-1)
    sine, cosine = scale * torch.sin(turn), scale * torch.cos(turn)
    across, down = shift[:, 0] * 2 / WIDE, shift[:, 1] * 2 / HIGH
    rows = [x * cosine, -y * sine * HIGH / WIDE, across, x * sine * WIDE / HIGH, y * cosine, down]
    grid = F.affine_grid(torch.stack(rows, 1).view(count, 2, 3), [count, 1, HEIGHT, WIDTH], align_corners=False)
    framed = F.grid_sample(eyes.reshape(count, 1, HIGH, WIDE), grid, padding_mode="border", align_corners=False)
    return framed.view(-1, 2, HEIGHT, WIDTH)


def degraded(eyes: Tensor) -> Tensor:
    """Other light, glints, focus and noise, ``[N, 2, H, W]`` 0…255."""

    def each(*shape: int) -> Tensor:
        return torch.rand(len(eyes), *(shape or (1, 1, 1)))

    y, x = torch.meshgrid(torch.linspace(-1, 1, HEIGHT), torch.linspace(-1, 1, WIDTH), indexing="ij")
    slope = torch.randn(len(eyes), 2, 2, 1, 1) * 0.25
    eyes = (eyes / 255).clamp(0, 1) ** torch.exp(torch.randn(len(eyes), 1, 1, 1) * 0.35)
    eyes = eyes * (1 + slope[:, 0] * x + slope[:, 1] * y)
    blurred = F.avg_pool2d(F.avg_pool2d(eyes, 3, 1, 1, count_include_pad=False), 3, 1, 1, count_include_pad=False)
    eyes = eyes + (blurred - eyes) * each() * 1.2
    glint_x, glint_y = torch.randn(len(eyes), 2, 1, 1) * 0.3, torch.randn(len(eyes), 2, 1, 1) * 0.25
    radius = each(2, 1, 1) * 0.06 + 0.02
    glint = torch.exp(-((x - glint_x) ** 2 + ((y - glint_y) * HEIGHT / WIDTH) ** 2) / radius**2)
    eyes = eyes + glint * (each(2, 1, 1) < 0.4) * each(2, 1, 1) * 0.6
    noise = F.avg_pool2d(torch.randn_like(eyes), 3, 1, 1) * 2
    return (eyes + noise * each() * 0.05) * 255
