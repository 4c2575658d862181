"""To whom the SFU's token is shown."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from live_parts import pipeline

from live.sources.browser import NoSource
from live.streaming.session import Session
from live.streaming.webrtc.whip_client import Publisher, Refused

pytestmark = pytest.mark.server
TOKEN = "verysecret"
OK, MOVED, CREATED, REDIRECTED = 200, 301, 201, 307


@dataclass(frozen=True)
class Request:
    """What a server was asked."""

    method: str
    path: str
    body: str
    token: str | None


@contextmanager
def answering(status: int = OK, location: str | None = None) -> Iterator[tuple[str, list[Request]]]:
    """A server that answers ``/whip`` so, and all else with 200: its address, and what it was asked."""
    asked: list[Request] = []

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            asked.append(Request(self.command, self.path, body, self.headers.get("Authorization")))
            self.send_response(status if self.path == "/whip" else OK)
            if location is not None and self.path == "/whip":
                self.send_header("Location", location)
            self.send_header("Content-Length", "3")
            self.end_headers()
            self.wfile.write(b"v=0")

        do_GET = do_POST = do_DELETE = answer

        def log_message(self, *_) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def publisher(model, target_info):
    loop = asyncio.new_event_loop()
    session = Session(pipeline(model, target_info, NoSource()), loop, None)
    yield lambda url: Publisher(session, url, TOKEN)
    loop.close()


def test_the_token_goes_to_the_sfu_and_to_the_resource_there(publisher):
    with answering(CREATED, "/resource") as (sfu, asked):
        whip = publisher(f"{sfu}/whip")
        assert whip._request("POST", f"{sfu}/whip", "offer") == ("v=0", f"{sfu}/resource")
        whip._request("DELETE", f"{sfu}/resource", "")
    bearer = f"Bearer {TOKEN}"
    assert asked == [Request("POST", "/whip", "offer", bearer), Request("DELETE", "/resource", "", bearer)]


def test_a_location_elsewhere_is_not_shown_the_token(publisher):
    with answering() as (other, asked), answering(CREATED, f"{other}/resource") as (sfu, _):
        whip = publisher(f"{sfu}/whip")
        _, resource = whip._request("POST", f"{sfu}/whip", "offer")
        assert resource == f"{other}/resource"
        whip._request("DELETE", resource, "")
    assert asked == [Request("DELETE", "/resource", "", None)]


def test_a_redirect_keeps_the_offer_and_takes_the_token_to_its_own_origin_only(publisher):
    with answering() as (other, asked), answering(REDIRECTED, f"{other}/there") as (sfu, _):
        publisher(f"{sfu}/whip")._request("POST", f"{sfu}/whip", "offer")
    assert asked == [Request("POST", "/there", "offer", None)]
    with answering(REDIRECTED, "/there") as (sfu, asked):
        publisher(f"{sfu}/whip")._request("POST", f"{sfu}/whip", "offer")
    assert asked[1:] == [Request("POST", "/there", "offer", f"Bearer {TOKEN}")]


def test_a_redirect_that_would_lose_the_offer_is_not_followed(publisher):
    with answering() as (other, asked), answering(MOVED, f"{other}/there") as (sfu, _):
        with pytest.raises(Refused, match="301"):
            publisher(f"{sfu}/whip")._request("POST", f"{sfu}/whip", "offer")
    assert asked == []


def test_redirects_end(publisher):
    with answering(REDIRECTED, "/whip") as (sfu, asked), pytest.raises(Refused, match="redirects more than"):
        publisher(f"{sfu}/whip")._request("POST", f"{sfu}/whip", "offer")
    assert len(asked) == 6


def test_a_location_that_is_no_web_address_is_not_opened(publisher, tmp_path):
    with pytest.raises(Refused, match="not http"):
        publisher("http://sfu.example/whip")._request("DELETE", (tmp_path / "file").as_uri(), "")
