"""What pages ask for by WebSocket, and what becomes of troubles meanwhile."""

from __future__ import annotations

import asyncio
import json
import threading

import pytest
import websockets
from live_parts import pipeline
from live_serving import serving

from live.sources.browser import NoSource
from live.sources.video_file import DEMO_CLIP, FileSource
from live.target_gallery import Gallery

pytestmark = pytest.mark.server


@pytest.mark.parametrize("command", [b"junk", "[" * 4000, '{"strength": 1' + 400 * "0" + "}"])
def test_a_command_that_cannot_be_read_is_answered_and_the_page_stays(model, target_info, command):
    async def talk(address):
        async with websockets.connect(address.replace("http", "ws") + "/live") as socket:
            await socket.send(command)
            while "error" not in json.loads(await asyncio.wait_for(socket.recv(), 20)):
                pass
            await socket.send(json.dumps({"strength": 0.5}))
            while json.loads(await asyncio.wait_for(socket.recv(), 20)).get("settings", {}).get("strength") != 0.5:
                pass

    with serving(pipeline(model, target_info, NoSource(), drop=True)) as address:
        asyncio.run(talk(address))


def test_what_fails_inside_is_told_to_the_log_and_not_taken_for_a_page_that_has_gone(
    model, target_info, monkeypatch, caplog
):
    def broken(*_):
        raise RuntimeError("a bug")

    async def talk(address):
        async with websockets.connect(address.replace("http", "ws") + "/live") as socket:
            await socket.send('{"target": "demo"}')
            with pytest.raises(websockets.ConnectionClosed):
                while True:
                    await asyncio.wait_for(socket.recv(), 20)

    monkeypatch.setattr(Gallery, "load", broken)
    with serving(pipeline(model, target_info, NoSource(), drop=True)) as address:
        asyncio.run(talk(address))
    assert [str(record.exc_info[1]) for record in caplog.records if record.exc_info] == ["a bug"]


def test_figures_that_cannot_be_made_are_told_to_the_log(model, target_info, monkeypatch):
    said, told = [], threading.Event()

    def broken(*_):
        raise RuntimeError("a bug")

    def error(text, exc_info):
        said.append(str(exc_info))
        told.set()

    async def talk(address):
        async with websockets.connect(address.replace("http", "ws") + "/live"):
            assert await asyncio.to_thread(told.wait, 30)

    monkeypatch.setattr("live.streaming.http.websocket.encode_tiles", broken)
    monkeypatch.setattr("live.streaming.http.websocket.logger.error", error)
    with serving(pipeline(model, target_info, FileSource(DEMO_CLIP), drop=True)) as address:
        asyncio.run(talk(address))
    assert said == ["a bug"]
