"""Training of the gaze network, and its scores."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from offline.gaze.augmentation import cropped, degraded, mirror_half
from offline.gaze.network import UNIT_DEG, GazeNetwork
from offline.gaze.samples import GazeSamples

_BATCH, _RATE, _FILMED_SHARE = 128, 2e-3, 0.5


def _tensors(samples: GazeSamples, chosen: Tensor | slice = slice(None)) -> tuple[Tensor, ...]:
    eyes, places, turn, gaze = (torch.from_numpy(a) for a in vars(samples).values())
    return eyes[chosen].float(), places[chosen], turn[chosen], gaze[chosen]


def train(rendered: GazeSamples, filmed: GazeSamples, steps: int, seed: int = 0) -> GazeNetwork:
    """A network that saw rendered and filmed people equally often."""
    torch.manual_seed(seed)
    network = GazeNetwork()
    optimizer = torch.optim.AdamW(network.parameters(), _RATE, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, steps)
    shares = ((filmed, int(_BATCH * _FILMED_SHARE)), (rendered, _BATCH - int(_BATCH * _FILMED_SHARE)))
    for _ in tqdm(range(steps), desc="training", unit="step"):
        drawn = [_tensors(samples, torch.randint(len(samples.eyes), (count,))) for samples, count in shares]
        eyes, places, turn, gaze = mirror_half(tuple(torch.cat(part) for part in zip(*drawn, strict=True)))
        images = degraded(cropped(eyes, varied=True))
        places = places + torch.randn_like(places) * 0.04
        turn = turn + torch.randn_like(turn)
        trust = (torch.rand(len(eyes), 1) < 0.8).float()
        error = network(images, places, turn, trust) - gaze
        loss = F.smooth_l1_loss(error / UNIT_DEG, torch.zeros_like(error), beta=0.3)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return network.eval()


def score(network: GazeNetwork, samples: GazeSamples) -> tuple[np.ndarray, np.ndarray]:
    """Correlation and mean error in degrees, sideways and upwards, two ``[2]``."""
    eyes, places, turn, gaze = _tensors(samples)
    with torch.no_grad():
        estimate = network(cropped(eyes, varied=False), places, turn)
    correlation = np.array([np.corrcoef(estimate[:, k], gaze[:, k])[0, 1] for k in range(2)])
    return correlation, (estimate - gaze).abs().mean(0).numpy()
