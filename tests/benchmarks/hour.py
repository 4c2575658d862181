"""An hour of visitors in Chromium: they come, try every control, lose the network, come back, and leave. Run by hand.

    PYTHONPATH=tests python -m benchmarks.hour [--minutes 60] [--visitors 40] [--at-once 3] [--seed 0]

Each visitor is a page of its own. All the time the page itself notes how long its image is black, or stands still,
while it says "live". Printed is a line for each visitor. The exit status is 1 if an image was black under "live" for
more than 3 s, if a page wrote an error to its console (the browser's own lines about the lost network apart), if a
visitor could not do something, or if the server's loop ended.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from browser import FLAGS, fake_camera, installed
from live_serving import serving
from playwright.async_api import Browser, CDPSession, ConsoleMessage, Page, async_playwright

from face.threads import compute_on_one_thread
from live import logs
from live.app import build_pipeline
from live.sources.video_file import DEMO_CLIP
from live.streaming.http.server import ServerSettings

BLACK_S = 3.0
PATIENCE_MS = 120_000  # long: a machine that others use, too, takes its time
OUTAGE_S = 6.0
# What a browser writes by itself when the network is gone, or when a page hangs up what the server has given up, too.
UNAVOIDABLE = re.compile(r"ERR_INTERNET_DISCONNECTED|ERR_NETWORK|WebSocket connection to .* failed|404 .*/wh[ei]p/")
SHOWN = "['state', 'badge-text', 'note', 'source'].map(id => document.getElementById(id).textContent).join(' | ')"
WATCH = """
window.longest = { black: 0, still: 0 };
addEventListener('DOMContentLoaded', () => {
  const state = document.getElementById('state'), video = document.getElementById('video');
  const still = document.getElementById('still');
  const canvas = Object.assign(document.createElement('canvas'), { width: 16, height: 16 });
  const context = canvas.getContext('2d', { willReadFrequently: true });
  const since = { black: null, still: null };
  let frames = 0, before = -1;
  const count = () => { frames++; video.requestVideoFrameCallback(count); };
  video.requestVideoFrameCallback(count);
  const note = (what, wrong) => {
    if (!wrong) return (since[what] = null);
    since[what] ??= performance.now();
    longest[what] = Math.max(longest[what], (performance.now() - since[what]) / 1000);
  };
  setInterval(() => {
    const live = state.textContent === 'live';
    context.fillRect(0, 0, 16, 16);
    context.drawImage(still.hidden ? video : still, 0, 0, 16, 16);
    const brightest = Math.max(...context.getImageData(0, 0, 16, 16).data.filter((_, k) => k % 4 < 3));
    note('black', live && brightest < 16);
    note('still', live && still.hidden && frames === before);
    before = frames;
  }, 250);
});
"""


@dataclass
class Visit:
    """What became of a visitor."""

    number: int
    kind: str
    came_s: float
    done: list[str] = field(default_factory=list)
    noticed_s: float | None = None
    back_s: float | None = None
    black_s: float = 0.0
    still_s: float = 0.0
    errors: list[str] = field(default_factory=list)

    def row(self) -> str:
        """A line of the table."""
        seconds = [f"{s:7.1f}" if s is not None else "      -" for s in (self.noticed_s, self.back_s)]
        return (f"{self.number:3} {self.came_s:7.0f} {self.kind:8} {len(self.done):8} {' '.join(seconds)} "
                f"{self.black_s:7.1f} {self.still_s:7.1f}  {'; '.join(self.errors) or 'none'}")  # fmt: skip


HEADER = "  # came, s kind     controls noticed    back   black   still  errors"


async def press(page: Page, name: str, twice: bool = True) -> None:
    """A button by its name, there and back."""
    for _ in range(2 if twice else 1):
        await page.get_by_role("button", name=name, exact=True).click()


async def slide(page: Page, id: str) -> None:
    """A slider to both ends and back to where it was."""
    slider = page.locator(f"#{id}")
    for key in ("Home", "End"):
        await slider.press(key)
    await slider.fill("1")


async def choose(page: Page, name: str) -> None:
    """Radio buttons, there and back."""
    for number in (1, 0):
        await page.locator(f"input[name={name}]").nth(number).check(force=True)


async def download(page: Page, name: str) -> None:
    """A button that gives a file."""
    async with page.expect_download() as coming:
        await press(page, name, twice=False)
    await (await coming.value).delete()


async def record(page: Page) -> None:
    """Two seconds of a recording, downloaded."""
    await press(page, "Record", twice=False)
    await page.locator("#recording-words", has_text="Recording 0:02").wait_for(timeout=PATIENCE_MS)
    await press(page, "Record", twice=False)
    await download(page, "Download")


async def use_camera(page: Page) -> None:
    """Be the source for a while, with sound."""
    await press(page, "Use my camera", twice=False)
    await page.locator("#source", has_text="browser's camera").wait_for(timeout=PATIENCE_MS)
    await press(page, "Microphone")
    await page.locator("#state[data-state=live]").wait_for(timeout=PATIENCE_MS)
    await press(page, "Stop my camera", twice=False)
    await page.locator("#source", has_text="demo clip").wait_for(timeout=PATIENCE_MS)


async def about(page: Page) -> None:
    """The target's sheet."""
    await press(page, "About", twice=False)
    await press(page, "Close", twice=False)


CONTROLS: dict[str, Callable[[Page], Awaitable[None]]] = {
    **{name: lambda page, name=name: press(page, name)
       for name in ("Freeze", "Mirror", "Sound", "Source beside result", "Full screen", "Help")},
    **{id: lambda page, id=id: slide(page, id) for id in ("strength", "head", "eyes")},
    **{name: lambda page, name=name: choose(page, name) for name in ("mode", "relative")},
    "re-calibrate": lambda page: press(page, "Re-calibrate", twice=False),
    "snapshot": lambda page: download(page, "Save a snapshot"),
    "stages": lambda page: page.get_by_text("Time per stage").click(),
    "about": about, "record": record, "camera": use_camera,
}  # fmt: skip
ALONE = ("record", "camera")  # a session has one of each


async def lose_network(page: Page, devtools: CDPSession, visit: Visit) -> None:
    """Cut the page off, media too; see that it says so, and that it is live again afterwards."""
    condition = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    await page.locator("#state[data-state=live]").wait_for(timeout=PATIENCE_MS)
    begin_s = time.monotonic()
    await devtools.send("Network.emulateNetworkConditions", {**condition, "offline": True, "packetLoss": 100})
    await page.locator("#state[data-tone=bad]").wait_for(timeout=PATIENCE_MS)
    visit.noticed_s = time.monotonic() - begin_s
    await asyncio.sleep(max(0.0, OUTAGE_S - visit.noticed_s))
    begin_s = time.monotonic()
    await devtools.send("Network.emulateNetworkConditions", {**condition, "offline": False, "packetLoss": 0})
    await page.locator("#state[data-state=live]").wait_for(timeout=PATIENCE_MS)
    visit.back_s = time.monotonic() - begin_s


def note(line: ConsoleMessage, visit: Visit) -> None:
    """Keep what the page writes as an error."""
    text = f"{line.text} {line.location['url']}"
    if line.type == "error" and not UNAVOIDABLE.search(text):
        visit.errors.append(text)


async def visit_once(browser: Browser, address: str, visit: Visit, chance: random.Random, alone: asyncio.Lock) -> None:
    """One visitor, from coming to leaving."""
    size = {"width": 390, "height": 844} if visit.kind == "phone" else {"width": 1280, "height": 800}
    context = await browser.new_context(viewport=size, permissions=["camera", "microphone"])
    page = await context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    await page.add_init_script(WATCH + "localStorage.setItem('helped', 'yes');")
    page.on("pageerror", lambda error: visit.errors.append(str(error)))
    page.on("console", lambda line: note(line, visit))
    doing = "coming"
    try:
        await page.goto(address)
        await page.locator("#state[data-state=live]").wait_for()
        names = chance.sample([*CONTROLS, "network"], len(CONTROLS) + 1)
        devtools = await context.new_cdp_session(page)
        await devtools.send("Network.enable")
        for doing in names:
            if doing == "network":
                await lose_network(page, devtools, visit)
            elif doing in ALONE:
                async with alone:
                    await CONTROLS[doing](page)
            else:
                await CONTROLS[doing](page)
            visit.done.append(doing)
            await asyncio.sleep(chance.uniform(0.2, 1.0))
    except Exception as error:  # of whatever kind: it belongs in the table
        visit.errors.append(f"{doing}: {str(error).splitlines()[0]} The page showed: {await page.evaluate(SHOWN)}")
    finally:
        longest = await page.evaluate("window.longest")
        visit.black_s, visit.still_s = longest["black"], longest["still"]
        await context.close()
        print(visit.row(), flush=True)


async def all_visits(address: str, camera: Path, minutes: float, visitors: int, at_once: int, seed: int) -> list[Visit]:
    """All visitors, evenly over the time, some at once."""
    chromium = installed() or sys.exit("No Chromium is installed.")
    flags = [*FLAGS, "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
             f"--use-file-for-fake-video-capture={camera}"]  # fmt: skip
    begin_s, room, alone = time.monotonic(), asyncio.Semaphore(at_once), asyncio.Lock()

    async def come(number: int) -> Visit:
        await asyncio.sleep(number * 60 * minutes / visitors)
        async with room:
            visit = Visit(number, "phone" if number % 3 == 2 else "desktop", time.monotonic() - begin_s)
            await visit_once(browser, address, visit, random.Random(seed + number), alone)
        return visit

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=flags)
        print(HEADER, flush=True)
        visits = await asyncio.gather(*(come(number) for number in range(visitors)))
        await browser.close()
    return visits


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--visitors", type=int, default=40)
    parser.add_argument("--at-once", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    logs.set_up(as_json=False)
    compute_on_one_thread()
    with tempfile.TemporaryDirectory() as folder:
        camera = fake_camera(DEMO_CLIP, Path(folder) / "camera.y4m")
        loop, _ = build_pipeline("demo", "demo")
        with serving(loop, ServerSettings(recordings=Path(folder))) as address:
            visits = asyncio.run(all_visits(
                address, camera, arguments.minutes, arguments.visitors, arguments.at_once, arguments.seed
            ))  # fmt: skip
    failed = [v for v in visits if v.errors or v.black_s > BLACK_S]
    tried, black_s = sum(len(v.done) for v in visits), max(v.black_s for v in visits)
    print(f"{len(visits)} visitors, {len(failed)} with trouble; {tried} controls tried")
    print(f"longest black under 'live' {black_s:.1f} s; the loop's error: {loop.error}")
    return 1 if failed or loop.error else 0


if __name__ == "__main__":
    sys.exit(main())
