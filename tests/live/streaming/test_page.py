"""The page in a real Chromium: the demo person follows a real person, from a file and from the browser's camera."""

from __future__ import annotations

import base64
import contextlib
from dataclasses import replace

import cv2
import numpy as np
import pytest
from benchmarks.sync import film as flash_and_beep
from browser import fake_camera, opened, received, until
from conftest import real_clip
from live_parts import pipeline
from live_serving import serving
from untrained import write_two_sizes

from face.fit_per_frame import OnlineFitter
from face.landmarks import EYE_CORNERS
from face.target import write_onnx
from face.tracking import FaceTracker
from live.app import build_pipeline
from live.frames import Generated
from live.sources.video_file import DEMO_CLIP, FileSource
from live.streaming.http.access import Tokens
from live.streaming.http.server import ServerSettings
from live.streaming.media.audio_relay import SoundRelay
from live.target_gallery import Gallery
from offline.export.onnx_step import export_onnx
from offline.networks.compact_generator import CompactGenerator

pytestmark = pytest.mark.browser
CLIP = "lp_d12.mp4"  # turns the head and talks with a wide mouth: on a still one the correlation would be of noise


def mouth_opening(points: np.ndarray) -> float:
    """Distance of the inner lips' middles over that of the outer eye corners."""
    a, b = EYE_CORNERS
    return float(np.linalg.norm(points[13] - points[14]) / np.linalg.norm(points[a] - points[b]))


class Sent:
    """What the loop drew, with its time: mouth opening, as the tracker's is measured, and yaw."""

    def __init__(self, loop) -> None:
        self.rows: list[tuple[float, float, float]] = []
        self._model = loop.model
        loop.sinks.append(self.note)

    def note(self, generated: Generated) -> None:
        shown = generated.conditioned.parameters
        points = self._model.landmarks_of(self._model.shape(shown.identity, shown.expression))
        self.rows.append((generated.captured_s, mouth_opening(points), shown.camera.euler_deg[0]))


def read_back(model, times: np.ndarray, images: list[np.ndarray]) -> np.ndarray:
    """Time, mouth opening and yaw ``[N, 3]`` that the tracker sees in received pictures."""
    fitter = OnlineFitter(model)
    tracker = FaceTracker()
    rows = []
    for time_s, image in zip(times, images, strict=True):
        found = tracker.track(image, round(time_s * 1000))
        if found is not None:
            rows.append((time_s, mouth_opening(found.points), fitter.fit(found).camera.euler_deg[0]))
    assert len(rows) > 0.95 * len(images), "the target's face cannot be seen"
    return np.array(rows)


def agreement(sent: Sent, seen: np.ndarray) -> tuple[float, float]:
    """Correlation of mouth and of yaw, sent against seen, at the delay where both together agree best."""
    rows = np.array(sent.rows)
    best = (-1.0, -1.0)
    for start in np.arange(rows[0, 0], rows[-1, 0] - seen[-1, 0], 0.02):
        at = [np.interp(start + seen[:, 0], rows[:, 0], rows[:, k]) for k in (1, 2)]
        if min(np.std(a) for a in at) > 1e-6:
            found = tuple(float(np.corrcoef(a, seen[:, k])[0, 1]) for k, a in enumerate(at, 1))
            best = max(best, found, key=sum)
    return best


def wait_for_picture(page) -> None:
    until(page, "document.getElementById('video').videoWidth > 0")


def test_the_demo_person_follows_a_real_clip(chromium, model):
    loop, _ = build_pipeline("demo", str(real_clip(CLIP)))
    sent = Sent(loop)
    with serving(loop) as address, opened(chromium, address) as page:
        wait_for_picture(page)
        times, images = received(page, 250)
    mouth, yaw = agreement(sent, read_back(model, times, images))
    assert mouth > 0.8 and yaw > 0.8, (mouth, yaw)


def test_the_browsers_camera_moves_the_demo_person(chromium, model, tmp_path):
    camera = fake_camera(real_clip(CLIP), tmp_path / "camera.y4m")
    loop, _ = build_pipeline("demo", "browser")
    sent = Sent(loop)
    with serving(loop) as address, opened(chromium, address, camera) as page:
        page.get_by_role("button", name="Use my camera").click()
        wait_for_picture(page)
        page.locator("#source", has_text="browser's camera").wait_for()
        page.locator("#state[data-state=live]").wait_for(timeout=30_000)  # identity is found
        times, images = received(page, 100)
        page.get_by_role("button", name="Stop my camera").click()
        page.locator("#source", has_text="none yet").wait_for()
    mouth, yaw = agreement(sent, read_back(model, times, images))
    assert mouth > 0.8 and yaw > 0.8, (mouth, yaw)


def test_controls_by_keyboard_and_on_a_phone(chromium):
    loop, _ = build_pipeline("demo", str(DEMO_CLIP))
    with serving(loop) as address, opened(chromium, address) as page:
        wait_for_picture(page)
        page.locator("input[name=mode][value=head]").focus()
        page.keyboard.press("ArrowRight")
        page.locator("#strength").focus()
        page.keyboard.press("End")
        page.locator("#strength-value", has_text="2.0").wait_for()
        until(page, "document.querySelectorAll('#stages tr').length > 3")
        phone = page.context.browser.new_page(viewport={"width": 360, "height": 740})  # a second page, at once
        phone.goto(address)
        wait_for_picture(phone)
        phone.locator("#strength-value", has_text="2.0").wait_for()  # settings are shared
        assert phone.evaluate("document.documentElement.scrollWidth") <= 360
        blue = "document.getElementById('nmfc').getContext('2d').getImageData(96, 96, 1, 1).data[2] > 20"
        until(page, blue)
        assert loop.settings.mode == "face" and loop.settings.strength == 2.0
    assert loop.error is None


def test_the_page_says_so_when_the_server_is_gone(chromium):
    loop, _ = build_pipeline("demo", str(DEMO_CLIP))
    with contextlib.ExitStack() as browsing:
        with serving(loop) as address:
            page = browsing.enter_context(opened(chromium, address))
            wait_for_picture(page)
        page.locator("#state[data-state='not answering']").wait_for(timeout=15_000)
        page.locator("#badge", has_text="The server does not answer").wait_for(timeout=15_000)


def test_another_person_is_chosen_from_the_gallery(chromium, model, module_target, tmp_path):
    """By keyboard; the stream goes on, in another size even."""
    portrait = base64.b64encode(cv2.imencode(".jpg", np.full((16, 16, 3), 128, np.uint8))[1]).decode()
    network = export_onnx(CompactGenerator(64, widths=(8, 12, 16), fine=8), 64)
    info = replace(module_target, name="other", title="Somebody Else", portrait=portrait)
    write_onnx(tmp_path / "other.onnx", network, info)
    loop, path = build_pipeline("demo", str(DEMO_CLIP))
    gallery = Gallery(model, [tmp_path], path)
    with serving(loop, gallery=gallery) as address, opened(chromium, address) as page:
        wait_for_picture(page)
        page.locator("#gallery input[value=demo]:checked").wait_for(state="attached")
        page.locator("#gallery input[value=demo]").focus()
        page.keyboard.press("ArrowRight")
        page.locator("#target", has_text="Somebody Else").wait_for()
        until(page, "document.getElementById('video').videoWidth === 64")
        page.get_by_role("button", name="About").click()
        page.locator("#consent", has_text="an invented person").wait_for()
        page.get_by_role("button", name="Close").click()
        until(page, "document.querySelector('#gallery label:last-of-type img').naturalWidth === 16")
    assert loop.error is None


def test_the_size_is_chosen_where_the_target_has_two(chromium, model, module_target, tmp_path):
    path = tmp_path / "carla.onnx"
    write_two_sizes(path, replace(module_target, name="carla", title="Carla", other_sizes=[128]))
    loop = pipeline(model, module_target, FileSource(DEMO_CLIP, paced=True, loop=True), drop=True)
    gallery = Gallery(model, [tmp_path])
    loop.show(gallery.load("carla"))
    with serving(loop, gallery=gallery) as address, opened(chromium, address) as page:
        until(page, "document.getElementById('video').videoWidth === 128")
        size = page.get_by_label("Size")
        until(page, "document.getElementById('size').value === '128'")
        size.select_option("64 × 64")
        until(page, "document.getElementById('video').videoWidth === 64")
        assert size.input_value() == "64" and loop.target.size == 64
    assert loop.error is None


# How long after its last packet a picture is shown: the median of some.
_SHOWN_AFTER_MS = """async () => {
  const video = document.getElementById('video');
  const waits = [];
  await new Promise((done) => {
    const step = (_, { presentationTime, receiveTime }) => {
      waits.push(presentationTime - receiveTime);
      waits.length < 15 ? video.requestVideoFrameCallback(step) : done();
    };
    video.requestVideoFrameCallback(step);
  });
  return waits.sort((a, b) => a - b)[7];
}"""


def test_pictures_wait_for_sound_that_is_late_while_it_is_on(chromium, tmp_path, monkeypatch):
    monkeypatch.setattr(SoundRelay, "ahead_ms", -200.0)
    loop, _ = build_pipeline("demo", str(flash_and_beep(tmp_path / "clip.mkv", 60)))
    with serving(loop) as address, opened(chromium, address) as page:
        wait_for_picture(page)
        page.get_by_role("button", name="Sound").click()
        until(page, f"await ({_SHOWN_AFTER_MS})() > 170")
        page.get_by_role("button", name="Sound").click()
        until(page, f"await ({_SHOWN_AFTER_MS})() < 120")


def test_the_page_shows_its_token(chromium, model):
    """A page of a closed server takes the token from behind the # and forgets it there."""
    loop, _ = build_pipeline("demo", str(DEMO_CLIP))
    settings = ServerSettings(tokens=Tokens("for-friends"))
    with serving(loop, settings) as address, opened(chromium, f"{address}/#token=for-friends") as page:
        wait_for_picture(page)
        page.locator("#target", has_text=loop.target.title).wait_for()
        assert page.url == f"{address}/"


def test_a_camera_with_a_session_of_its_own_is_watched_there(chromium, tmp_path):
    camera = fake_camera(DEMO_CLIP, tmp_path / "camera.y4m", frames=50)
    loop, _ = build_pipeline("demo", "browser")
    settings = ServerSettings(most_sessions=2)
    with serving(loop, settings) as address, opened(chromium, address, camera) as page:
        page.locator("#source", has_text="none yet").wait_for()
        page.get_by_role("button", name="Use my camera").click()
        page.locator("#source", has_text="browser's camera").wait_for()
        wait_for_picture(page)
        assert loop.source_name.startswith("none yet")  # the main loop is not touched
        page.get_by_role("button", name="Stop my camera").click()
        page.locator("#source", has_text="none yet").wait_for()
    assert loop.error is None
