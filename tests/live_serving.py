"""A live server in this process, for tests that look at both of its ends."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator

from live.pipeline import Pipeline
from live.streaming.http.server import Server, ServerSettings
from live.streaming.http.serving import listen, serve
from live.target_gallery import Gallery
from trt_engines.folders import SHIPPED


class _Announcing(Server):
    """Tells when it is open."""

    def __init__(self, settings: ServerSettings | None) -> None:
        super().__init__(settings)
        self.opened = threading.Event()

    def open(self, pipeline: Pipeline, gallery: Gallery) -> None:
        super().open(pipeline, gallery)
        self.opened.set()


@contextlib.contextmanager
def serving(loop: Pipeline, settings: ServerSettings | None = None, gallery: Gallery | None = None) -> Iterator[str]:
    """Serve a loop, and start it; gives the address."""
    server, bound, ended = _Announcing(settings), listen("127.0.0.1", 0), threading.Event()
    loop.on_end = ended.set
    parts = loop, gallery or Gallery(loop.model, [SHIPPED])
    thread = threading.Thread(target=lambda: asyncio.run(serve(server, bound, ended, lambda: parts)), name="serve")
    thread.start()
    try:
        assert server.opened.wait(30)
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
    finally:
        ended.set()
        thread.join(timeout=30)
        loop.stop()
        bound.close()
    assert not thread.is_alive()
