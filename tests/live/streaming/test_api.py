"""What docs/api.md promises: messages of /live, the server before its loop is ready, frames without WebRTC."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading

import cv2
import httpx
import jsonschema
import numpy as np
import pytest
import websockets
from conftest import REPOSITORY
from live_parts import pipeline
from live_serving import serving

from face.errors import UserError
from live.pipeline import State
from live.sources.browser import NoSource
from live.sources.video_file import DEMO_CLIP, FileSource
from live.streaming.http.access import Role
from live.streaming.http.preparing import Preparation
from live.streaming.http.server import Server, ServerSettings
from live.streaming.http.serving import listen, serve
from live.target_gallery import Gallery

pytestmark = pytest.mark.server
SCHEMA = json.loads((REPOSITORY / "live" / "streaming" / "http" / "live_schema.json").read_text())


def check(message: object, kind: str) -> None:
    jsonschema.validate(message, {**SCHEMA, "$ref": f"#/$defs/{kind}"})


def test_the_schema_is_one_and_knows_every_state_and_role():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    status = SCHEMA["$defs"]["status"]["properties"]
    assert {*State} <= set(status["state"]["enum"]) and {*Role} == set(status["role"]["enum"])


def test_messages_are_as_the_schema_says(model, target_info):
    async def talk(address):
        kinds = set()
        async with websockets.connect(address.replace("http", "ws") + "/live") as socket:
            await socket.send(json.dumps({"strength": 7}))
            while kinds < {"status", "error"} or b"" not in kinds:
                message = await asyncio.wait_for(socket.recv(), 30)
                if isinstance(message, bytes):
                    assert cv2.imdecode(np.frombuffer(message, np.uint8), cv2.IMREAD_COLOR).shape == (192, 384, 3)
                    kinds.add(b"")
                else:
                    check(json.loads(message), "server")
                    kinds.add(json.loads(message)["type"])

    with serving(pipeline(model, target_info, FileSource(DEMO_CLIP), drop=True)) as address:
        asyncio.run(talk(address))
        check(httpx.get(f"{address}/status").json(), "status")


def test_the_end_is_announced_as_the_schema_says(model, target_info):
    loop = pipeline(model, target_info, NoSource(), drop=True)

    async def talk(address):
        async with websockets.connect(address.replace("http", "ws") + "/live") as socket:
            await socket.recv()
            loop.on_end()
            with contextlib.suppress(websockets.ConnectionClosed):
                while True:
                    check(message := json.loads(await asyncio.wait_for(socket.recv(), 20)), "server")
        return message

    with serving(loop) as address:
        assert asyncio.run(talk(address)) == {"type": "ending", "ending": True}


@pytest.mark.parametrize(
    ("command", "good"),
    [
        ({"mode": "face", "relative": True, "strength": 1.5, "recalibrate": True, "target": "demo"}, True),
        ({"strength": 3}, False), ({"strength": True}, False), ({"recalibrate": False}, False), ({"x": 1}, False),
        ([], False), ({"\ud800": 1}, False), ({"strength": 10**3000}, False), ({"target": "\ud800"}, None),
    ],
)  # fmt: skip
def test_commands_are_refused_where_the_schema_refuses_them(model, target_info, command, good):
    async def talk(address):
        async with websockets.connect(address.replace("http", "ws") + "/live") as socket:
            await socket.send(json.dumps(command))
            await socket.send("last")  # which is an error for certain
            errors = []
            while len(errors) < (1 if good else 2):
                message = json.loads(await asyncio.wait_for(socket.recv(), 30))
                if message["type"] == "error":
                    errors.append(message["error"])

    with contextlib.nullcontext() if good is not False else pytest.raises(jsonschema.ValidationError):
        check(command, "command")
    with serving(pipeline(model, target_info, NoSource(), drop=True)) as address:
        asyncio.run(talk(address))


def test_too_many_commands_are_not_obeyed(model, target_info, monkeypatch):
    monkeypatch.setattr("live.streaming.http.websocket._COMMANDS_PER_S", 0.0)
    monkeypatch.setattr("live.streaming.http.websocket._COMMAND_BURST", 5.0)
    monkeypatch.setattr("live.streaming.http.websocket._RECALIBRATIONS_PER_S", 0.0)
    loop = pipeline(model, target_info, NoSource(), drop=True)
    recalibrated = []
    loop.recalibrate = lambda: recalibrated.append(1)

    async def talk(address):
        async with websockets.connect(address.replace("http", "ws") + "/live") as socket:
            for _ in range(8):
                await socket.send(json.dumps({"recalibrate": True}))
            errors = []
            while len(errors) < 6:
                message = json.loads(await asyncio.wait_for(socket.recv(), 30))
                errors += [message["error"]] if message["type"] == "error" else []
            return errors

    with serving(loop) as address:
        errors = asyncio.run(talk(address))
    assert len(recalibrated) == 2
    assert ["re-calibrated" in error for error in errors] == [True] * 3 + [False] * 3
    assert all("Too many commands" in error for error in errors[3:])


@contextlib.contextmanager
def starting(prepare, settings: ServerSettings | None = None):
    """A server whose loop is being prepared; its address, itself, and what its end gave."""
    server, bound, ended, results = Server(settings), listen("127.0.0.1", 0), threading.Event(), []

    def work() -> None:
        try:
            results.append(asyncio.run(serve(server, bound, ended, prepare)))
        except UserError as error:
            results.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield f"http://127.0.0.1:{bound.getsockname()[1]}", server, results
    finally:
        ended.set()
        thread.join(timeout=30)
        bound.close()
    assert not thread.is_alive()


def test_the_page_is_there_before_the_loop_is_ready(model, target_info):
    go = threading.Event()
    loop = pipeline(model, target_info, FileSource(DEMO_CLIP), drop=True)

    def prepare():
        assert go.wait(60)
        return loop, Gallery(model, [])

    async def talk(address, server):
        async with websockets.connect(address.replace("http", "ws") + "/live") as socket:
            check(first := json.loads(await socket.recv()), "status")
            assert first["state"] == "getting ready" and first["progress"] == 0.0 and first["target"] is None
            server.preparation = Preparation("Kernels are compiled.", 0.5)
            while (message := json.loads(await socket.recv()))["progress"] != 0.5:
                pass
            assert message["detail"] == "Kernels are compiled."
            await socket.send(json.dumps({"strength": 0.5}))
            while (message := json.loads(await socket.recv()))["type"] != "error":
                pass
            go.set()
            async with asyncio.timeout(60):  # the same socket goes on
                while isinstance(text := await socket.recv(), bytes) or json.loads(text)["state"] == "getting ready":
                    pass

    with starting(prepare) as (address, server, results):
        with httpx.Client(base_url=address, timeout=20) as client:
            assert "Head2Head Live" in client.get("/").text
            assert [client.get(path).status_code for path in ("/healthz", "/readyz", "/status")] == [200, 503, 200]
            for method, path in (("POST", "/whep"), ("POST", "/whip"), ("GET", "/targets"), ("GET", "/mjpeg")):
                reply = client.request(method, path)
                assert reply.status_code == 503 and reply.headers["Retry-After"], path
            asyncio.run(talk(address, server))
            assert client.get("/readyz").status_code == 200 and client.get("/targets").status_code == 200
    assert results == [loop]
    loop.stop()


def test_what_cannot_be_prepared_ends_the_server():
    def prepare():
        raise UserError("There is no such target.")

    with starting(prepare) as (_, _, results):
        pass
    assert [str(error) for error in results] == ["There is no such target."]


async def parts(address: str, count: int) -> list[bytes]:
    """Some parts of /mjpeg."""
    found: list[bytes] = []
    async with httpx.AsyncClient(timeout=30) as http, http.stream("GET", f"{address}/mjpeg") as reply:
        assert reply.status_code == 200
        assert reply.headers["content-type"] == "multipart/x-mixed-replace; boundary=frame"
        buffer = b""
        async for chunk in reply.aiter_bytes():
            buffer += chunk
            while b"\r\n\r\n" in buffer:
                head, _, rest = buffer.partition(b"\r\n\r\n")
                lines = dict(line.split(b": ") for line in head.split(b"\r\n")[1:])
                assert head.startswith(b"--frame\r\n") and lines[b"Content-Type"] == b"image/jpeg"
                length = int(lines[b"Content-Length"])
                if len(rest) < length + 2:
                    break
                found.append(rest[:length])
                buffer = rest[length + 2 :]
                if len(found) == count:
                    return found
    return found


def test_frames_come_without_webrtc(model, target_info):
    loop = pipeline(model, target_info, FileSource(DEMO_CLIP), drop=True)
    with serving(loop) as address:
        images = [cv2.imdecode(np.frombuffer(part, np.uint8), 1) for part in asyncio.run(parts(address, 6))]
        assert {image.shape for image in images} == {(64, 64, 3)}
        assert np.abs(images[-1].astype(int) - images[0]).mean() > 0.5
        bgr = loop.latest.image[..., ::-1].astype(int)
        assert np.abs(bgr - images[-1]).mean() < np.abs(bgr[..., ::-1] - images[-1]).mean()  # not red for blue


def test_the_last_frame_is_sent_again_while_there_is_none(model, target_info, monkeypatch):
    monkeypatch.setattr("live.streaming.http.mjpeg._HEARTBEAT_S", 0.05)
    loop = pipeline(model, target_info, NoSource(), drop=True)
    with serving(loop) as address:
        from live.frames import Generated

        loop.latest = Generated(np.full((64, 64, 3), 90, np.uint8), None, 0.0)
        first, second = asyncio.run(parts(address, 2))
        assert first == second


def test_who_watches_without_webrtc_is_counted_and_limited(model, target_info):
    loop = pipeline(model, target_info, FileSource(DEMO_CLIP), drop=True)

    async def work(address):
        async with httpx.AsyncClient(base_url=address, timeout=30) as http:
            async with http.stream("GET", "/mjpeg") as reply:
                pieces = reply.aiter_bytes()
                await anext(pieces)
                assert (await http.get("/status")).json()["viewers"] == 1
                async with http.stream("GET", "/mjpeg") as refused:
                    assert refused.status_code == 503
            async with asyncio.timeout(30):
                while (await http.get("/status")).json()["viewers"]:  # until the server notices
                    pass

    with serving(loop, ServerSettings(most_viewers=1)) as address:
        asyncio.run(work(address))
