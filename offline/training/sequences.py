"""A batch on the device: copied there once a step, so that no frame waits for the host."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from offline.training.loader import Batch, FramePair
from offline.training.loss_crops import Crops


@dataclass(frozen=True)
class Sequences:
    """Sequences of one length, images -1…1.

    Attributes:
        conditionings: [B, T+2, 6, H, W].
        frames: [B, T, 3, H, W].
        weights: of pixels, [B, T, 1, H, W]; ``None`` where no loss asks for them.
        flows: [B, 2, H, W] px.
        crops: of each frame.
    """

    conditionings: Tensor
    frames: Tensor
    weights: Tensor | None
    flows: dict[FramePair, Tensor]
    crops: list[Crops]

    @staticmethod
    def of(batch: Batch, device: torch.device) -> Sequences:
        """A batch's sequences."""
        conditionings, frames = (
            torch.from_numpy(np.stack(images)).to(device).permute(0, 1, 4, 2, 3).float() / 127.5 - 1
            for images in ([clip.conditionings for clip in batch.clips], [clip.frames for clip in batch.clips])
        )
        weights = None if batch.weights is None else torch.from_numpy(batch.weights).to(device)[:, :, None]
        flows = {pair: torch.from_numpy(flow).to(device).permute(0, 3, 1, 2) for pair, flow in batch.flows.items()}
        return Sequences(conditionings, frames, weights, flows, batch.crops)
