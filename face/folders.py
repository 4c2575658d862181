"""The user's folders, and what stands in for one that cannot be written to."""

from __future__ import annotations

import atexit
import logging
import shutil
import tempfile
from pathlib import Path

logger = logging.getLogger(__name__)


def writable(folder: Path, content: str) -> Path:
    """A folder, made if need be; where it cannot be written to, one for this run only, with a warning.

    Args:
        folder: in the user's home. There may be none, as for a service's user: its path is not absolute then.
        content: what it is for, in the plural.
    """
    try:
        if not folder.is_absolute():
            raise FileNotFoundError
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        temporary = Path(tempfile.mkdtemp(prefix="head2head-"))
        atexit.register(shutil.rmtree, temporary, ignore_errors=True)
        logger.warning("%s cannot be written to: %s are kept for this run only.", folder, content)
        return temporary
