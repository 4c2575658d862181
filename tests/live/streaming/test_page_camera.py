"""The page's own camera and microphone."""

from __future__ import annotations

from urllib.parse import urljoin

import httpx
import pytest
from browser import fake_camera, opened, until
from live_parts import pipeline
from live_serving import serving

from live.sources.browser import NoSource
from live.sources.video_file import DEMO_CLIP

pytestmark = pytest.mark.browser

# Keeps what the page asks of the browser, and refuses by the name in `refusal`.
_DEVICES = """
window.asked = [];
window.refusal = '';
const own = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = (wanted) => {
  asked.push(Object.keys(wanted).join());
  return refusal ? Promise.reject(new DOMException('', refusal)) : own(wanted);
};
"""
_PREVIEW = "document.getElementById('preview').srcObject.getTracks()[0]"


@pytest.fixture(scope="module")
def camera(tmp_path_factory):
    return fake_camera(DEMO_CLIP, tmp_path_factory.mktemp("camera") / "camera.y4m", frames=25)


@pytest.fixture
def served(model, module_target):
    loop = pipeline(model, module_target, NoSource(), drop=True)
    with serving(loop) as address:
        yield loop, address


def test_the_microphone_is_asked_for_separately(chromium, served, camera):
    loop, address = served
    heard: list[object] = []
    loop.sound_sinks.append(heard.append)
    with opened(chromium, address, camera, script=_DEVICES) as page:
        page.get_by_role("button", name="Use my camera").click()
        page.locator("#camera[aria-pressed=true]").wait_for()
        page.locator("#preview").wait_for()
        until(page, "document.getElementById('camera-choice').selectedOptions.length === 1")
        assert page.evaluate("asked") == ["video"] and not heard
        assert page.evaluate("document.activeElement.id") == "camera"
        assert page.evaluate("getComputedStyle(document.getElementById('preview')).transform").startswith("matrix(-1")
        page.get_by_role("button", name="Microphone").click()
        page.locator("#microphone[aria-pressed=true]").wait_for()
        assert page.evaluate("asked") == ["video", "audio"]
        page.locator("#microphone-choice").wait_for()
        for _ in range(300):
            if heard:
                break
            page.wait_for_timeout(100)  # lets Playwright's own messages through
        assert heard, "the microphone does not reach the loop"
        page.get_by_role("button", name="Microphone").click()
        page.locator("#microphone[aria-pressed=false]").wait_for()
        assert page.locator("#microphone-choice").is_hidden()
        page.get_by_role("button", name="Stop my camera").click()
        page.locator("#preview").wait_for(state="hidden")
        assert page.evaluate("document.getElementById('preview').srcObject") is None


def test_a_click_while_the_camera_still_connects_is_not_lost(chromium, served, camera):
    _, address = served
    holds = """
    const held = new Promise((release) => { window.release = release; });
    const own = window.fetch;
    window.fetch = async (...what) => {
      if (String(what[0]).endsWith('whip')) await held;
      return own(...what);
    };
    """
    with opened(chromium, address, camera, script=holds) as page:
        page.get_by_role("button", name="Use my camera").click()
        page.get_by_role("button", name="Microphone").click()
        assert page.locator("#microphone").get_attribute("aria-pressed") == "false"  # the camera still connects
        page.evaluate("release()")
        page.locator("#microphone[aria-pressed=true]").wait_for()
        page.locator("#source", has_text="browser's camera").wait_for()


def test_each_refusal_has_its_sentence(chromium, served):
    _, address = served
    with opened(chromium, address, script=_DEVICES) as page:
        for name, sentence in [
            ("NotAllowedError", "was not allowed to use the camera"),
            ("NotReadableError", "in use by another program"),
            ("NotFoundError", "No camera was found"),
            ("SecurityError", "settings forbid"),
        ]:
            page.evaluate("name => { refusal = name }", name)
            page.get_by_role("button", name="Use my camera").click()
            page.locator("#note", has_text=sentence).wait_for()
            assert page.locator("#camera").get_attribute("aria-pressed") == "false"
        assert page.evaluate("asked") == ["video"] * 4  # never twice for one click


def test_a_camera_that_ends_or_mutes_is_told_of_and_comes_back(chromium, served, camera):
    _, address = served
    with opened(chromium, address, camera, script=_DEVICES) as page:
        page.get_by_role("button", name="Use my camera").click()
        page.locator("#preview").wait_for()
        page.evaluate(f"{_PREVIEW}.dispatchEvent(new Event('mute'))")
        page.locator("#note", has_text="sends no images").wait_for()
        page.evaluate(f"{_PREVIEW}.dispatchEvent(new Event('unmute'))")
        page.locator("#note").wait_for(state="hidden")
        page.evaluate(f"window.former = {_PREVIEW}, former.stop(), former.dispatchEvent(new Event('ended'))")
        page.locator("#note", has_text="unplugged").wait_for()
        until(page, f"{_PREVIEW} !== former && {_PREVIEW}.readyState === 'live'")
        page.locator("#note").wait_for(state="hidden")


def test_a_connection_that_breaks_is_made_again(chromium, served, camera):
    loop, address = served
    with opened(chromium, address, camera) as page:
        whip = lambda reply: reply.url.endswith("/whip") and reply.status == 201  # noqa: E731
        with page.expect_response(whip) as first:
            page.get_by_role("button", name="Use my camera").click()
        page.locator("#source", has_text="browser's camera").wait_for()
        with page.expect_response(whip) as second:
            httpx.delete(urljoin(address, first.value.headers["location"]))
        assert second.value.headers["location"] != first.value.headers["location"]
        page.locator("#source", has_text="browser's camera").wait_for()
        page.locator("#note").wait_for(state="hidden")
    assert loop.error is None
