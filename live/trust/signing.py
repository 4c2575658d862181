"""Signs what ``--output`` has recorded, once it is whole."""

from __future__ import annotations

import importlib.util
import logging
from pathlib import Path

from platformdirs import user_config_path

from face.errors import UserError
from face.folders import writable
from live.trust.credentials import check_signing, own_certificate, sign

logger = logging.getLogger(__name__)

_FORMATS = (".mp4", ".mov")


class Signing:
    """The user's certificate and key, or a test certificate of this program's.

    Args:
        certificate: PEM file with the signer's certificate and those that issued it; ``None`` for the test certificate.
        key: PEM file with its key.

    Raises:
        UserError: half of them is missing, they do not match, or ``c2pa-python`` is not installed.
    """

    def __init__(self, certificate: Path | None, key: Path | None) -> None:
        if (certificate is None) != (key is None):
            raise UserError("To sign recordings a certificate needs its key: give both --c2pa-cert and --c2pa-key.")
        self._pair = (certificate, key) if certificate is not None and key is not None else None
        if self._pair is not None:
            check_signing(*self._pair)

    def sign(self, path: Path, session_id: str) -> None:
        """Sign a finished recording in place, if it is of a format that carries credentials.

        Raises:
            UserError: it could not be signed; it is left as it was.
        """
        if not path.exists():  # nothing was recorded
            return
        if self._pair is None and importlib.util.find_spec("c2pa") is None:
            logger.info("%s is not signed: for that, pip install 'head2head-live[c2pa]'.", path)
        elif path.suffix.lower() not in _FORMATS:
            logger.info("%s is not signed: C2PA credentials need MP4 or MOV.", path)
        else:
            certificate, key = self._pair or own_certificate(writable(user_config_path("head2head"), "certificates"))
            sign(path, session_id, certificate, key)
