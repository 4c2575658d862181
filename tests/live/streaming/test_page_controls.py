"""The page's controls of recording, motion and calibration, by mouse and keyboard."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser import fake_camera, opened, until
from live_parts import pipeline
from live_serving import serving
from page_parts import FAKE_LIVE, BlankSource

from face.video import VideoReader
from live.sources.video_file import DEMO_CLIP
from live.streaming.http.server import ServerSettings

pytestmark = pytest.mark.browser
_HELPED = "localStorage.setItem('helped', 'yes');"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("recordings")


@pytest.fixture(scope="module")
def camera(tmp_path_factory) -> Path:
    return fake_camera(DEMO_CLIP, tmp_path_factory.mktemp("camera") / "camera.y4m", frames=25)


@pytest.fixture(scope="module")
def running(model, module_target, folder):
    with serving(
        pipeline(model, module_target, BlankSource(), drop=True), ServerSettings(recordings=folder)
    ) as address:
        yield address


def test_a_recording_is_made_and_downloaded(chromium, running, folder, tmp_path):
    with opened(chromium, running, script=_HELPED) as page:
        page.get_by_role("button", name="Record").press("Enter")
        page.locator("#recording-words", has_text="Recording 0:01").wait_for()
        page.get_by_role("button", name="Record").press("Enter")
        page.locator("#recording-words", has_text="Recorded").wait_for()
        with page.expect_download() as download:
            page.get_by_role("button", name="Download").click()
        download.value.save_as(tmp_path / "a.mp4")
    (film,) = folder.iterdir()
    assert (tmp_path / "a.mp4").read_bytes() == film.read_bytes()
    with VideoReader(film) as video:
        assert sum(1 for _ in video) > 3


def test_why_a_recording_ended_is_said(chromium, running):
    with opened(chromium, running, script=_HELPED + FAKE_LIVE) as page:
        page.evaluate("figures.recording = {name: 'a.mp4', active: false, seconds: 9, bytes: 5, failure: 'Full.'}")
        page.locator("#recording-words", has_text="Full.").wait_for()
        assert page.get_by_role("button", name="Record").get_attribute("aria-pressed") == "false"


def test_strengths_are_sent_and_kept_for_each_person(chromium, running):
    with opened(chromium, running, script=_HELPED + FAKE_LIVE) as page:
        page.locator("#target", has_text="Test").wait_for()
        for name in ("head", "eyes"):
            page.locator(f"#{name}").fill("0.5")
            page.locator(f"#{name}-value", has_text="0.50×").wait_for()
        assert page.evaluate("sent") == [{"head": 0.5}, {"eyes": 0.5}]
        assert page.evaluate("JSON.parse(localStorage.getItem('settings test'))") == {"head": 0.5, "eyes": 0.5}
        assert page.evaluate("localStorage.getItem('settings other')") is None


def test_freeze_and_mirror_by_button_and_key(chromium, running):
    with opened(chromium, running, script=_HELPED + FAKE_LIVE) as page:
        page.locator("#target", has_text="Test").wait_for()
        page.keyboard.press("z")
        page.get_by_role("button", name="Mirror").click()
        assert page.evaluate("sent") == [{"freeze": True}, {"mirror": True}]
        page.evaluate("figures.settings.freeze = true")
        page.locator("#freeze[aria-pressed=true]").wait_for()


def test_the_clean_page_shows_the_image_alone(chromium, running):
    with opened(chromium, f"{running}/?clean", script=_HELPED) as page:
        until(page, "document.getElementById('video').videoWidth > 0")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgba(0, 0, 0, 0)"
        visible = page.locator("header, aside, .bar, .figures, #recording, .badge").evaluate_all(
            "all => all.filter((element) => element.checkVisibility()).length"
        )
        assert visible == 0
        assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")
        box = page.locator("#video").bounding_box()
        assert box["height"] == pytest.approx(page.viewport_size["height"], abs=1)


def test_calibration_says_how_near_the_look_is_to_rest(chromium, running, camera):
    with opened(chromium, running, camera, script=_HELPED + FAKE_LIVE) as page:
        page.get_by_role("button", name="Use my camera").click()
        page.locator("#preview").wait_for()
        for match, words, outline in [
            ({"score": 0.3, "expression": 0.9, "head": 0.3}, "Look straight at the camera.", "poor"),
            ({"score": 0.4, "expression": 0.4, "head": 1.0}, "Relax your face", "poor"),
            ({"score": 0.92, "expression": 0.92, "head": 1.0}, "Good. Hold it.", "good"),
        ]:
            page.evaluate(
                "match => Object.assign(figures, { state: 'calibrating', progress: 0.5, match })", match
            )  # fmt: skip
            page.locator("#badge-text", has_text=words).wait_for()
            page.locator("#match-words", has_text=f"{round(100 * match['score'])} % neutral").wait_for()
            assert page.locator("#match-bar").evaluate("bar => bar.value") == match["score"]
            page.locator(f"#ghost[data-match={outline}]").wait_for()
        page.evaluate("Object.assign(figures, { state: 'live', match: null })")
        page.locator("#match").wait_for(state="hidden")
        page.locator("#ghost").wait_for(state="hidden")


def test_the_sheet_shows_the_consent_record(chromium, running):
    with opened(chromium, running, script=_HELPED + FAKE_LIVE) as page:
        page.locator("#target", has_text="Test").wait_for()
        page.get_by_role("button", name="About").click()
        page.locator("#consent", has_text="an invented person").wait_for()
        record = {"subject": "Ann Example", "footage": "filmed at home", "permission": "in writing",
                  "permitted_by": "Ann", "permitted_on": "2026-11-27", "label_optional": False}  # fmt: skip
        page.evaluate("record => { figures.target.consent = record }", record)
        page.locator("#consent", has_text="Ann Example").wait_for()
        rows = page.locator("#consent > *").all_text_contents()
        assert dict(zip(rows[::2], rows[1::2], strict=True)) == {
            "Shown": "Ann Example", "Footage": "filmed at home", "Permission": "in writing", "Given by": "Ann",
            "Given on": "November 27, 2026", "Label": "Always on.",
        }  # fmt: skip
