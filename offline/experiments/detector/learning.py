"""Trains the detector, and asks it."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from offline.experiments.detector.network import Detector
from offline.experiments.detector.samples import REAL, Samples

_BATCH = 32
_RATE = 1e-3
_GAIN = 0.15  # spread of brightness, so that it tells nothing
_NOISE = 0.02  # standard deviation, of the range -1…1


def learn_detector(samples: Samples, steps: int, seed: int, device: torch.device) -> Detector:
    """A detector that learned from as many real frames as forged ones, all kinds of forgeries alike."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    detector = Detector().to(device)
    optimizer = torch.optim.AdamW(detector.parameters(), _RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in tqdm(range(steps), desc="detector", unit="step", mininterval=5):
        images, forged = _batch(samples, rng, device)
        loss = F.binary_cross_entropy_with_logits(detector(images), forged)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
    return detector.eval()


def _batch(samples: Samples, rng: np.random.Generator, device: torch.device) -> tuple[Tensor, Tensor]:
    """Images [B, 3, SIDE, SIDE], half of them real, some mirrored, brighter or darker; and whether each is forged."""
    forgeries = [kind for kind in samples.by_kind if kind != REAL]
    chosen, forged = [], rng.random(_BATCH) < 0.5
    for is_forged in forged:
        kind = forgeries[int(rng.integers(len(forgeries)))] if is_forged else REAL
        images = samples.by_kind[kind]
        image = images[int(rng.integers(len(images)))]
        chosen.append(image[:, ::-1] if rng.random() < 0.5 else image)
    batch = as_tensor(np.stack(chosen), device)
    gain = torch.tensor(rng.uniform(1 - _GAIN, 1 + _GAIN, (_BATCH, 1, 1, 1)), dtype=torch.float32, device=device)
    noise = torch.tensor(rng.normal(0, _NOISE, batch.shape), dtype=torch.float32, device=device)
    labels = torch.tensor(forged, dtype=torch.float32, device=device)
    return batch * gain + noise, labels


def as_tensor(images: np.ndarray, device: torch.device) -> Tensor:  # [N, SIDE, SIDE, 3] uint8
    """Images as the detector takes them, [N, 3, SIDE, SIDE]."""
    return torch.from_numpy(np.ascontiguousarray(images)).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1


@torch.no_grad()
def logits_of(detector: Detector, images: np.ndarray, device: torch.device) -> np.ndarray:
    """Logits ``[N]`` float64 of images ``[N, SIDE, SIDE, 3]`` uint8."""
    parts = [images[k : k + _BATCH] for k in range(0, len(images), _BATCH)]
    return np.concatenate([detector(as_tensor(part, device)).cpu().numpy().astype(float) for part in parts])
