"""Marks every outgoing image, once for all outputs: the watermark, and the label over it."""

from __future__ import annotations

import numpy as np

from face.errors import UserError
from face.target import TargetInfo
from live.trust.code import new_session_id
from live.trust.label import Label, LabelSettings
from live.trust.watermark import Watermark


class Marking:
    """What one session's images are marked with.

    Args:
        settings: how the label looks.
        without_label: leave it off, for targets whose consent record allows that.
    """

    def __init__(self, settings: LabelSettings | None = None, without_label: bool = False) -> None:
        self._settings, self._without_label = settings or LabelSettings(), without_label
        self._watermark, self._label = Watermark(new_session_id()), Label(self._settings)

    @property
    def session_id(self) -> str:
        """What the watermark says: ten hexadecimal digits."""
        return self._watermark.session_id

    def check(self, target: TargetInfo) -> None:
        """See that a target can be shown as asked.

        Raises:
            UserError: it must carry the label.
        """
        if self._without_label and not target.label_optional:
            raise UserError(
                f"The consent record of the target '{target.name}' does not allow --no-label: leave it out, or export "
                "the target with --label-optional if the permission says so."
            )

    def apply(self, image: np.ndarray, target: TargetInfo) -> np.ndarray:
        """A marked copy of a target's image ``[H, W, 3]`` uint8 RGB."""
        marked = self._watermark.apply(image)
        if not (self._without_label and target.label_optional):
            self._label.apply(marked)
        return marked

    def clone(self) -> Marking:
        """The same for another session, with an id of its own."""
        return Marking(self._settings, self._without_label)
