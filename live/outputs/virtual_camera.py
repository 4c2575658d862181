"""A camera that other programs can choose: v4l2loopback on Linux, OBS's elsewhere."""

from __future__ import annotations

import numpy as np

from face.errors import UserError
from live.outputs.steady import RATE

_REMEDY = "on Linux load v4l2loopback (sudo modprobe v4l2loopback), elsewhere install OBS"


class VirtualCamera:
    """Shows images in a virtual camera.

    Args:
        size: height and width of the images, px.

    Raises:
        UserError: there is no such device, or the package for it is missing.
    """

    def __init__(self, size: int) -> None:
        try:
            import pyvirtualcam
        except ImportError:
            raise UserError("A virtual camera needs a package: pip install 'head2head-live[camera]'.") from None
        try:
            self._camera = pyvirtualcam.Camera(width=size, height=size, fps=RATE)
        except RuntimeError:  # what each of its backends said, over several lines
            raise UserError(f"There is no virtual camera: {_REMEDY}.") from None
        self.device: str = self._camera.device

    def write(self, image: np.ndarray) -> None:  # [H, W, 3] uint8 RGB
        """Show an image."""
        self._camera.send(image)

    def close(self) -> None:
        """Give the device up."""
        self._camera.close()
