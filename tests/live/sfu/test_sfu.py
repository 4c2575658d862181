"""The stream, published by WHIP to a real SFU (Janus), as one of the SFU's own viewers sees it."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
import websockets
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from live_parts import pipeline
from live_serving import serving

from live.sources.video_file import DEMO_CLIP, FileSource
from live.streaming.http.server import ServerSettings

pytestmark = pytest.mark.foreign
ROOM = 1234


@pytest.fixture(scope="module")
def sfu(tmp_path_factory):
    """Janus with its WHIP server: the WHIP address."""
    if shutil.which("janus") is None:
        pytest.skip("Janus is not installed: see start.sh")
    script = Path(__file__).with_name("start.sh")
    command = [str(script), str(tmp_path_factory.mktemp("sfu"))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as running:
        try:
            assert "ready\n" in iter(running.stdout.readline, ""), "the SFU did not start"
            yield "http://127.0.0.1:7080/whip/endpoint/demo"
        finally:
            os.killpg(running.pid, signal.SIGTERM)


class Janus:
    """A session with Janus's video room."""

    def __init__(self, socket) -> None:
        self._socket, self._numbers, self._base = socket, itertools.count(), {}

    async def ask(self, want: str = "success", **request) -> dict:
        transaction = f"t{next(self._numbers)}"
        await self._socket.send(json.dumps({**request, **self._base, "transaction": transaction}))
        while True:
            reply = json.loads(await asyncio.wait_for(self._socket.recv(), 20))
            if reply.get("transaction") == transaction and reply["janus"] == want:
                return reply

    async def open(self) -> None:
        self._base["session_id"] = (await self.ask(janus="create"))["data"]["id"]
        attached = await self.ask(janus="attach", plugin="janus.plugin.videoroom")
        self._base["handle_id"] = attached["data"]["id"]

    async def feed(self) -> int:
        """The publisher in the room, once there is one that sends."""
        while True:
            body = {"request": "listparticipants", "room": ROOM}
            found = (await self.ask(janus="message", body=body))["plugindata"]["data"]["participants"]
            publishing = [one["id"] for one in found if one["publisher"]]
            if publishing:
                return publishing[0]
            await asyncio.sleep(0.1)


async def watch_janus(count: int):
    """Some pictures and pieces of sound, as one of Janus's viewers gets them."""
    async with websockets.connect("ws://127.0.0.1:8188", subprotocols=["janus-protocol"]) as socket:
        janus = Janus(socket)
        await janus.open()
        body = {"request": "join", "ptype": "subscriber", "room": ROOM, "streams": [{"feed": await janus.feed()}]}
        offered = (await janus.ask("event", janus="message", body=body))["jsep"]
        viewer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        frames: dict[str, asyncio.Queue] = {"video": asyncio.Queue(), "audio": asyncio.Queue()}

        @viewer.on("track")
        def on_track(track):
            reading.append(asyncio.ensure_future(read(track)))

        async def read(track):
            while True:
                await frames[track.kind].put(await track.recv())

        reading = []
        await viewer.setRemoteDescription(RTCSessionDescription(offered["sdp"], "offer"))
        await viewer.setLocalDescription(await viewer.createAnswer())
        jsep = {"type": "answer", "sdp": viewer.localDescription.sdp}
        await janus.ask("event", janus="message", body={"request": "start"}, jsep=jsep)
        pictures = [await asyncio.wait_for(frames["video"].get(), 30) for _ in range(count)]
        for task in reading:
            task.cancel()
        await viewer.close()
        return offered["sdp"], pictures


def test_the_sfus_viewers_see_the_stream(sfu, model, target_info):
    loop = pipeline(model, target_info, FileSource(DEMO_CLIP), drop=True)
    with serving(loop, ServerSettings(publish=sfu, publish_token="verysecret")):
        offered, pictures = asyncio.run(watch_janus(20))
    assert "m=video" in offered and "m=audio" in offered
    assert all((one.width, one.height) == (64, 64) for one in pictures)
    first, last = (pictures[k].to_ndarray(format="rgb24").astype(int) for k in (0, -1))
    assert abs(last - first).mean() > 0.5
    assert loop.error is None
