"""A synthetic voice: text to sound, and when each phoneme begins, by the library of eSpeak NG."""

from __future__ import annotations

import ctypes
import ctypes.util
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from face.errors import UserError
from face.files import atomic

_SYNCHRONOUS, _PHONEME_EVENTS, _AS_IPA = 2, 1, 2  # espeak_AUDIO_OUTPUT; options of espeak_Initialize
_END, _PHONEME = 0, 7  # espeak_EVENT_TYPE
_RATE, _BY_CHARACTER, _UTF8 = 1, 1, 1  # espeak_PARAMETER, espeak_POSITION_TYPE, flag of espeak_Synth


class _Event(ctypes.Structure):
    """``espeak_EVENT`` of speak_lib.h."""

    _fields_ = (
        ("type", ctypes.c_int), ("unique_identifier", ctypes.c_uint), ("text_position", ctypes.c_int),
        ("length", ctypes.c_int), ("audio_position_ms", ctypes.c_int), ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p), ("phoneme", ctypes.c_char * 8),
    )  # fmt: skip


@dataclass(frozen=True)
class Spoken:
    """A text that was read aloud.

    Attributes:
        sound: ``[n]`` int16.
        rate: samples a second.
        phonemes: when each begins, in seconds, and its IPA symbol; empty for a pause.
    """

    sound: np.ndarray
    rate: int
    phonemes: tuple[tuple[float, str], ...]

    @property
    def duration_s(self) -> float:
        """How long it lasts."""
        return len(self.sound) / self.rate


def speak(text: str, voice: str = "en-us+f3", words_per_minute: int = 140) -> Spoken:
    """Read a text aloud.

    Raises:
        UserError: the library is missing, or lacks the voice.
    """
    name = ctypes.util.find_library("espeak-ng")
    if name is None:
        raise UserError(
            "The voice needs eSpeak NG: install it (apt-get install espeak-ng), and give the command again."
        )
    library = ctypes.CDLL(name)
    rate = int(library.espeak_Initialize(_SYNCHRONOUS, 0, None, _PHONEME_EVENTS | _AS_IPA))
    if rate <= 0 or library.espeak_SetVoiceByName(voice.encode()):
        raise UserError(f"eSpeak NG cannot speak as {voice}: install its data (apt-get install espeak-ng-data).")
    library.espeak_SetParameter(_RATE, words_per_minute, 0)
    pieces: list[np.ndarray] = []
    phonemes: list[tuple[float, str]] = []

    @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))
    def take(samples: ctypes._Pointer[ctypes.c_short], count: int, events: ctypes._Pointer[_Event]) -> int:
        if samples and count:
            pieces.append(np.ctypeslib.as_array(samples, (count,)).copy())
        k = 0
        while events[k].type != _END:
            if events[k].type == _PHONEME:
                phonemes.append((events[k].audio_position_ms / 1000, events[k].phoneme.decode(errors="ignore")))
            k += 1
        return 0

    library.espeak_SetSynthCallback(take)
    spoken = text.encode()
    library.espeak_Synth(spoken, len(spoken) + 1, 0, _BY_CHARACTER, 0, _UTF8, None, None)
    library.espeak_Terminate()
    return Spoken(np.concatenate(pieces), rate, tuple(phonemes))


def write_sound(path: Path, spoken: Spoken, start_s: float, length_s: float) -> None:
    """A mono WAV file of a length, in which the voice starts at a time."""
    sound = np.zeros(round(length_s * spoken.rate), np.int16)
    first = round(start_s * spoken.rate)
    part = spoken.sound[: len(sound) - first]
    sound[first : first + len(part)] = part
    with atomic(path) as partial, wave.open(str(partial), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(spoken.rate)
        file.writeframes(sound.tobytes())
