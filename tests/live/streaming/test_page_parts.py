"""Token, roles, first visit, layouts, accessibility and weight of the page."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import cv2
import pytest
from browser import opened, until
from conftest import REPOSITORY
from live_parts import pipeline
from live_serving import serving
from page_parts import FAKE_LIVE, BlankSource

from live.sources.browser import NoSource
from live.streaming.http.access import Tokens
from live.streaming.http.server import ServerSettings
from live.trust.marking import Marking

pytestmark = pytest.mark.browser
TOKEN = "a+b/c%41=="  # as `openssl rand -base64` and typing may make it
_AXE = REPOSITORY / "tests" / "live" / "npm" / "node_modules" / "axe-core" / "axe.min.js"
_LARGEST_BYTES = 60_000
_HELPED = "localStorage.setItem('helped', 'yes');"


@pytest.fixture(scope="module")
def running(model, module_target):
    with serving(pipeline(model, module_target, BlankSource(), drop=True)) as address:
        yield address


@pytest.fixture(scope="module")
def closed(model, module_target):
    loop = pipeline(model, module_target, NoSource(), drop=True)
    with serving(loop, ServerSettings(tokens=Tokens(TOKEN))) as address:
        yield address


def test_a_token_of_any_kind_works_from_the_address(chromium, closed):
    with opened(chromium, f"{closed}/#token={quote(TOKEN, safe='')}") as page:
        page.locator("#target", has_text="Test").wait_for()
        assert page.url == f"{closed}/"


def test_a_missing_token_is_asked_for(chromium, closed):
    with opened(chromium, closed) as page:
        page.locator("#state[data-state=locked]").wait_for()
        page.get_by_label("Token").fill("wrong")
        page.get_by_role("button", name="Open").click()
        page.locator("#token-error", has_text="not the token").wait_for()
        page.get_by_label("Token").fill(TOKEN)
        page.get_by_role("button", name="Open").click()
        page.locator("#target", has_text="Test").wait_for()
        page.locator("#token-form").wait_for(state="hidden")


def test_a_viewer_only_watches(chromium, running):
    with opened(chromium, running, script=FAKE_LIVE) as page:
        page.evaluate("figures.role = 'viewer'")
        page.locator("#role").wait_for()
        for control in ("#camera", "#recalibrate", "#strength", "input[name=mode] >> nth=0"):
            assert page.locator(control).is_disabled()
        page.evaluate("figures.role = 'operator'")
        page.locator("#role").wait_for(state="hidden")
        assert page.locator("#camera").is_enabled()


def test_settings_follow_another_page_even_while_focused(chromium, running):
    with opened(chromium, running, script=FAKE_LIVE) as page:
        page.get_by_text("Full head", exact=True).click()
        until(page, "sent.length === 0 || sent.at(-1).mode === 'head'")
        page.locator("input[name=mode][value=head]").focus()
        page.evaluate("Object.assign(figures.settings, { mode: 'face', strength: 1.5 })")
        until(page, "document.querySelector('input[name=mode]:checked').value === 'face'")
        page.locator("#strength-value", has_text="1.50").wait_for()
        assert page.locator("#strength").get_attribute("aria-valuetext") == "1.50×"


def test_the_hint_is_shown_on_the_first_visit_only(chromium, running):
    with opened(chromium, running) as page:
        page.locator("#help", has_text="Full head").wait_for()
        page.get_by_role("button", name="Got it").click()
        page.reload()
        page.locator("#target", has_text="Test").wait_for()
        assert page.locator("#help").is_hidden()
        page.get_by_role("button", name="Help").click()
        assert page.locator("#help").is_visible()


def test_keys_can_be_turned_off_and_do_not_repeat(chromium, running):
    with opened(chromium, running, script=FAKE_LIVE) as page:
        page.keyboard.down("r")
        page.keyboard.down("r")  # held
        page.keyboard.up("r")
        until(page, "sent.length === 1 && sent[0].recalibrate")
        page.locator("#shortcuts").uncheck()
        page.locator("#state").click()
        page.keyboard.press("r")
        assert page.evaluate("sent.length") == 1


def test_toggles_say_what_they_are(chromium, running):
    with opened(chromium, running, script=_HELPED) as page:
        sound = page.get_by_role("button", name="Sound")
        assert sound.get_attribute("aria-pressed") == "false"
        sound.click()
        assert sound.get_attribute("aria-pressed") == "true" and not page.evaluate(
            "document.getElementById('video').muted"
        )
        page.get_by_role("button", name="Source beside result").click()
        left, right = (page.locator(f"#{name}-pane").bounding_box() for name in ("source", "result"))
        assert left["width"] == right["width"] and left["x"] + left["width"] <= right["x"]
        until(
            page,
            "document.getElementById('source-landmarks').getContext('2d').getImageData(0, 0, 1, 1).data[3] === 255",
        )


def test_a_snapshot_carries_the_label_once(chromium, model, module_target, tmp_path):
    loop = pipeline(model, module_target, BlankSource(), drop=True, marking=Marking())
    with serving(loop) as address, opened(chromium, address, script=_HELPED) as page:
        until(page, "document.getElementById('video').videoWidth > 0")
        with page.expect_download() as download:
            page.keyboard.press("s")
        assert download.value.suggested_filename.startswith("head2head-")
        download.value.save_as(tmp_path / "snapshot.png")
        image = cv2.imread(str(tmp_path / "snapshot.png"))
        assert image.shape == (64, 64, 3) and image[:14, 2:60].max() > 200  # the label's letters
        assert page.get_by_text("AI-generated").count() == 0  # the page does not say it again


def test_an_iphone_gets_the_videos_full_screen_or_no_button(chromium, running):
    gone = "Object.defineProperty(Document.prototype, 'fullscreenEnabled', { value: false });"
    own = "HTMLVideoElement.prototype.webkitEnterFullscreen = function () { window.full = this.id; };"
    lacks = "delete HTMLVideoElement.prototype.webkitEnterFullscreen;"
    with opened(chromium, running, script=gone + own) as page:
        page.get_by_role("button", name="Full screen").click()
        assert page.evaluate("full") == "video"
    with opened(chromium, running, script=gone + lacks) as page:
        assert page.locator("#fullscreen").is_hidden()


@pytest.mark.parametrize(
    ("width", "height", "beside"),
    [(1280, 800, True), (1920, 1080, True), (844, 390, True), (640, 400, True), (390, 844, False), (320, 568, False)],
)
def test_layouts(chromium, running, width, height, beside):
    """Nothing overflows; image and camera button are both in view; beside each other they are centered."""
    with opened(chromium, running, width=width, height=height, script=_HELPED) as page:
        page.locator("#target", has_text="Test").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        screen, button = page.locator("#screen").bounding_box(), page.locator("#camera").bounding_box()
        assert screen["y"] + screen["height"] <= height and button["y"] + button["height"] <= height
        panel = page.locator("aside").bounding_box()
        assert (panel["x"] > screen["x"] + screen["width"]) == beside
        if beside:
            right = width - panel["x"] - panel["width"]
            assert abs(right - screen["x"]) < 20  # a scroll bar may take some
            assert panel["x"] - screen["x"] - screen["width"] < 30


def test_a_contrast_theme_shows_what_is_chosen(chromium, running):
    background = "input => getComputedStyle(input.nextElementSibling).backgroundColor"
    with opened(chromium, running, script=_HELPED, forced_colors="active") as page:
        chosen, other = (
            page.locator(f"input[name=mode][value={value}]").evaluate(background) for value in ("head", "face")
        )
        assert chosen != other


@pytest.mark.skipif(not _AXE.exists(), reason="axe-core is not installed (npm ci --prefix tests/live/npm)")
@pytest.mark.parametrize("options", [{}, {"color_scheme": "dark"}, {"width": 320, "height": 568}], ids=str)
def test_axe_finds_nothing_serious(chromium, running, options):
    serious = "async () => (await axe.run()).violations.filter(v => ['serious', 'critical'].includes(v.impact))" + (
        ".map(v => v.id + ': ' + v.nodes.map(n => n.target.join(' ') + ' ' + n.failureSummary).join('; '))"
    )
    with opened(chromium, running, **options) as page:  # with the hint of the first visit
        page.locator("#target", has_text="Test").wait_for()
        page.evaluate(_AXE.read_text())
        assert page.evaluate(serious) == []
        for shown in ("camera-options", "note", "token-form", "refusal", "role"):
            page.evaluate("id => { document.getElementById(id).hidden = false }", shown)
        page.evaluate("document.getElementById('note').textContent = 'No camera was found.'")
        assert page.evaluate(serious) == []
        page.get_by_role("button", name="About").click()
        assert page.evaluate(serious) == []


def test_the_page_is_light(chromium, running):
    with opened(chromium, "about:blank") as page:
        files: dict[str, int] = {}
        page.on("requestfinished", lambda r: files.update({r.url: r.sizes()["responseBodySize"]}))
        page.goto(running)
        page.locator("#target", has_text="Test").wait_for()
        static = {url: size for url, size in files.items() if Path(url).suffix in ("", ".js", ".css", ".svg")}
    assert len(static) > 10 and sum(static.values()) < _LARGEST_BYTES, static
