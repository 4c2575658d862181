"""What RFC 9725 (WHIP) demands of a server, and the same of WHEP."""

from __future__ import annotations

import asyncio
import contextlib

import httpx
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription, VideoStreamTrack
from live_parts import pipeline
from live_serving import serving

from live.sources.video_file import DEMO_CLIP, FileSource
from live.streaming.http.server import ServerSettings
from live.streaming.webrtc.ice import parse_fragment, parse_server

pytestmark = pytest.mark.server
SDP, FRAGMENT = "application/sdp", "application/trickle-ice-sdpfrag"
CANDIDATE = "a=candidate:1 1 udp 2130706431 127.0.0.1 9 typ host\r\n"


@pytest.fixture(scope="module")
def address(model, request):
    info = request.getfixturevalue("module_target")
    settings = ServerSettings(servers=[parse_server("stun:127.0.0.1:9")], most_viewers=2)
    with serving(pipeline(model, info, FileSource(DEMO_CLIP), drop=True), settings) as address:
        yield address


async def offer(name: str) -> tuple[RTCPeerConnection, str]:
    """A client that would publish (whip) or view (whep), and its offer."""
    client = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    if name == "whip":
        client.addTransceiver(VideoStreamTrack(), direction="sendonly")
    else:
        client.addTransceiver("video", direction="recvonly")
    await client.setLocalDescription(await client.createOffer())
    return client, client.localDescription.sdp


@contextlib.asynccontextmanager
async def resource(http: httpx.AsyncClient, name: str):
    """A connection as the server sees it: the reply to the offer. It never connects."""
    client, sdp = await offer(name)
    reply = await http.post(f"/{name}", content=sdp, headers={"Content-Type": SDP})
    try:
        yield reply, sdp
    finally:
        await http.delete(reply.headers["Location"])
        await client.close()


def run(address, work):
    async def go():
        async with httpx.AsyncClient(base_url=address, timeout=30) as http:
            return await work(http)

    return asyncio.run(go())


@pytest.mark.parametrize("name", ["whip", "whep"])
def test_an_offer_makes_a_resource(address, name):
    async def work(http):
        async with resource(http, name) as (reply, _):
            assert reply.status_code == 201
            assert reply.headers["Content-Type"].startswith(SDP)
            assert reply.headers["Location"].startswith(f"/{name}/") and len(reply.headers["Location"]) > 30
            assert reply.headers["ETag"].startswith('"') and reply.headers["Accept-Patch"] == FRAGMENT
            assert reply.headers["Link"] == '<stun:127.0.0.1:9>; rel="ice-server"'
            assert "a=setup:passive" in reply.text and "a=candidate" in reply.text
            wanted = "a=recvonly" if name == "whip" else "a=sendonly"
            assert wanted in reply.text
            other = "whep" if name == "whip" else "whip"
            foreign = reply.headers["Location"].replace(name, other)
            assert (await http.delete(foreign)).status_code == 404  # another kind's resource
            return reply.headers["Location"]

    gone = run(address, work)
    assert httpx.delete(address + gone).status_code == 404


@pytest.mark.parametrize("name", ["whip", "whep"])
@pytest.mark.parametrize(
    ("method", "headers", "body", "status"),
    [
        ("GET", {}, "", 405),
        ("HEAD", {}, "", 405),
        ("PUT", {"Content-Type": SDP}, "", 405),
        ("PATCH", {"Content-Type": FRAGMENT}, "", 405),
        ("DELETE", {}, "", 405),
        ("OPTIONS", {}, "", 204),
        ("POST", {"Content-Type": "text/plain"}, "v=0\r\n", 415),
        ("POST", {"Content-Type": SDP}, "no", 400),
        ("POST", {"Content-Type": SDP}, "v=0\r\n" + "a" * 70_000, 413),
    ],
)
def test_the_endpoint(address, name, method, headers, body, status):
    reply = httpx.request(method, f"{address}/{name}", headers=headers, content=body)
    assert reply.status_code == status
    if status == 405:
        assert reply.headers["Allow"] == "POST, OPTIONS"
    if method == "OPTIONS":
        assert reply.headers["Accept-Post"] == SDP and 'rel="ice-server"' in reply.headers["Link"]


@pytest.mark.parametrize("name", ["whip", "whep"])
@pytest.mark.parametrize(
    ("method", "headers", "body", "status"),
    [
        ("GET", {}, "", 405),
        ("PUT", {}, "", 405),
        ("POST", {"Content-Type": SDP}, "v=0\r\n", 405),
        ("OPTIONS", {}, "", 204),
        ("PATCH", {"Content-Type": FRAGMENT, "If-Match": "{tag}"}, "a=ice-ufrag:{ufrag}\r\n" + CANDIDATE, 204),
        ("PATCH", {"Content-Type": FRAGMENT, "If-Match": "{tag}"}, "a=end-of-candidates\r\n", 204),
        ("PATCH", {"Content-Type": FRAGMENT, "If-Match": '"other"'}, CANDIDATE, 412),
        ("PATCH", {"Content-Type": FRAGMENT, "If-Match": "*"}, "a=ice-ufrag:new\r\na=ice-pwd:new\r\n", 422),
        ("PATCH", {"Content-Type": FRAGMENT, "If-Match": "{tag}"}, "a=ice-ufrag:new\r\n" + CANDIDATE, 422),
        ("PATCH", {"Content-Type": FRAGMENT, "If-Match": "{tag}"}, "a=candidate:junk\r\n", 400),
        ("PATCH", {"Content-Type": FRAGMENT, "If-Match": "{tag}"}, "{}", 400),
        ("PATCH", {"Content-Type": FRAGMENT, "If-Match": "{tag}"}, "a" * 70_000, 413),
        ("PATCH", {"Content-Type": "application/json", "If-Match": "{tag}"}, "{}", 415),
    ],
)
def test_the_resource(address, name, method, headers, body, status):
    async def work(http):
        async with resource(http, name) as (made, sdp):
            fragment = next(line for line in sdp.splitlines() if line.startswith("a=ice-ufrag:"))
            filled = {k: v.replace("{tag}", made.headers["ETag"]) for k, v in headers.items()}
            text = body.replace("{ufrag}", fragment.partition(":")[2])
            return await http.request(method, made.headers["Location"], headers=filled, content=text)

    reply = run(address, work)
    assert reply.status_code == status, reply.text
    if status >= 400:
        assert reply.text


@pytest.mark.parametrize(("name", "status"), [("whip", 428), ("whep", 204)])
def test_whip_wants_a_condition(address, name, status):
    async def work(http):
        async with resource(http, name) as (made, _):
            return await http.patch(made.headers["Location"], content=CANDIDATE, headers={"Content-Type": FRAGMENT})

    assert run(address, work).status_code == status


@pytest.mark.parametrize(
    ("body", "status"), [(b"0", 204), (b"60", 204), (b"-10", 400), (b"5000", 400), (b"soon", 400), (b"9" * 99, 400)]
)
def test_how_long_a_viewer_wants_its_pictures_held_back(address, body, status):
    async def work(http):
        async with resource(http, "whep") as (reply, _):
            found = await http.put(f"{reply.headers['Location']}/hold", content=body)
            assert found.status_code == status and (status == 204) == (not found.text)
        assert (await http.put(f"{reply.headers['Location']}/hold", content=body)).status_code == 404

    run(address, work)


def test_candidates_that_trickle_in_connect(address):
    """An offer without candidates, which follow one by one."""

    async def work(http):
        client, sdp = await offer("whep")
        connected = asyncio.Event()
        client.on("connectionstatechange", lambda: client.connectionState == "connected" and connected.set())
        bare = "".join(line for line in sdp.splitlines(True) if "candidate" not in line)
        made = await http.post("/whep", content=bare, headers={"Content-Type": SDP})
        silent = "".join(line for line in made.text.splitlines(True) if "candidate" not in line)
        await client.setRemoteDescription(RTCSessionDescription(silent, "answer"))  # only the server can begin
        lines = [line for line in sdp.splitlines(True) if line.startswith("a=candidate")]
        for line in [*lines, "a=end-of-candidates\r\n"]:
            trickled = {"Content-Type": FRAGMENT, "If-Match": made.headers["ETag"]}
            body = f"m=video 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n{line}"
            reply = await http.patch(made.headers["Location"], content=body, headers=trickled)
            assert reply.status_code == 204, reply.text
        await asyncio.wait_for(connected.wait(), 20)
        await http.delete(made.headers["Location"])
        await client.close()

    run(address, work)


def test_no_more_viewers_than_admitted(address):
    async def work(http):
        async with resource(http, "whep"), resource(http, "whep"):
            client, sdp = await offer("whep")
            reply = await http.post("/whep", content=sdp, headers={"Content-Type": SDP})
            await client.close()
            return reply

    reply = run(address, work)
    assert reply.status_code == 503 and "2 viewers" in reply.text and reply.headers["Retry-After"]


@pytest.mark.parametrize("without", ["H264", "VP8"])
def test_the_peers_codec_is_sent(address, without):
    async def work(http):
        client, sdp = await offer("whep")
        frames = asyncio.Queue()

        @client.on("track")
        def on_track(track):
            tasks.append(asyncio.ensure_future(read(track)))

        async def read(track):
            await frames.put(await track.recv())

        tasks = []
        gone = {line.split(":")[1].split()[0] for line in sdp.splitlines() if f" {without}/" in line}
        kept = [line for line in sdp.splitlines(True) if not any(f":{payload} " in line for payload in gone)]
        made = await http.post("/whep", content="".join(kept), headers={"Content-Type": SDP})
        assert made.status_code == 201, made.text
        assert f" {without}/" not in made.text
        await client.setRemoteDescription(RTCSessionDescription(made.text, "answer"))
        frame = await asyncio.wait_for(frames.get(), 30)
        assert (frame.width, frame.height) == (64, 64)
        await http.delete(made.headers["Location"])
        await client.close()

    run(address, work)


def test_an_offer_of_strange_codecs_is_unacceptable(address):
    async def work(http):
        client, sdp = await offer("whep")
        await client.close()
        strange = sdp.replace("VP8/90000", "AV1/90000").replace("H264/90000", "H265/90000")
        return await http.post("/whep", content=strange, headers={"Content-Type": SDP})

    reply = run(address, work)
    assert reply.status_code == 422 and "H.264" in reply.text


@pytest.mark.parametrize("name", ["whip", "whep"])
def test_a_broken_bundle_is_a_bad_offer(address, name):
    """aiortc takes the transport from what is bundled with a medium that is not there."""

    async def work(http):
        client, sdp = await offer(name)
        await client.close()
        broken = sdp.replace("a=group:BUNDLE 0", "a=group:BUNDLE 9 0")
        assert broken != sdp
        return await http.post(f"/{name}", content=broken, headers={"Content-Type": SDP})

    reply = run(address, work)
    assert reply.status_code == 400 and "cannot be" in reply.text


def test_fragments_are_read():
    fragment = parse_fragment(f"a=ice-ufrag:x\r\nm=audio 9 x 0\r\na=mid:7\r\n{CANDIDATE}a=end-of-candidates\r\n")
    assert fragment.user_fragment == "x" and fragment.complete
    (candidate,) = fragment.candidates
    assert (candidate.sdpMid, candidate.sdpMLineIndex, candidate.port) == ("7", 0, 9)


@pytest.mark.parametrize(
    ("text", "url", "user"),
    [
        ("stun:example.org", "stun:example.org", None),
        ("turn:u:p@example.org:3478?transport=tcp", "turn:example.org:3478?transport=tcp", "u"),
        ("turns:u:p@[::1]:5349", "turns:[::1]:5349", "u"),
    ],
)
def test_ice_servers_are_read(text, url, user):
    server = parse_server(text)
    assert (server.url, server.user) == (url, user)
    assert ("credential" in server.link()) == (user is not None)


@pytest.mark.parametrize("text", ["example.org", "turn:example.org", "stun:u:secret@example.org", "turn:u:p@h:x"])
def test_a_wrong_ice_server_is_told_without_its_password(text):
    from face.errors import UserError

    with pytest.raises(UserError) as caught:
        parse_server(text)
    assert "secret" not in str(caught.value)
