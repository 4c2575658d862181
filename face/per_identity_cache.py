"""What depends on a person alone, not on the frame: computed once for each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import numpy as np

Value = TypeVar("Value")


class OncePerPerson(Generic[Value]):
    """A function of the identity coefficients ``[IDENTITY_SIZE]`` that is computed anew only when they change.

    Args:
        compute: what gives the value.
    """

    def __init__(self, compute: Callable[[np.ndarray], Value]) -> None:
        self._compute = compute
        self._last: tuple[np.ndarray, Value] | None = None

    def __call__(self, identity: np.ndarray) -> Value:
        """The value for an identity ``[IDENTITY_SIZE]``."""
        if self._last is None or not np.array_equal(self._last[0], identity):
            self._last = identity.copy(), self._compute(identity)
        return self._last[1]
