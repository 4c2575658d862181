"""Programs that are not ours: Google's WebRTC under Node with npm's WHIP and WHEP clients, and a TURN server."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import subprocess

import cv2
import httpx
import numpy as np
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.rtcconfiguration import RTCIceTransportPolicy
from conftest import REPOSITORY
from live_parts import pipeline
from live_serving import serving

from live.sources.browser import NoSource
from live.sources.video_file import DEMO_CLIP, FileSource
from live.streaming.http.access import Tokens
from live.streaming.http.server import ServerSettings
from live.streaming.webrtc.ice import parse_server
from offline.synthetic.motion import natural_motion
from offline.synthetic.raster_people import Person, act

pytestmark = pytest.mark.foreign
PEERS = REPOSITORY / "tests" / "live" / "npm"


@pytest.fixture
def node():
    found = shutil.which("node")
    if found is None or not (PEERS / "node_modules").exists():
        pytest.skip("no Node.js, or 'npm ci' was not run in tests/live/npm")
    return found


@pytest.fixture
def film(model, tmp_path):
    """Some pictures of a person as raw I420, 192 × 192."""
    person = Person(model, 6)
    pictures = [person.render(p, 192, 192) for p in act(person, natural_motion(10, 6), 192)]
    raw = b"".join(cv2.cvtColor(picture, cv2.COLOR_RGB2YUV_I420).tobytes() for picture in pictures)
    path = tmp_path / "film.yuv"
    path.write_bytes(raw)
    return path


def assert_peers_publish_and_watch(model, target_info, program, script, *numbers):
    """A program that publishes a film by WHIP, watches by WHEP and prints what it saw as JSON."""
    loop = pipeline(model, target_info, NoSource(), drop=True)
    with serving(loop, ServerSettings(tokens=Tokens("a token"))) as address:
        command = [program, str(script), address, *map(str, numbers), "a token"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=script.parent)
        assert done.returncode == 0, done.stderr or done.stdout
        seen = json.loads(done.stdout.splitlines()[-1])
    assert (seen["width"], seen["height"]) == (64, 64) and seen["frames"] >= 30
    assert seen["brightest"] > 60 and seen["loudest"] > 3000
    assert loop.error is None and loop.source_name == NoSource.name  # the clients hung up
    assert np.isfinite(loop.metrics.percentiles()["track"][0])


def test_googles_stack_publishes_and_watches(node, film, model, target_info):
    assert_peers_publish_and_watch(model, target_info, node, PEERS / "peers.mjs", film, 192, 192, 30)


@pytest.fixture
def python_with_gstreamer():
    """The system's Python, where GStreamer's bindings are; this one's environment has none."""
    found = "/usr/bin/python3"
    ready = "import gi; gi.require_version('GstWebRTC', '1.0'); from gi.repository import GstWebRTC"
    try:
        done = subprocess.run([found, "-c", ready], capture_output=True)
    except FileNotFoundError:
        pytest.skip("there is no /usr/bin/python3")
    if done.returncode:
        pytest.skip("GStreamer and its Python bindings are not installed")
    return found


def test_gstreamer_publishes_and_watches(python_with_gstreamer, film, model, target_info):
    film.write_bytes(film.read_bytes() * 60)  # GStreamer plays it once
    script = REPOSITORY / "tests" / "live" / "gstreamer" / "peers.py"
    assert_peers_publish_and_watch(model, target_info, python_with_gstreamer, script, film, 192, 30)


@pytest.fixture
def turn(tmp_path):
    """A coturn on this machine: its address as ``--ice`` wants it."""
    program = shutil.which("turnserver")
    if program is None:
        pytest.skip("no coturn is installed")
    here = own_address()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((here, 0))
        port = probe.getsockname()[1]
    command = [
        program, "-n", "--listening-ip", here, "--relay-ip", here, "--listening-port", str(port), "--no-tls",
        "--no-dtls", "--no-cli", "--lt-cred-mech", "--user", "anna:secret", "--realm", "test", "--log-file",
        str(tmp_path / "log"), "--simple-log", "--pidfile", str(tmp_path / "pid"), "--userdb", str(tmp_path / "db"),
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=tmp_path) as running:
        try:
            wait_for_stun(here, port)
            yield f"turn:anna:secret@{here}:{port}"
        finally:
            running.terminate()


def wait_for_stun(host: str, port: int) -> None:
    """Ask until somebody answers."""
    question = b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12)  # a binding request (RFC 8489)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(0.2)
        for _ in range(100):
            client.sendto(question, (host, port))
            try:
                if client.recv(2048)[:2] == b"\x01\x01":
                    return
            except OSError:  # nobody yet
                continue
    raise AssertionError("the TURN server does not answer")


def own_address() -> str:
    """This machine's address on its network, as seen from another; no packet is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return probe.getsockname()[0]


def test_pictures_come_through_a_relay(turn, model, target_info):
    """A viewer that may use nothing but the TURN server, as behind a strict firewall."""
    server = parse_server(turn)
    loop = pipeline(model, target_info, FileSource(DEMO_CLIP), drop=True)

    async def work(address):
        configuration = RTCConfiguration([server.for_aiortc()], iceTransportPolicy=RTCIceTransportPolicy.RELAY)
        viewer = RTCPeerConnection(configuration)
        arrived = asyncio.get_running_loop().create_future()

        @viewer.on("track")
        def on_track(track):
            reading.append(asyncio.ensure_future(read(track)))

        async def read(track):
            arrived.set_result(await track.recv())

        reading = []
        viewer.addTransceiver("video", direction="recvonly")
        await viewer.setLocalDescription(await viewer.createOffer())
        offer = viewer.localDescription.sdp
        async with httpx.AsyncClient(base_url=address, timeout=60) as client:
            reply = await client.post("/whep", content=offer, headers={"Content-Type": "application/sdp"})
            assert reply.status_code == 201, reply.text
            assert 'credential="secret"' in reply.headers["Link"]
            await viewer.setRemoteDescription(RTCSessionDescription(reply.text, "answer"))
            frame = await asyncio.wait_for(arrived, 30)
            await client.delete(reply.headers["Location"])
        await viewer.close()
        return offer, reply.text, frame

    with serving(loop, ServerSettings(servers=[server])) as address:
        offer, answer, frame = asyncio.run(work(address))
    kinds = {line.split(" typ ")[1].split()[0] for line in offer.splitlines() if line.startswith("a=candidate")}
    assert kinds == {"relay"} and " typ relay" in answer
    assert (frame.width, frame.height) == (64, 64)
