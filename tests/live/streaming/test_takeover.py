"""Who is shown: a publisher from its first frame on, as long as it is there."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time

import httpx
import numpy as np
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription, VideoStreamTrack
from av import VideoFrame
from live_parts import pipeline
from live_serving import serving

from live.frames import Frame
from live.pipeline import State
from live.sources.browser import NoSource
from live.sources.video_file import DEMO_CLIP, FileSource

pytestmark = pytest.mark.server
SDP = {"Content-Type": "application/sdp"}


class Camera(VideoStreamTrack):
    """A camera that can be held."""

    def __init__(self) -> None:
        super().__init__()
        self.held = asyncio.Event()

    async def recv(self):
        if self.held.is_set():
            await asyncio.Event().wait()
        pts, time_base = await self.next_timestamp()
        frame = VideoFrame.from_ndarray(np.full((96, 96, 3), 128, np.uint8), "rgb24")
        frame.pts, frame.time_base = pts, time_base
        return frame


@contextlib.asynccontextmanager
async def offered(http: httpx.AsyncClient, connect: bool = True):
    """A camera that was offered; the reply and its track."""
    connection, track = RTCPeerConnection(RTCConfiguration(iceServers=[])), Camera()
    connection.addTrack(track)
    await connection.setLocalDescription(await connection.createOffer())
    reply = await http.post("/whip", content=connection.localDescription.sdp, headers=SDP)
    try:
        if connect and reply.status_code == 201:
            await connection.setRemoteDescription(RTCSessionDescription(reply.text, "answer"))
        yield reply, track
    finally:
        await connection.close()


async def until(condition) -> None:
    """Wait, a loop's states being on another thread."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 (other threads set it)
            await asyncio.sleep(0.02)


def with_server(loop, work) -> None:
    async def go(address):
        async with httpx.AsyncClient(base_url=address, timeout=30) as http:
            await work(http)

    with serving(loop) as address:
        asyncio.run(go(address))


def test_an_offer_that_never_connects_leaves_the_source_as_it_is(model, target_info):
    loop = pipeline(model, target_info, FileSource(DEMO_CLIP), drop=True)

    async def work(http):
        async with offered(http, connect=False) as (reply, _):
            assert reply.status_code == 201
            made = loop.metrics.counts().get("out", 0)
            await until(lambda: loop.metrics.counts().get("out", 0) > made + 10)
            assert loop.guest is None and loop.source_name == DEMO_CLIP.name
            async with offered(http) as (second, _):  # nor does it keep another's place
                assert second.status_code == 201
                await until(lambda: loop.guest == second.headers["ETag"].strip('"'))

    with_server(loop, work)


def test_who_comes_second_waits_until_the_first_is_silent(model, target_info, monkeypatch):
    monkeypatch.setattr("live.pipeline._STALLED_S", 0.2)
    monkeypatch.setattr("live.pipeline._PAUSED_S", 1.5)
    loop = pipeline(model, target_info, NoSource(), drop=True)

    async def work(http):
        async with offered(http) as (first, camera):
            await until(lambda: loop.guest == first.headers["ETag"].strip('"'))
            async with offered(http) as (refused, _):
                assert refused.status_code == 409 and "already in use" in refused.text
            camera.held.set()
            await until(lambda: loop.state is State.PAUSED)
            assert loop.guest == first.headers["ETag"].strip('"')  # which keeps its place
            async with offered(http) as (second, _):
                assert second.status_code == 201
                await until(lambda: loop.guest == second.headers["ETag"].strip('"'))
                assert (await http.delete(first.headers["Location"])).status_code == 404
                assert (await http.delete(second.headers["Location"])).status_code == 200
            assert loop.guest is None
            await until(lambda: loop.state is State.WAITING)  # after the frame that is being worked on

    with_server(loop, work)


def test_a_camera_that_is_silent_for_too_long_has_gone(model, target_info, monkeypatch):
    monkeypatch.setattr("live.streaming.webrtc.reception.SILENCE_S", 1.0)
    loop = pipeline(model, target_info, NoSource(), drop=True)

    async def work(http):
        async with offered(http) as (_, camera):
            await until(lambda: loop.guest is not None)
            camera.held.set()
            await until(lambda: loop.guest is None)

    with_server(loop, work)


def test_a_camera_whose_media_does_not_come_is_told(model, target_info, monkeypatch):
    loop = pipeline(model, target_info, NoSource(), drop=True)

    async def work(http):
        async with offered(http, connect=False):
            assert (await http.get("/status")).json()["detail"] is None
            monkeypatch.setattr("live.streaming.webrtc.peers._NO_MEDIA_S", 0.0)
            assert "firewall" in (await http.get("/status")).json()["detail"]

    with_server(loop, work)


def test_a_frame_that_was_being_decoded_does_not_bring_its_camera_back(model, target_info, monkeypatch):
    loop = pipeline(model, target_info, NoSource(), drop=True)
    closed, delivered = threading.Event(), threading.Event()

    async def frames(*_):
        image = np.zeros((64, 64, 3), np.uint8)
        yield Frame(image, time.monotonic(), 0)
        await asyncio.to_thread(closed.wait, 60)
        try:
            yield Frame(image, time.monotonic(), 1)
        finally:
            delivered.set()

    async def work(http):
        async with offered(http, connect=False) as (reply, _):
            await until(lambda: loop.guest is not None)
            assert (await http.delete(reply.headers["Location"])).status_code == 200
            closed.set()
            assert await asyncio.to_thread(delivered.wait, 60)
            assert loop.guest is None

    monkeypatch.setattr("live.streaming.webrtc.peers.frames", frames)
    with_server(loop, work)
