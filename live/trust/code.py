"""The watermark's message and its tile: 64 bits as a periodic pattern of 128 px.

The tile is made in the frequency domain, of waves with periods from 4.6 to 21 px: shorter ones do not survive codecs,
longer ones are hidden by the image. Half of the waves have known phases, by which the mark is found (synchronization).
The other half carry the message: each byte is one of 256 words of the Reed-Muller code RM(1, 7), 128 chips long, the
code of Mariner 9. Its decoder, a Walsh-Hadamard transform, takes soft values and is optimal.
"""

from __future__ import annotations

import binascii
import hashlib
import secrets

import numpy as np
from scipy.linalg import hadamard

TILE = 128  # px of the unscaled image
SESSION_BYTES = 5
_SYNTHETIC = 0x53  # the message's first byte: this is a synthetic image, layout 1
_MESSAGE_BYTES, _WORD = 1 + SESSION_BYTES + 2, 128
_LOWEST, _HIGHEST = 6, 28  # waves in a tile
_KEY = b"Head2Head Live watermark 1"
_WALSH = hadamard(_WORD).astype(np.float32)


def new_session_id() -> str:
    """A random session id: ten hexadecimal digits."""
    return secrets.token_hex(SESSION_BYTES)


def message_of(session_id: str) -> bytes:
    """Eight bytes: "synthetic", the session id, a checksum (CRC-16)."""
    body = bytes([_SYNTHETIC]) + bytes.fromhex(session_id)
    return body + binascii.crc_hqx(body, 0xFFFF).to_bytes(2, "big")


def session_of(message: bytes) -> str | None:
    """The session id of a message; ``None`` where type or checksum are wrong, as in 1 - 2**-24 of random messages."""
    body, checksum = message[:-2], int.from_bytes(message[-2:], "big")
    if body[0] != _SYNTHETIC or binascii.crc_hqx(body, 0xFFFF) != checksum:
        return None
    return body[1:].hex()


def _waves() -> tuple[np.ndarray, np.ndarray]:
    """Frequencies ``[n, 2]`` (y, x; waves in a tile) in an order that only the key gives; and ``[n]`` key phases."""
    y, x = np.mgrid[-_HIGHEST : _HIGHEST + 1, 0 : _HIGHEST + 1]
    radius = np.hypot(y, x)
    # Waves along an axis are left out: borders and the blocks of codecs lie there.
    kept = (radius >= _LOWEST) & (radius <= _HIGHEST) & (x >= 2) & (abs(y) >= 2)
    waves = np.column_stack([y[kept], x[kept]])
    stream = np.frombuffer(hashlib.shake_256(_KEY).digest(len(waves) * 5), np.uint8)
    order = np.argsort(stream[: len(waves) * 4].view("<u4"), kind="stable")
    return waves[order], np.exp(0.5j * np.pi * (stream[len(waves) * 4 :] & 3))


WAVES, _KEY_PHASES = _waves()
_DATA_WAVES = _MESSAGE_BYTES * _WORD // 2  # two chips a wave
SYNC = slice(_DATA_WAVES, None)
SYNC_WAVES, SYNC_PHASES = WAVES[SYNC], _KEY_PHASES[SYNC]


def _chips(message: bytes) -> np.ndarray:
    """``[8, 128]`` of -1 and 1: seven bits choose a Walsh function, the eighth its sign."""
    values = np.frombuffer(message, np.uint8)
    return _WALSH[values & 127] * np.where(values & 128, -1, 1)[:, None]


def tile_of(message: bytes) -> np.ndarray:
    """The pattern of a message ``[TILE, TILE]`` float32, of mean 0 and standard deviation 1."""
    pairs = _chips(message).T.reshape(-1, 2)  # a byte's chips are spread over all waves
    phases = _KEY_PHASES.copy()
    phases[:_DATA_WAVES] *= (pairs[:, 0] + 1j * pairs[:, 1]) / np.sqrt(2)
    spectrum = np.zeros((TILE, TILE // 2 + 1), complex)
    spectrum[WAVES[:, 0], WAVES[:, 1]] = phases
    tile = np.fft.irfft2(spectrum, (TILE, TILE))
    return (tile / tile.std()).astype(np.float32)


def decode(phases: np.ndarray) -> bytes:
    """The likeliest message of phases ``[n]`` complex, of ``WAVES``, in a tile at offset 0."""
    chips = phases[:_DATA_WAVES] * _KEY_PHASES[:_DATA_WAVES].conj()
    soft = np.stack([chips.real, chips.imag], axis=1).reshape(_WORD, _MESSAGE_BYTES).T
    scores = soft @ _WALSH
    index = np.abs(scores).argmax(1)
    negative = scores[np.arange(_MESSAGE_BYTES), index] < 0
    return bytes((index | negative << 7).astype(np.uint8))
