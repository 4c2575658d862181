"""Stand-ins for what the page talks to, and a server that costs little."""

from __future__ import annotations

import json
import threading
import time

import numpy as np

from live.frames import Frame

FIGURES = {
    "type": "status", "state": "live", "detail": None, "progress": None, "match": None, "role": "operator",
    "fps": 25.0, "viewers": 1,
    "target": {"name": "test", "title": "Test", "provenance": "an invented person", "consent": None},
    "watermark": "0123456789", "source": "a list",
    "publisher": None, "frames": {"in": 9, "out": 9, "dropped": 0, "skipped": 0},
    "ms": {"track": [9.1, 12.2]}, "latency_ms": 30.0,
    "sound_ahead_ms": None, "recording": None,
    "settings": {"mode": "head", "relative": False, "strength": 1.0, "head": 1.0, "eyes": 1.0, "freeze": False,
                 "mirror": False},
}  # fmt: skip

# In place of the server's /live: says `figures` ten times a second unless `silent`, and keeps what it is `sent`.
FAKE_LIVE = f"""
window.figures = {json.dumps(FIGURES)};
window.silent = false;
window.sent = [];
window.WebSocket = class {{
  static OPEN = 1;
  readyState = 1;
  constructor() {{
    this.timer = setInterval(() => window.silent || this.onmessage({{ data: JSON.stringify(window.figures) }}), 100);
  }}
  send(text) {{ window.sent.push(JSON.parse(text)); }}
  close() {{ clearInterval(this.timer); }}
}};
"""


class BlankSource:
    """Frames without a face, 25 a second: the target stays at rest, and its frames keep coming."""

    name = "a blank wall"

    def run(self, emit, stop: threading.Event) -> None:
        image = np.full((64, 64, 3), 128, np.uint8)
        number = 0
        while not stop.wait(0.04):
            emit(Frame(image, time.monotonic(), number))
            number += 1
