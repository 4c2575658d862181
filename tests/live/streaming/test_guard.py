"""Who is let in: token, origin, host and rate."""

from __future__ import annotations

import asyncio
import json
import ssl

import httpx
import pytest
import websockets
from live_parts import pipeline
from live_serving import serving
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from live.sources.browser import NoSource
from live.streaming.http.access import Allowance, Guard, Tokens, subprotocol
from live.streaming.http.links import is_loopback
from live.streaming.http.server import ServerSettings
from live.streaming.http.tls import self_signed

pytestmark = pytest.mark.server
TOKEN, VIEW_TOKEN = "correct horse", "a+b/c=="
FRIEND, STRANGER = "https://friend.example", "https://stranger.example"
SHOWN = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def closed(model, module_target):
    """A server that wants a token."""
    with serving(
        pipeline(model, module_target, NoSource(), drop=True), ServerSettings(tokens=Tokens(TOKEN, VIEW_TOKEN))
    ) as address:
        yield address


@pytest.fixture(scope="module")
def opened(model, module_target):
    """A server for this machine only, and a friend's page."""
    settings = ServerSettings(origins=[FRIEND])
    with serving(pipeline(model, module_target, NoSource(), drop=True), settings) as address:
        yield address


@pytest.mark.parametrize("path", ["/status", "/metrics", "/targets", "/targets/demo.jpg"])
def test_figures_want_the_token(closed, path):
    refused = httpx.get(closed + path)
    assert refused.status_code == 401 and refused.headers["WWW-Authenticate"] == "Bearer"
    for wrong in ("Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", ""):
        assert httpx.get(closed + path, headers={"Authorization": wrong}).status_code == 401
    assert httpx.get(closed + path, headers=SHOWN).status_code in (200, 404)


@pytest.mark.parametrize("name", ["whip", "whep"])
def test_connections_want_the_token(closed, name):
    sdp = {"Content-Type": "application/sdp"}
    assert httpx.post(f"{closed}/{name}", content="v=0", headers=sdp).status_code == 401
    assert httpx.post(f"{closed}/{name}", content="v=0", headers=sdp | SHOWN).status_code == 400
    assert httpx.delete(f"{closed}/{name}/x").status_code == 401
    asked = httpx.options(f"{closed}/{name}")
    assert asked.status_code == 204 and "Link" not in asked.headers  # a browser's question before the request


@pytest.mark.parametrize("path", ["/", "/js/main.js", "/healthz", "/readyz"])
def test_the_page_and_the_probes_are_open(closed, path):
    assert httpx.get(closed + path).status_code == 200


@pytest.mark.parametrize("path", ["/nothing", "/js/nothing.js", "/js/../status", "/js/..%2fstatus", "/healthz/x", "//"])
def test_what_is_not_public_wants_the_token_whether_it_is_there_or_not(closed, path):
    with httpx.Client() as client:
        url = httpx.URL(closed).copy_with(raw_path=path.encode())
        assert client.send(client.build_request("GET", url)).status_code == 401


def test_a_route_that_nobody_thought_of_is_closed():
    async def get(path):
        routes = [Route(p, lambda _: PlainTextResponse("here")) for p in ("/", "/new")]
        app = Guard(Starlette(routes=routes), tokens=Tokens(TOKEN), public=["/"])
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            return (await client.get(path)).status_code, (await client.get(path, headers=SHOWN)).status_code

    assert asyncio.run(get("/")) == (200, 200)
    assert asyncio.run(get("/new")) == (401, 200)


def test_the_socket_wants_the_token(closed):
    async def talk(protocols):
        address = closed.replace("http", "ws") + "/live"
        async with websockets.connect(address, subprotocols=protocols) as socket:
            await socket.recv()
            return socket.subprotocol

    with pytest.raises(websockets.InvalidStatus):
        asyncio.run(talk(["head2head"]))
    for wrong in ("token.", "token.!", "token.YQ", subprotocol(TOKEN)[:-1]):
        with pytest.raises(websockets.InvalidStatus):
            asyncio.run(talk(["head2head", wrong]))
    for token in (TOKEN, VIEW_TOKEN):  # "+", "/", "=" and space are not allowed in a subprotocol
        assert asyncio.run(talk(["head2head", subprotocol(token)])) == "head2head"


SEEN = {"Authorization": f"Bearer {VIEW_TOKEN}"}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/status", 200), ("GET", "/targets", 200), ("POST", "/whep", 415), ("POST", "/whep/", 415),
        ("PUT", "/whep/x/hold", 404), ("DELETE", "/whep/x", 404), ("POST", "/sessions/x/whep", 415),
        ("POST", "/whip", 403), ("POST", "/whip/", 403), ("DELETE", "/whip/x", 403), ("GET", "/metrics", 403),
        ("GET", "/new", 403), ("POST", "/sessions/x/whip", 403), ("GET", "/status/../metrics", 403),
    ],
)  # fmt: skip
def test_a_viewer_may_watch_and_no_more(closed, method, path, status):
    with httpx.Client() as client:
        url = httpx.URL(closed).copy_with(raw_path=path.encode())
        assert client.send(client.build_request(method, url, headers=SEEN)).status_code == status


@pytest.mark.parametrize(("token", "role"), [(TOKEN, "operator"), (VIEW_TOKEN, "viewer")])
def test_only_an_operators_commands_are_obeyed(closed, token, role):
    async def talk():
        place = closed.replace("http", "ws") + "/live"
        async with websockets.connect(place, subprotocols=["head2head", subprotocol(token)]) as socket:
            assert json.loads(await socket.recv())["role"] == role
            await socket.send(json.dumps({"strength": 0.25 if role == "viewer" else 0.75}))
            while True:
                message = json.loads(await asyncio.wait_for(socket.recv(), 20))
                if message["type"] == "error" or message["settings"]["strength"] == 0.75:
                    return message

    message = asyncio.run(talk())
    assert ("operators" in message["error"]) if role == "viewer" else message["settings"]["strength"] == 0.75
    assert httpx.get(f"{closed}/status", headers=SHOWN).json()["settings"]["strength"] != 0.25


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"Host": "["}, 421), ({"Host": "[::1"}, 421), ({"Origin": "http://["}, 403), ({"Origin": "null"}, 403)],
)
def test_what_is_no_address_is_refused(opened, headers, status):
    assert httpx.get(f"{opened}/status", headers=headers).status_code == status


def test_guesses_are_slowed_down(model, module_target, monkeypatch):
    monkeypatch.setattr("live.streaming.http.access._WRONG_BURST", 3.0)
    monkeypatch.setattr("live.streaming.http.access._WRONG_PER_S", 0.0)
    loop = pipeline(model, module_target, NoSource(), drop=True)
    with serving(loop, ServerSettings(tokens=Tokens(TOKEN))) as address, httpx.Client(base_url=address) as client:
        assert [client.get("/status").status_code for _ in range(9)] == 9 * [401]  # who shows none guesses nothing
        guesses = [client.get("/status", headers={"Authorization": f"Bearer {k}"}).status_code for k in range(5)]
        assert guesses == [401, 401, 401, 429, 429]
        assert client.get("/status", headers=SHOWN).status_code == 429
        assert client.get("/").status_code == 200


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_a_strangers_page_is_refused(opened, method):
    reply = httpx.request(method, f"{opened}/whep", headers={"Origin": STRANGER})
    assert reply.status_code == 403 and "access-control-allow-origin" not in reply.headers


def test_a_strangers_page_gets_no_socket(opened):
    async def talk():
        async with websockets.connect(opened.replace("http", "ws") + "/live", origin=STRANGER):
            pass

    with pytest.raises(websockets.InvalidStatus) as caught:
        asyncio.run(talk())
    assert caught.value.response.status_code == 403


def test_a_friends_page_is_let_in(opened):
    reply = httpx.options(f"{opened}/whep", headers={"Origin": FRIEND, "Access-Control-Request-Method": "POST"})
    assert reply.status_code == 204
    assert reply.headers["access-control-allow-origin"] == FRIEND
    assert "If-Match" in reply.headers["access-control-allow-headers"]
    assert "Location" in reply.headers["access-control-expose-headers"]


def test_a_friends_page_may_ask_what_it_needs_to_and_read_the_answer(opened):
    asks = {"Origin": FRIEND, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
    assert httpx.options(f"{opened}/status", headers=asks).status_code == 204
    refused = httpx.options(f"{opened}/status", headers=asks | {"Access-Control-Request-Method": "TRACE"})
    assert refused.status_code == 400
    reply = httpx.get(f"{opened}/status", headers={"Origin": FRIEND})
    assert reply.headers["access-control-allow-origin"] == FRIEND and "Origin" in reply.headers["vary"]
    refused = httpx.options(f"{opened}/status", headers=asks | {"Origin": STRANGER})
    assert refused.status_code == 400 and "access-control-allow-origin" not in refused.headers


def test_a_name_that_only_leads_here_is_refused(opened):
    assert httpx.get(f"{opened}/status", headers={"Host": "stranger.example"}).status_code == 421
    assert httpx.get(f"{opened}/status").status_code == 200


def test_pages_carry_the_usual_headers(opened):
    headers = httpx.get(opened).headers
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff" and "server" not in headers
    assert headers["cross-origin-resource-policy"] == "same-origin" and headers["cache-control"] == "no-cache"


def test_an_allowance_runs_out_and_comes_back():
    allowance = Allowance(burst=3, per_s=2)
    assert [allowance.take("a", 0.0) for _ in range(4)] == [True, True, True, False]
    assert allowance.take("b", 0.0)
    assert allowance.take("a", 0.5) and not allowance.take("a", 0.5)


def test_too_many_requests_are_told_to_wait(model, module_target, monkeypatch):
    monkeypatch.setattr("live.streaming.http.access._PER_S", 0.0)
    monkeypatch.setattr("live.streaming.http.access._BURST", 3.0)
    loop = pipeline(model, module_target, NoSource(), drop=True)
    with serving(loop) as address, httpx.Client(base_url=address) as client:
        assert [client.post("/whep").status_code for _ in range(4)] == [415, 415, 415, 429]
        assert client.get("/status").status_code == 200


def test_a_certificate_for_the_local_network(tmp_path):
    certificate, key = self_signed(tmp_path / "kept", "0.0.0.0")
    assert key.stat().st_mode & 0o077 == 0
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    first = certificate.read_bytes()
    assert self_signed(tmp_path / "kept", "0.0.0.0")[0].read_bytes() == first
    assert self_signed(tmp_path / "kept", "example.org")[0].read_bytes() != first  # another name: made anew


@pytest.mark.parametrize(
    ("host", "here"), [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("a.b", False)]
)
def test_what_only_this_machine_can_reach(host, here):
    assert is_loopback(host) == here
