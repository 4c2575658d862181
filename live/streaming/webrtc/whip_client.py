"""Sends the stream to an SFU by WHIP (mediamtx, LiveKit, Janus), which hands it to as many viewers as it can."""

from __future__ import annotations

import asyncio
import logging
import urllib.error
import urllib.request
from collections.abc import Sequence
from urllib.parse import urljoin, urlsplit

from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription

from live.streaming.session import Session
from live.streaming.webrtc import aiortc_patches
from live.streaming.webrtc.ice import IceServer
from live.streaming.webrtc.packet_track import PacketTrack, feed_frames, hang_up

_TIMEOUT_S = 10.0
_RETRY_S = (1.0, 2.0, 5.0, 10.0)
_REDIRECTS, _MOST_REDIRECTS = (307, 308), 5  # those that keep method and body
_PORTS = {"http": 80, "https": 443}
logger = logging.getLogger(__name__)


class Refused(Exception):
    """The SFU cannot be reached or does not want the stream; the text says why."""


class Publisher:
    """Publishes a session, and again whenever the connection breaks.

    Args:
        session: what is sent.
        url: the SFU's WHIP endpoint.
        token: its bearer token, if it wants one.
        servers: STUN and TURN servers.
    """

    def __init__(self, session: Session, url: str, token: str | None, servers: Sequence[IceServer] = ()) -> None:
        aiortc_patches.install()
        self._session, self._url, self._token = session, url, token
        self._place = urlsplit(url).netloc  # all that is logged of the address: the rest may hold a secret
        self._servers = [server.for_aiortc() for server in servers]

    async def run(self) -> None:
        """Publish until cancelled."""
        attempt = 0
        while True:
            broken = asyncio.Event()
            connection, resource = None, None
            try:
                connection, resource = await self._publish(broken)
                logger.info("publishing to %s", self._place)
                attempt = 0
                await broken.wait()
                logger.warning("the connection to %s broke off: trying again", self._place)
            except Refused as error:
                logger.warning("%s Trying again.", error)
            finally:
                if connection is not None:
                    await self._leave(connection, resource)
            await asyncio.sleep(_RETRY_S[min(attempt, len(_RETRY_S) - 1)])
            attempt += 1

    async def _publish(self, broken: asyncio.Event) -> tuple[RTCPeerConnection, str | None]:
        connection = RTCPeerConnection(RTCConfiguration(iceServers=self._servers))
        try:
            video = connection.addTransceiver(PacketTrack("video"), direction="sendonly")
            codecs = RTCRtpSender.getCapabilities("video").codecs
            video.setCodecPreferences(sorted(codecs, key=lambda codec: codec.mimeType != "video/H264"))
            connection.addTransceiver(PacketTrack("audio", self._session.sound), direction="sendonly")

            @connection.on("connectionstatechange")
            def changed() -> None:
                if connection.connectionState in ("failed", "closed"):
                    broken.set()

            await connection.setLocalDescription(await connection.createOffer())
            offer = connection.localDescription.sdp
            answer, resource = await asyncio.to_thread(self._request, "POST", self._url, offer)
            try:
                await connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
                feed_frames(video, self._session)
            except Exception as error:  # aiortc's parser raises whatever its code runs into
                raise Refused(f"The answer of {self._place} cannot be taken: {error!r}.") from None
            return connection, resource
        except BaseException:
            await self._leave(connection, None)
            raise

    async def _leave(self, connection: RTCPeerConnection, resource: str | None) -> None:
        await hang_up(connection)
        if resource is not None:
            try:
                await asyncio.to_thread(self._request, "DELETE", resource, "")
            except Refused:
                pass

    def _request(self, method: str, url: str, body: str) -> tuple[str, str | None]:
        """The reply's body, and the address that its ``Location`` names."""
        try:
            for _ in range(_MOST_REDIRECTS + 1):
                try:
                    with _OPENER.open(self._asked(method, url, body), timeout=_TIMEOUT_S) as reply:
                        location = reply.headers.get("Location")
                        return reply.read().decode(), urljoin(url, location) if location else None
                except urllib.error.HTTPError as error:
                    location = error.headers.get("Location")
                    if error.code not in _REDIRECTS or not location:
                        raise Refused(f"{self._place} does not want the stream: {error.code} {error.reason}.") from None
                    url = urljoin(url, location)
        except (OSError, ValueError) as error:
            raise Refused(f"{self._place} cannot be reached: {error}.") from None
        raise Refused(f"{self._place} redirects more than {_MOST_REDIRECTS} times.")

    def _asked(self, method: str, url: str, body: str) -> urllib.request.Request:
        """A request; the token is sent to nobody but the origin that it is for.

        Raises:
            ValueError: it is no address on the web.
        """
        headers = {"Content-Type": "application/sdp"}
        own = _origin(url) == _origin(self._url)
        if self._token and own:
            headers["Authorization"] = f"Bearer {self._token}"
        return urllib.request.Request(url, body.encode() if body else None, headers, method=method)


def _origin(url: str) -> tuple[str, str | None, int]:
    """Scheme, host and port (RFC 6454).

    Raises:
        ValueError: it is no address on the web.
    """
    parts = urlsplit(url)
    if parts.scheme not in _PORTS:
        raise ValueError(f"{parts.scheme} is not http or https")
    return parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme]


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """urllib's own take the token everywhere, and lose the offer."""

    def redirect_request(self, *_: object) -> None:
        """Do not go there."""


_OPENER = urllib.request.build_opener(_NoRedirects)
