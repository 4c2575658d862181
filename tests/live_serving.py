"""A live server in this process, for tests that look at both of its ends."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator

from live.app import listen, serve
from live.pipeline import Pipeline
from live.streaming.http.server import Server, ServerSettings
from live.target_gallery import Gallery
from trt_engines.folders import SHIPPED


@contextlib.contextmanager
def serving(loop: Pipeline, settings: ServerSettings | None = None, gallery: Gallery | None = None) -> Iterator[str]:
    """Start the pipeline and serve it; gives the address."""
    server = Server(loop, gallery or Gallery(loop.model, [SHIPPED]), settings)
    bound = listen("127.0.0.1", 0)
    ended = threading.Event()
    loop.on_end = ended.set
    thread = threading.Thread(target=lambda: asyncio.run(serve(server, bound, ended)), name="serve")
    loop.start()
    thread.start()
    try:
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
    finally:
        ended.set()
        thread.join(timeout=30)
        loop.stop()
        bound.close()
    assert not thread.is_alive()
