"""Recordings that an operator asks for, over the wire; and what of the camera goes over it."""

from __future__ import annotations

import io
import json
import time
import urllib.error
import urllib.request
from urllib.parse import quote

import av
import cv2
import numpy as np
import pytest
from live_parts import ListSource, pipeline
from live_serving import serving
from websockets.sync.client import connect

from live.frames import Frame
from live.streaming.http.access import Tokens
from live.streaming.http.server import ServerSettings

pytestmark = pytest.mark.server
YELLOW = (255, 255, 0)


class Yellow(ListSource):
    """A camera whose frames are of a color that nothing else here has."""

    def __init__(self):
        super().__init__([])

    def run(self, emit, stop):
        number = 0
        while not stop.wait(0.04):
            emit(Frame(np.full((192, 192, 3), YELLOW, np.uint8), time.monotonic(), number))
            number += 1


def statuses(socket):
    for message in socket:
        if isinstance(message, str):
            yield json.loads(message)


def until(socket, condition):
    for status in statuses(socket):
        assert status["type"] == "status", status
        if condition(status):
            return status
    raise AssertionError("the server went")


def test_an_operator_records_and_downloads(model, target_info, tmp_path):
    settings = ServerSettings(recordings=tmp_path / "Films")
    with serving(pipeline(model, target_info, Yellow(), drop=True), settings) as address:
        with connect(f"{address.replace('http', 'ws')}/live") as socket:
            until(socket, lambda status: status["recording"] is None)
            socket.send('{"record": true}')
            begun = until(socket, lambda status: status["recording"] and status["recording"]["seconds"] > 0.3)
            assert begun["recording"]["active"] and begun["viewers"] == 0
            socket.send('{"record": false}')
            ended = until(socket, lambda status: not status["recording"]["active"])["recording"]
        assert ended["failure"] is None and ended["bytes"] > 0
        film = urllib.request.urlopen(f"{address}/recordings/{quote(ended['name'])}").read()
        assert len(film) == ended["bytes"]
        with av.open(io.BytesIO(film)) as container:
            assert sum(1 for _ in container.decode(video=0)) > 3
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"{address}/recordings/{quote('../Films/' + ended['name'], safe='')}")
    assert [path.name for path in (tmp_path / "Films").iterdir()] == [ended["name"]]


def test_viewers_neither_record_nor_are_told(model, target_info, tmp_path):
    settings = ServerSettings(tokens=Tokens("operator", "viewer"), recordings=tmp_path)
    with serving(pipeline(model, target_info, Yellow(), drop=True), settings) as address:
        with connect(f"{address.replace('http', 'ws')}/live", subprotocols=["token.dmlld2Vy", "head2head"]) as socket:
            socket.send('{"record": true}')
            answer = next(m for m in statuses(socket) if m["type"] == "error")
            assert "Only operators" in answer["error"]
            assert until(socket, lambda _: True)["recording"] is None
        request = urllib.request.Request(f"{address}/recordings/a.mp4", headers={"Authorization": "Bearer viewer"})
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(request)
    assert not list(tmp_path.iterdir())


def test_no_frame_of_the_camera_goes_over_the_wire(model, target_info, tmp_path):
    """Neither to the page's tiles, nor to those who watch images, nor to a recording."""
    images = []
    with serving(pipeline(model, target_info, Yellow(), drop=True), ServerSettings(recordings=tmp_path)) as address:
        with connect(f"{address.replace('http', 'ws')}/live") as socket:
            socket.send('{"record": true}')
            tiles = (message for message in socket if isinstance(message, bytes))
            images += [next(tiles) for _ in range(3)]
            until(socket, lambda status: status["recording"] and status["recording"]["seconds"] > 0.3)
        with urllib.request.urlopen(f"{address}/mjpeg") as stream:
            for _ in range(2):
                while not (line := stream.readline()).startswith(b"Content-Length"):
                    pass
                stream.readline()
                images.append(stream.read(int(line.split(b":")[1])))
    decoded = [cv2.cvtColor(cv2.imdecode(np.frombuffer(i, np.uint8), 1), cv2.COLOR_BGR2RGB) for i in images]
    with av.open(str(next(tmp_path.iterdir()))) as film:
        decoded += [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
    assert len(decoded) > 6
    for image in decoded:
        share = (np.abs(image.astype(int) - YELLOW).max(-1) < 60).mean()
        assert share < 0.05  # NMFC has some; a frame, even as one of two tiles, half at least


class NotedSigning:
    """Signs nothing, and notes what it is asked to sign."""

    def __init__(self):
        self.asked = []

    def sign(self, path, session_id):
        self.asked.append((path, path.stat().st_size > 0, session_id))


def test_a_finished_recording_is_signed_once(model, target_info, tmp_path):
    signing = NotedSigning()
    loop = pipeline(model, target_info, Yellow(), drop=True)
    with serving(loop, ServerSettings(recordings=tmp_path, signing=signing)) as address:
        with connect(f"{address.replace('http', 'ws')}/live") as socket:
            socket.send('{"record": true}')
            until(socket, lambda status: status["recording"] and status["recording"]["seconds"] > 0.3)
            assert signing.asked == []
            for _ in range(2):
                socket.send('{"record": false}')
            until(socket, lambda status: not status["recording"]["active"])
    assert signing.asked == [(next(tmp_path.iterdir()), True, loop.marking.session_id)]
