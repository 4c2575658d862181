"""What features are computed in; weights and losses stay float32."""

from __future__ import annotations

from enum import StrEnum

import torch


class Precision(StrEnum):
    """By the names of ``--precision``."""

    FP32 = "fp32"
    BF16 = "bf16"  # GPUs since Ampere, CPUs with AVX512-BF16
    FP16 = "fp16"  # older GPUs

    @property
    def dtype(self) -> torch.dtype:
        """Torch's type."""
        return {Precision.FP32: torch.float32, Precision.BF16: torch.bfloat16, Precision.FP16: torch.float16}[self]

    @staticmethod
    def default(device: torch.device) -> Precision:
        """What a device is good at."""
        if device.type != "cuda":
            return Precision.FP32
        return Precision.BF16 if torch.cuda.is_bf16_supported() else Precision.FP16
