"""Finds and reads the watermark, whatever the image's scale and wherever a crop or a border has put it.

The frames of about a second are averaged, whitened, brought to a scale and folded: all tiles are summed into one. The
phases of its spectrum are correlated with those of the synchronization waves, at every offset at once. Without a mark
the phases are independent and uniform, so that the correlation ``z`` is standard normal, whatever the image.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from live.trust.code import SYNC, SYNC_PHASES, SYNC_WAVES, TILE, WAVES, decode, session_of

_USUAL_SCALES = (1.0, 0.75, 0.5, 1.25, 1.5, 2.0)
_SMALLEST, _LARGEST, _STEP = 0.45, 4.5, 0.004  # px of the image per px when it was marked; relative step
_SURE_Z, _LEAST_Z = 9.0, 6.0
_WHITENING_PX = 4.0


@dataclass(frozen=True)
class WatermarkReading:
    """What was found.

    Attributes:
        session_id: of the session that made the image.
        z: the synchronization's correlation, in standard deviations of what chance gives.
        false_alarm: a bound on the probability that an image without a mark reads so.
        scale: px of the image per px when it was marked.
        message: the eight bytes.
    """

    session_id: str
    z: float
    false_alarm: float
    scale: float
    message: bytes


@dataclass(frozen=True)
class Candidate:
    """Where the synchronization fits.

    Attributes:
        z, scale: as in ``WatermarkReading``.
        offset: of the tile, y and x, px when it was marked.
        phases: ``[n]`` complex, of ``WAVES``.
    """

    z: float
    scale: float
    offset: tuple[float, float]
    phases: np.ndarray


def read_watermark(frames: Sequence[np.ndarray]) -> WatermarkReading | None:
    """The mark in frames ``[H, W, 3]`` uint8 RGB of one view, about a second of them or just one; ``None`` for none."""
    candidate = locate(frames)
    message = read_message(candidate)
    session_id = session_of(message)
    if session_id is None or candidate.z < _LEAST_Z:
        return None
    return WatermarkReading(session_id, candidate.z, false_alarm(candidate.z), candidate.scale, message)


def false_alarm(z: float) -> float:
    """Bound on the probability of reading a mark of this ``z`` where there is none.

    By Boole's inequality over all offsets and scales that are searched, times that of a right type byte and checksum.
    """
    hypotheses = TILE * TILE * (len(_all_scales()) + len(_USUAL_SCALES)) * 2
    return min(1.0, hypotheses * 0.5 * math.erfc(z / math.sqrt(2))) * 2.0**-24


def locate(frames: Sequence[np.ndarray]) -> Candidate:
    """The scale and offset where the synchronization fits best."""
    luma = np.asarray(np.mean([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames], axis=0, dtype=np.float32))
    best = max((_at_scale(plane, scale, factor) for plane, scale, factor in _views(luma, _USUAL_SCALES)),
               key=lambda c: c.z)  # fmt: skip
    if best.z < _SURE_Z:
        for view in _views(luma, _all_scales()):
            candidate = _at_scale(*view)
            if best.z >= _SURE_Z and candidate.z < best.z:
                break  # beyond the peak
            best = max(best, candidate, key=lambda c: c.z)
    fine = best.scale * (1 + np.linspace(-0.006, 0.006, 13))
    return max((_at_scale(*view) for view in _views(luma, list(fine))), key=lambda c: c.z)


def read_message(candidate: Candidate) -> bytes:
    """The message, with the offset refined to a fraction of a px."""
    shifts = np.linspace(-0.75, 0.75, 13)
    sync = candidate.phases[SYNC] * SYNC_PHASES.conj()
    y, x = (np.exp(2j * np.pi / TILE * np.outer(candidate.offset[k] + shifts, SYNC_WAVES[:, k])) for k in (0, 1))
    fit = np.einsum("an,bn,n->ab", y, x, sync).real
    a, b = np.unravel_index(fit.argmax(), fit.shape)
    place = np.array(candidate.offset) + (shifts[a], shifts[b])
    return decode(candidate.phases * np.exp(2j * np.pi / TILE * (WAVES @ place)))


def _all_scales() -> list[float]:
    count = int(math.log(_LARGEST / _SMALLEST) / _STEP)
    return [_SMALLEST * math.exp(_STEP * k) for k in range(count)]


def _views(luma: np.ndarray, scales: Sequence[float]) -> Iterator[tuple[np.ndarray, float, float]]:
    """For each scale: the luma, whitened, perhaps halved some times; the scale; and what brings the plane to 1."""
    planes = {0: _whiten(luma)}
    reduced = luma
    for octave in (1, 2):
        reduced = cv2.resize(reduced, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        planes[octave] = _whiten(reduced)
    for scale in scales:
        octave = 0 if scale < 1.9 else 1 if scale < 3.8 else 2
        yield planes[octave], scale, 2.0**octave / scale


def _whiten(luma: np.ndarray) -> np.ndarray:
    """Without what is smooth, and of equal contrast everywhere, so that no edge outweighs the mark elsewhere."""
    detail = luma - cv2.GaussianBlur(luma, (0, 0), _WHITENING_PX)
    contrast = np.sqrt(cv2.GaussianBlur(detail * detail, (0, 0), _WHITENING_PX))
    return np.clip(detail / (contrast + 0.5), -2, 2)


def _at_scale(plane: np.ndarray, scale: float, factor: float) -> Candidate:
    height, width = (max(1, round(side * factor)) for side in plane.shape)
    interpolation = cv2.INTER_AREA if factor < 0.7 else cv2.INTER_CUBIC
    resized = plane if factor == 1 else cv2.resize(plane, (width, height), interpolation=interpolation)
    folded = np.zeros((-(-height // TILE) * TILE, -(-width // TILE) * TILE), np.float32)
    folded[:height, :width] = resized
    folded = folded.reshape(folded.shape[0] // TILE, TILE, -1, TILE).sum((0, 2))
    values = np.fft.rfft2(folded)[WAVES[:, 0], WAVES[:, 1]]
    phases = values / (np.abs(values) + 1e-9)
    spectrum = np.zeros((TILE, TILE // 2 + 1), complex)
    spectrum[SYNC_WAVES[:, 0], SYNC_WAVES[:, 1]] = phases[SYNC] * SYNC_PHASES.conj()
    # The inverse transform gives (2 / TILE²) Σ cos: n terms of variance 1/2.
    correlation = np.fft.irfft2(spectrum, (TILE, TILE)) * (TILE * TILE / math.sqrt(2 * len(SYNC_WAVES)))
    y, x = np.unravel_index(correlation.argmax(), correlation.shape)
    return Candidate(float(correlation[y, x]), scale, (float(y), float(x)), phases)
