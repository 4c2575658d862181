"""The server as other programs see it: HTTP, WebSocket, and real aiortc peers."""

from __future__ import annotations

import asyncio
import json
import threading

import httpx
import numpy as np
import pytest
import websockets
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription, VideoStreamTrack
from av import VideoFrame
from live_parts import NmfcGenerator, pipeline
from live_serving import serving

from face.errors import UserError
from face.morphable import MorphableModel
from live.loaded_target import LoadedTarget
from live.sources.browser import NoSource
from live.sources.video_file import DEMO_CLIP, FileSource
from live.streaming.http.server import ServerSettings
from offline.synthetic.motion import natural_motion
from offline.synthetic.raster_people import Person, act

pytestmark = pytest.mark.server
SDP = {"Content-Type": "application/sdp"}
VIDEO = "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=sendonly\r\na=rtpmap:96 VP8/90000\r\n"  # all that an offer needs


@pytest.fixture
def loop(model, target_info):
    return pipeline(model, target_info, FileSource(DEMO_CLIP), drop=True)


async def watch(address: str, count: int, endpoint: str = "/whep") -> list[np.ndarray]:
    """View some frames as a WHEP player would."""
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    received: asyncio.Queue = asyncio.Queue()

    @connection.on("track")
    def on_track(track):
        async def read():
            for _ in range(count):
                await received.put((await track.recv()).to_ndarray(format="rgb24"))

        reading.append(asyncio.ensure_future(read()))

    reading: list[asyncio.Future] = []
    connection.addTransceiver("video", direction="recvonly")
    await connection.setLocalDescription(await connection.createOffer())
    async with httpx.AsyncClient(base_url=address, timeout=30) as client:
        reply = await client.post(endpoint, content=connection.localDescription.sdp, headers=SDP)
        assert reply.status_code == 201, reply.text
        await connection.setRemoteDescription(RTCSessionDescription(reply.text, "answer"))
        frames = [await asyncio.wait_for(received.get(), 30) for _ in range(count)]
        assert (await client.delete(reply.headers["Location"])).status_code == 200
        assert (await client.delete(reply.headers["Location"])).status_code == 404
    await connection.close()
    return frames


def test_two_viewers_see_moving_video_from_one_encoder(loop):
    async def both(address):
        return await asyncio.gather(watch(address, 20), watch(address, 20))

    with serving(loop) as address:
        for frames in asyncio.run(both(address)):
            assert frames[0].shape == (64, 64, 3)
            assert np.abs(frames[-1].astype(int) - frames[0]).mean() > 0.5
        assert loop.error is None


def test_the_page_and_the_figures(loop):
    with serving(loop) as address, httpx.Client(base_url=address) as client:
        assert "Head2Head Live" in client.get("/").text
        assert client.get("/js/main.js").status_code == 200
        figures = client.get("/status").json()
        assert figures["source"] == DEMO_CLIP.name and figures["target"]["name"] == "test"
        assert client.get("/../pyproject.toml").status_code == 404
        assert client.get("/%2e%2e/pyproject.toml").status_code == 404


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", SDP, 400),
        (b"v=0 junk", SDP, 400),
        (b"\xff\xfe\x00", SDP, 400),
        (b"v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n", SDP, 422),
        (b"x" * 100_000, SDP, 413),
        (b"v=0", {}, 415),
    ],
)
def test_malformed_offers_are_refused_and_the_server_lives_on(loop, body, headers, status):
    with serving(loop) as address, httpx.Client(base_url=address, timeout=20) as client:
        for path in ("/whep", "/whip"):
            reply = client.post(path, content=body, headers=headers)
            assert reply.status_code == status and reply.text
        assert client.get("/status").status_code == 200
        assert asyncio.run(watch(address, 2))


def test_controls_and_tiles(loop):
    async def talk(address):
        async with websockets.connect(address.replace("http", "ws") + "/live") as socket:
            kinds = {type(await asyncio.wait_for(socket.recv(), 20)) for _ in range(8)}
            assert kinds == {str, bytes}
            await socket.send(json.dumps({"mode": "face", "relative": True, "strength": 1.5}))
            for bad in ("junk", "[]", '{"strength": 9}', '{"strength": NaN}', '{"mode": "x"}', '{"x": 1}', "1" * 9000):
                await socket.send(bad)
            errors = 0
            while errors < 7:
                message = await asyncio.wait_for(socket.recv(), 20)
                errors += isinstance(message, str) and "error" in json.loads(message)
            while True:
                message = await asyncio.wait_for(socket.recv(), 20)
                if isinstance(message, str) and "settings" in json.loads(message):
                    return json.loads(message)["settings"]

    with serving(loop) as address:
        expected = {"mode": "face", "relative": True, "strength": 1.5}
        assert expected.items() <= asyncio.run(talk(address)).items()


def test_pages_beyond_the_limit_are_told_to_come_back(loop):
    async def talk(address):
        place = address.replace("http", "ws") + "/live"
        async with websockets.connect(place) as first:
            await first.recv()
            async with websockets.connect(place) as second:
                with pytest.raises(websockets.ConnectionClosed) as caught:
                    await second.recv()
            return caught.value.rcvd.code

    with serving(loop, ServerSettings(most_viewers=1)) as address:
        assert asyncio.run(talk(address)) == 1013


class PersonTrack(VideoStreamTrack):
    """A camera that films a synthetic person."""

    def __init__(self, pictures):
        super().__init__()
        self._pictures, self._number = pictures, 0

    async def recv(self):
        pts, time_base = await self.next_timestamp()
        frame = VideoFrame.from_ndarray(self._pictures[self._number % len(self._pictures)], "rgb24")
        self._number += 1
        frame.pts, frame.time_base = pts, time_base
        return frame


async def offered(film: list[np.ndarray]) -> RTCPeerConnection:
    """A camera's connection, whose offer is made."""
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    connection.addTrack(PersonTrack(film))
    await connection.setLocalDescription(await connection.createOffer())
    return connection


def filmed(model: MorphableModel, seed: int, count: int) -> list[np.ndarray]:
    """Pictures of a synthetic person in motion."""
    person = Person(model, seed)
    return [person.render(p, 192, 192) for p in act(person, natural_motion(count, 6), 192)]


def test_a_camera_by_whip_becomes_the_source(model, target_info):
    pictures = filmed(model, 6, 10)
    loop = pipeline(model, target_info, NoSource(), drop=True)

    async def publish(address):
        connection = await offered(pictures)
        async with httpx.AsyncClient(base_url=address, timeout=30) as client:
            reply = await client.post("/whip", content=connection.localDescription.sdp, headers=SDP)
            assert reply.status_code == 201, reply.text
            await connection.setRemoteDescription(RTCSessionDescription(reply.text, "answer"))
            frames = await watch(address, 5)
            assert frames[-1].any()
            assert (await client.get("/status")).json()["source"] == "the browser's camera"
            second = await offered(pictures)
            refused = await client.post("/whip", content=second.localDescription.sdp, headers=SDP)
            assert refused.status_code == 409 and "already in use" in refused.text
            await second.close()
            await client.delete(reply.headers["Location"])
        await connection.close()

    with serving(loop) as address:
        asyncio.run(publish(address))
        assert loop.source_name == NoSource.name and loop.error is None


def test_each_publisher_has_a_session_of_its_own(model, target_info):
    """Two cameras at once, each watched at its own address; a third is refused; what ends is gone."""
    films = [filmed(model, seed, 6) for seed in (6, 8)]
    loop = pipeline(model, target_info, NoSource(), drop=True)

    async def work(address):
        async with httpx.AsyncClient(base_url=address, timeout=30) as client:
            published = []
            for film in films:
                connection = await offered(film)
                reply = await client.post("/whip", content=connection.localDescription.sdp, headers=SDP)
                assert reply.status_code == 201, reply.text
                await connection.setRemoteDescription(RTCSessionDescription(reply.text, "answer"))
                watched = reply.headers["Link"].split(">")[0].strip("<")
                published.append((connection, reply.headers["Location"], watched))
            third = await offered(films[0])
            refused = await client.post("/whip", content=third.localDescription.sdp, headers=SDP)
            assert refused.status_code == 409 and "2 sessions" in refused.text
            await third.close()
            addresses = [watched for _, _, watched in published]
            assert len(set(addresses)) == 2
            seen = await asyncio.gather(*(watch(address, 5, watched) for watched in addresses))
            assert all(frames[-1].any() for frames in seen)
            for connection, location, watched in published:
                assert (await client.delete(location)).status_code == 200
                gone = await client.post(watched, content="v=0\r\n", headers=SDP)
                assert gone.status_code == 404
                await connection.close()

    threads = threading.active_count()
    with serving(loop, ServerSettings(most_sessions=2)) as address:
        asyncio.run(work(address))
        assert loop.error is None and loop.source_name == NoSource.name
    assert threading.active_count() <= threads + 1  # nothing of the sessions stays


def test_a_session_that_the_machine_has_no_room_for(model, target_info, monkeypatch):
    loop = pipeline(model, target_info, NoSource(), drop=True)

    def full(self):
        raise UserError("GPU 0 has too little free memory")

    async def work(address):
        async with httpx.AsyncClient(base_url=address, timeout=30) as client:
            for _ in range(2):
                refused = await client.post("/whip", content=VIDEO, headers=SDP)
                assert refused.status_code == 409 and "no room" in refused.text

    monkeypatch.setattr(LoadedTarget, "clone", full)
    with serving(loop, ServerSettings(most_sessions=2)) as address:
        asyncio.run(work(address))
        assert loop.error is None


class LostGenerator(NmfcGenerator):
    """Its GPU is lost as soon as it has work."""

    def step(self, conditioning):
        raise UserError("GPU 0 failed")

    def clone(self):
        return LostGenerator()


def test_a_session_whose_loop_fails_ends_and_says_why(model, target_info, monkeypatch):
    film = filmed(model, 6, 4)
    loop = pipeline(model, target_info, NoSource(), LostGenerator(), drop=True)
    ended, said = threading.Event(), []

    def error(text, *values, **_):
        said.append(text % values)
        ended.set()

    async def work(address):
        connection = await offered(film)
        async with httpx.AsyncClient(base_url=address, timeout=30) as client:
            reply = await client.post("/whip", content=connection.localDescription.sdp, headers=SDP)
            await connection.setRemoteDescription(RTCSessionDescription(reply.text, "answer"))
            assert await asyncio.to_thread(ended.wait, 30)
            assert (await client.delete(reply.headers["Location"])).status_code == 404
        await connection.close()

    monkeypatch.setattr("live.streaming.session.logger.error", error)
    monkeypatch.setattr("live.streaming.webrtc.peers.logger.error", error)
    with serving(loop, ServerSettings(most_sessions=2)) as address:
        asyncio.run(work(address))
        assert loop.error is None
    assert said == ["a session ended: GPU 0 failed"]
