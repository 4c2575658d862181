"""The watermark: what it survives, what it costs in quality, and that it is found only where it is."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from conftest import REPOSITORY
from live_parts import ListSource, NmfcGenerator, pipeline
from watermark_attacks import ATTACKS

from face.video import VideoReader
from live.trust.code import TILE, WAVES, decode, message_of, session_of, tile_of
from live.trust.label_detector import read_label
from live.trust.marking import Marking
from live.trust.watermark import Watermark
from live.trust.watermark_detector import Candidate, false_alarm, locate, read_message, read_watermark

pytestmark = pytest.mark.fast

DEMO_CLIP = REPOSITORY / "live" / "sources" / "studio_noor.mp4"
FRAMES, SIZE = 35, 256


@pytest.fixture(scope="module")
def clean() -> list[np.ndarray]:
    """Frames of the clip that ships."""
    with VideoReader(DEMO_CLIP) as video:
        images = [image for image, _ in zip((image for image, _ in video), range(FRAMES), strict=False)]
    side = min(images[0].shape[:2])
    return [cv2.resize(x[:side, :side], (SIZE, SIZE), interpolation=cv2.INTER_AREA) for x in images]


@pytest.fixture(scope="module")
def marked(clean, module_target) -> tuple[list[np.ndarray], str]:
    """The same as a session sends them, with label and mark, and the session's id."""
    marking = Marking()
    return [marking.apply(image, module_target) for image in clean], marking.session_id


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2)))


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_second_of_frames_survives(attack, marked):
    images, session_id = marked
    reading = read_watermark(ATTACKS[attack](images)[-25:])
    assert reading is not None and reading.session_id == session_id and reading.false_alarm < 1e-6


@pytest.mark.parametrize("attack", ["VP8, 500 kbit/s", "H.264, 500 kbit/s", "75 %", "JPEG 70"])
def test_a_single_frame_survives(attack, marked):
    images, session_id = marked
    reading = read_watermark(ATTACKS[attack](images)[-1:])
    assert reading is not None and reading.session_id == session_id


def test_the_mark_is_faint(clean):
    watermark = Watermark("0123456789")
    assert min(psnr(watermark.apply(image), image) for image in clean) >= 42
    noise = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3)).astype(np.uint8)
    assert psnr(Watermark("0123456789").apply(noise), noise) >= 42  # the strongest there is
    assert min(psnr(watermark.apply(image), image) for image in [noise] * 5 + clean[:4]) >= 42  # of what came before


def test_the_image_itself_is_left_alone(clean):
    """Generators feed their last image back: a mark in it would add up."""
    image = clean[0].copy()
    Watermark("0123456789").apply(image)
    assert np.array_equal(image, clean[0])


def test_images_of_any_size_are_marked():
    image = np.full((300, 200, 3), 90, np.uint8)
    reading = read_watermark([Watermark("00ff00ff00").apply(image)])
    assert reading is not None and reading.session_id == "00ff00ff00"


def test_no_mark_is_found_where_there_is_none(clean):
    assert read_watermark(clean[:25]) is None
    page = np.full((400, 640, 3), 255, np.uint8)
    cv2.putText(page, "no image at all", (20, 200), cv2.FONT_HERSHEY_SIMPLEX, 1, (0, 0, 0), 2)
    assert read_watermark([page]) is None
    assert read_watermark([np.zeros((64, 64, 3), np.uint8)]) is None


def test_without_a_mark_the_correlation_is_as_computed():
    """The largest of n standard normal values; a heavier tail would make false alarms likelier than is claimed."""
    rng = np.random.default_rng(1)
    images = [cv2.GaussianBlur(rng.normal(128, 40, (256, 256, 3)).astype(np.float32), (0, 0), 2) for _ in range(3)]
    largest = [locate([np.clip(image, 0, 255).astype(np.uint8)]).z for image in images]
    assert 4 < min(largest) and max(largest) < 6.5  # of some 10^7 values: 5.2, give or take 0.3
    assert false_alarm(6.0) < 1e-6


def test_the_code_corrects_errors():
    message = message_of("a1b2c3d4e5")
    spectrum = np.fft.rfft2(tile_of(message))
    phases = spectrum[WAVES[:, 0], WAVES[:, 1]]
    phases /= np.abs(phases)
    rng = np.random.default_rng(0)
    wrong = rng.random(len(phases)) < 0.15
    phases[wrong] *= -1  # 15 % of all chips
    assert decode(phases) == message and session_of(message) == "a1b2c3d4e5"
    assert tile_of(message).shape == (TILE, TILE)


@pytest.mark.parametrize("bit", range(64))
def test_a_message_with_a_wrong_bit_is_none(bit):
    message = bytearray(message_of("0123456789"))
    message[bit // 8] ^= 1 << bit % 8
    assert session_of(bytes(message)) is None


def test_each_session_has_its_own_id():
    marking = Marking()
    assert marking.session_id != marking.clone().session_id


def test_the_offset_is_found_to_a_fraction():
    """Half a pixel turns the phases of the shortest waves by 40 degrees."""
    place = np.array([7.5, 3.5])
    message = message_of("0123456789")
    spectrum = np.fft.rfft2(tile_of(message))[WAVES[:, 0], WAVES[:, 1]]
    noise = np.random.default_rng(0).normal(size=(2, len(WAVES))) * np.abs(spectrum).mean() * 1.3
    moved = spectrum * np.exp(-2j * np.pi / TILE * (WAVES @ place)) + noise[0] + 1j * noise[1]
    for guess in ((7.0, 3.0), (8.0, 4.0), (7.0, 4.0)):
        assert read_message(Candidate(9.0, 1.0, guess, moved / np.abs(moved))) == message


def test_the_loop_marks_every_image(model, target_info, clean):
    images = clean[:2]
    loop = pipeline(model, replace(target_info, size=SIZE), ListSource(images), Still(clean[0]), marking=Marking())
    received: list[np.ndarray] = []
    loop.sinks.append(lambda generated: received.append(generated.image))
    loop.start()
    for thread in loop._threads:
        thread.join(30)
    assert loop.error is None and len(received) == 2 and np.array_equal(received[0], received[1])
    reading = read_watermark(received[:1])
    assert reading is not None and reading.session_id == loop.marking.session_id
    assert read_label(received[:1]) is not None


class Still(NmfcGenerator):
    """Generates the same image again and again, as one array."""

    def __init__(self, image: np.ndarray) -> None:
        super().__init__()
        self._image = image

    def step(self, conditioning: np.ndarray) -> np.ndarray:
        return self._image
