"""What the page says of the stream: never "live" over an image that stands still or is black."""

from __future__ import annotations

import pytest
from browser import opened, until
from live_parts import pipeline
from live_serving import serving
from page_parts import FAKE_LIVE, BlankSource

from live.sources.browser import NoSource

pytestmark = pytest.mark.browser
_KEEP_WORDS = """
window.words = new Set();
addEventListener('DOMContentLoaded', () => {
  const chip = document.getElementById('state');
  new MutationObserver(() => words.add(chip.textContent)).observe(chip, { childList: true });
});
"""
_WORD = "document.getElementById('state').textContent"


@pytest.fixture(scope="module")
def silent(model, module_target):
    """A server whose source brings nothing."""
    with serving(pipeline(model, module_target, NoSource(), drop=True)) as address:
        yield address


@pytest.fixture(scope="module")
def running(model, module_target):
    """A server whose frames keep coming."""
    with serving(pipeline(model, module_target, BlankSource(), drop=True)) as address:
        yield address


def test_what_the_server_says_is_shown(chromium, silent):
    with opened(chromium, silent, script=FAKE_LIVE) as page:
        for state, tone, sentence in [
            ("waiting", "wait", "Waiting for a camera."),
            ("camera paused", "wait", "The camera is paused."),
            ("stalled", "bad", "No frames from the camera."),
            ("camera gone", "bad", "The camera is gone."),
            ("closed", "bad", "The session has ended."),
        ]:
            page.evaluate("state => { figures.state = state }", state)
            page.locator(f"#state[data-state='{state}'][data-tone={tone}]", has_text=state).wait_for()
            page.locator("#badge-text", has_text=sentence).wait_for()
            assert page.locator("#progress").is_hidden()
        page.evaluate("Object.assign(figures, { state: 'getting ready', detail: 'Kernels compile.', progress: 0.4 })")
        page.locator("#badge-text", has_text="Kernels compile.").wait_for()
        assert page.locator("#progress").evaluate("bar => bar.value") == 0.4


def test_no_image_is_never_called_live(chromium, silent):
    with opened(chromium, silent, script=FAKE_LIVE + _KEEP_WORDS) as page:
        page.locator("#state[data-state='no image'][data-tone=bad]").wait_for()
        page.locator("#badge-text", has_text="No image arrives").wait_for()
        assert "live" not in page.evaluate("[...words]")


def test_a_server_that_falls_silent_is_noticed_and_so_is_its_return(chromium, running):
    with opened(chromium, running, script=FAKE_LIVE) as page:
        page.locator("#state[data-state=live][data-tone=good]").wait_for()
        asked = page.evaluate("silent = true, performance.now()")
        until(page, f"{_WORD} === 'not answering'")
        assert 1000 < page.evaluate("performance.now()") - asked < 3000
        page.evaluate("silent = false")
        until(page, f"{_WORD} === 'live'")


def test_a_frozen_image_is_noticed_and_mended(chromium, running):
    keep = "const Own = RTCPeerConnection; window.connections = [];" + (
        "window.RTCPeerConnection = class extends Own { constructor(...a) { super(...a); connections.push(this); } };"
    )
    with opened(chromium, running, script=FAKE_LIVE + keep) as page:
        page.locator("#state[data-state=live]").wait_for()
        page.evaluate("connections.at(-1).getReceivers()[0].track.stop()")  # nothing reports that
        until(page, f"{_WORD} === 'no image'", seconds=4)
        until(page, f"connections.length > 1 && {_WORD} === 'live'")


def test_steady_figures_are_announced_once(chromium, running):
    count = """
    window.changes = 0;
    for (const id of ['state', 'announcement', 'target', 'source', 'badge-text'])
      new MutationObserver(() => changes++).observe(document.getElementById(id), { childList: true });
    """
    with opened(chromium, running, script=FAKE_LIVE) as page:
        page.locator("#announcement", has_text="live").wait_for(state="attached")
        page.evaluate("() => {" + count + "}")
        until(page, "(window.start ??= performance.now()) + 2000 < performance.now()")
        assert page.evaluate("changes") == 0


_NO_WEBRTC = "delete window.RTCPeerConnection;"
_NO_MEDIA = """
const Own = RTCPeerConnection;
window.RTCPeerConnection = class extends Own { constructor() { super({ iceTransportPolicy: 'relay' }); } };
"""  # as behind a firewall: without a TURN server there is no path


@pytest.mark.parametrize("blocked", [_NO_WEBRTC, _NO_MEDIA], ids=["no WebRTC", "no media"])
def test_plain_images_where_no_media_comes(chromium, running, blocked):
    with opened(chromium, running, script=FAKE_LIVE + _KEEP_WORDS + blocked) as page:
        page.locator("#figures", has_text="plain images").wait_for()
        page.locator("#state[data-state=live]").wait_for()
        assert page.locator("#still").is_visible()
        pixels = "document.getElementById('still').getContext('2d').getImageData(0, 0, 64, 64).data"
        assert page.evaluate(f"[...{pixels}].some((value, k) => k % 4 < 3 && value > 100)")
