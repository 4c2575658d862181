"""Where targets and engines lie: those that ship, the user's own, and what is built for this machine."""

from __future__ import annotations

from pathlib import Path

from platformdirs import user_cache_path, user_data_path

SHIPPED = Path(__file__).parent
OWN = user_data_path("head2head") / "targets"
TARGET_FOLDERS = (SHIPPED, OWN)  # where names are looked up, in this order
BUILT = user_cache_path("head2head") / "engines"  # may be deleted at any time


def new_target_folder() -> Path:
    """Where a new target goes: ``trt_engines/`` of a checkout, or else the user's data folder."""
    return SHIPPED if (SHIPPED.parent / "pyproject.toml").exists() else OWN
