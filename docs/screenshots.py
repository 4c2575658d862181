"""Makes the screenshots of the page in this folder.

    PYTHONPATH=tests python -m docs.screenshots [NAME ...]

Real pages of a real server in Chromium: the demo target, moved by the demo clip that ships, both invented people.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from browser import fake_camera, installed, opened, until
from live_serving import serving
from playwright.sync_api import Page

from face.threads import compute_on_one_thread
from live.app import build_pipeline
from live.sources.video_file import DEMO_CLIP
from live.streaming.http.preparing import Preparation
from live.streaming.http.server import Server, ServerSettings
from live.streaming.http.serving import listen, serve

FOLDER = Path(__file__).parent
HELPED = "localStorage.setItem('helped', 'yes');"
DENIED = "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotAllowedError'));"
SETTLE_MS = 6000  # after which the figures are those of a warm loop
QUALITY = 88


def live(page: Page) -> None:
    """Wait for the stream."""
    until(page, "document.getElementById('video').videoWidth > 0", 60)
    page.locator("#state[data-state=live]").wait_for(timeout=60_000)
    page.wait_for_timeout(SETTLE_MS)


def record(page: Page) -> None:
    """Record some seconds."""
    live(page)
    page.get_by_role("button", name="Record").click()
    page.locator("#recording-words", has_text="Recording 0:04").wait_for()


def open_sheet(page: Page) -> None:
    """Open the target's sheet."""
    live(page)
    page.get_by_role("button", name="About").click()


def ask_for_camera(page: Page) -> None:
    """Ask for a camera that the browser refuses."""
    live(page)
    page.get_by_role("button", name="Use my camera").click()
    page.locator("#note").wait_for()
    page.locator("#state[data-state=live]").wait_for(timeout=60_000)


def calibrate(page: Page) -> None:
    """Be amid the calibration of a camera."""
    page.get_by_role("button", name="Use my camera").click()
    page.locator("#state[data-state=live]").wait_for(timeout=60_000)
    page.evaluate("document.querySelector('#camera-choice option').textContent = 'Webcam'")  # not a file's name
    page.get_by_role("button", name="Re-calibrate").click()
    page.locator("#ghost").wait_for(timeout=60_000)
    until(page, "document.getElementById('progress').value > 0.4")


# What to do on the page, and its options.
SHOTS: dict[str, tuple[Callable[[Page], None], dict]] = {
    "page": (live, {}),
    "page_dark": (live, {"color_scheme": "dark"}),
    "page_phone": (live, {"width": 390, "height": 844}),
    "page_landscape": (live, {"width": 844, "height": 390}),
    "page_first_visit": (live, {"script": ""}),
    "page_camera_denied": (ask_for_camera, {"script": HELPED + DENIED}),
    "page_target": (open_sheet, {}),
    "page_recording": (record, {}),  # the last: it goes on
}


def shoot(address: str, name: str, act: Callable[[Page], None], options: dict) -> None:
    """Write one screenshot."""
    options = {"width": 1280, "height": 800, "script": HELPED, **options}
    with opened(installed() or sys.exit("No Chromium is installed."), address, **options) as page:
        act(page)
        page.mouse.move(0, 0)
        page.screenshot(path=FOLDER / f"{name}.jpg", type="jpeg", quality=QUALITY)
    print(FOLDER / f"{name}.jpg")


@contextlib.contextmanager
def getting_ready() -> Iterator[str]:
    """A server whose loop is not ready yet."""
    server, bound, ended = Server(None), listen("127.0.0.1", 0), threading.Event()
    server.preparation = Preparation("The first start compiles for this CPU, up to half a minute.", 0.6)

    def prepare():
        ended.wait()
        return build_pipeline("demo", "browser")[0], None

    thread = threading.Thread(target=lambda: asyncio.run(serve(server, bound, ended, prepare)))
    thread.start()
    try:
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
    finally:
        ended.set()
        thread.join()
        bound.close()


def main() -> int:
    """Command line."""
    names = [*SHOTS, "page_calibration", "page_getting_ready"]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="which (default: all)")
    wanted = parser.parse_args().names or names
    compute_on_one_thread()
    with tempfile.TemporaryDirectory() as folder:
        settings = ServerSettings(recordings=Path(folder))
        if set(wanted) & set(SHOTS):
            with serving(build_pipeline("demo", "demo")[0], settings) as address:
                for name in SHOTS:
                    if name in wanted:
                        shoot(address, name, *SHOTS[name])
        if "page_calibration" in wanted:
            camera = fake_camera(DEMO_CLIP, Path(folder) / "camera.y4m")
            with serving(build_pipeline("demo", "browser")[0]) as address:
                shoot(address, "page_calibration", calibrate, {"camera": camera})
        if "page_getting_ready" in wanted:
            with getting_ready() as address:
                shoot(address, "page_getting_ready", lambda page: page.locator("#progress").wait_for(), {})
    return 0


if __name__ == "__main__":
    sys.exit(main())
