"""The paper's facial flow: a network that mends a classical estimate where it sees a face.

It starts from DIS's flow and adds what it learned from people whose flow is known (``offline/flow_learning.py``). In
the background it was taught to leave the estimate alone, as the paper keeps the original network's flow there.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from face.errors import UserError
from face.files import atomic
from offline.flow.optical_flow import warp_image

WEIGHTS = Path(__file__).with_name("flow.npz")
_FLOW_SCALE = 8.0  # px that count as 1
_INPUTS = 3 + 3 + 3 + 2  # frame, earlier frame brought there, their difference, estimate
_WIDTHS = (16, 24, 40, 64)  # at a half, a quarter, an eighth and a sixteenth of the size


def _pair(channels: int, width: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, stride=stride, padding=1), nn.LeakyReLU(0.1),
        nn.Conv2d(width, width, 3, padding=1), nn.LeakyReLU(0.1),
    )  # fmt: skip


class FlowNetwork(nn.Module):
    """A U-Net on a frame, the earlier frame brought there by an estimate, and the estimate; adds to the estimate."""

    def __init__(self) -> None:
        super().__init__()
        widths = (_INPUTS, *_WIDTHS)
        self.down = nn.ModuleList([_pair(a, b, 2) for a, b in zip(widths, widths[1:], strict=False)])
        self.up = nn.ModuleList([_pair(a + b, b, 1) for a, b in zip(_WIDTHS[:0:-1], _WIDTHS[-2::-1], strict=True)])
        self.out = nn.Conv2d(_WIDTHS[0], 2, 3, padding=1)
        nn.init.zeros_(self.out.weight)
        assert self.out.bias is not None
        nn.init.zeros_(self.out.bias)

    def forward(self, now: Tensor, warped: Tensor, estimate: Tensor) -> Tensor:
        """Flow [B, 2, H, W] px of images [B, 3, H, W] (0…1) and an estimate [B, 2, H, W] px; sizes divide by 16."""
        x = torch.cat([now - 0.5, warped - 0.5, now - warped, estimate / _FLOW_SCALE], 1)
        features = []
        for block in self.down:
            x = block(x)
            features.append(x)
        for block, skip in zip(self.up, features[-2::-1], strict=True):
            x = block(torch.cat([F.interpolate(x, scale_factor=2.0), skip], 1))
        correction = F.interpolate(self.out(x), scale_factor=2.0, mode="bilinear", align_corners=False)
        return estimate + _FLOW_SCALE * correction

    @torch.no_grad()
    def refine(self, now: np.ndarray, earlier: np.ndarray, estimate: np.ndarray) -> np.ndarray:
        """Flow ``[H, W, 2]`` float32 px from a frame to an earlier one, both ``[H, W, 3]`` uint8, and an estimate."""
        height, width = now.shape[:2]
        inputs = network_inputs(now, earlier, estimate)
        padded = [F.pad(array[None], (0, -width % 16, 0, -height % 16), mode="replicate") for array in inputs]
        return self(*padded)[0, :, :height, :width].permute(1, 2, 0).contiguous().numpy()

    @classmethod
    def load(cls, path: Path = WEIGHTS) -> FlowNetwork:
        """The network with learned weights.

        Raises:
            UserError: there are none.
        """
        network = cls()
        try:
            with np.load(path) as data:
                network.load_state_dict({name: torch.from_numpy(data[name].astype(np.float32)) for name in data.files})
        except (OSError, ValueError, RuntimeError):
            raise UserError(f"{path} holds no flow network: make it with 'python -m offline.flow_learning'.") from None
        return network.eval()

    def save(self, path: Path) -> None:
        """Write the weights, in half precision."""
        path.parent.mkdir(exist_ok=True)
        with atomic(path) as partial:
            np.savez_compressed(partial, **{k: v.numpy().astype(np.float16) for k, v in self.state_dict().items()})


def network_inputs(now: np.ndarray, earlier: np.ndarray, estimate: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
    """What ``FlowNetwork`` takes, without the batch: frames ``[H, W, 3]`` uint8, flow ``[H, W, 2]`` px."""
    first, second = (torch.from_numpy(array.astype(np.float32) / 255).permute(2, 0, 1)
                     for array in (now, warp_image(earlier, estimate)))  # fmt: skip
    return first, second, torch.from_numpy(np.ascontiguousarray(estimate, np.float32)).permute(2, 0, 1)
