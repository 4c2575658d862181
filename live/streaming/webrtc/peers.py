"""WebRTC peers: viewers (WHEP) and publishers (WHIP)."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from aiortc.rtcrtptransceiver import RTCRtpTransceiver
from av import AudioFrame, Packet, VideoFrame

from live.frames import Frame, Sound
from live.mailbox import Closed
from live.streaming.media.codecs import Codec
from live.streaming.media.video_encoder import Subscription
from live.streaming.session import NoRoom, Session, Sessions
from live.streaming.webrtc import aiortc_patches
from live.streaming.webrtc.ice import Fragment, IceServer, user_fragment

_CONNECT_TIMEOUT_S = 15.0
_SOUND_AGE_S = 0.0265  # of a packet's first sample as the packet is made: 20 ms long, after 6.5 that Opus looks ahead
logger = logging.getLogger(__name__)


class BadOffer(Exception):
    """The peer's offer cannot be read; the text says why."""


class Unacceptable(Exception):
    """The offer can be read, but not be answered; the text says why."""


class Taken(Exception):
    """The session has a publisher already, or there is no room for another peer; the text says which."""


class Feed(Protocol):
    """Gives packets to subscribers: an encoder, or the sound."""

    def subscribe(self) -> Subscription:
        """A new subscriber."""
        ...

    def unsubscribe(self, subscription: Subscription) -> None:
        """The subscriber has gone."""
        ...


class PacketTrack(MediaStreamTrack):
    """A viewer's track: packets that were encoded for all, from the moment the viewer connected.

    Attributes:
        kind: ``video`` or ``audio``.
        feed: where the packets come from; known once the offer is taken.
    """

    def __init__(self, kind: str, feed: Feed | None = None) -> None:
        self.kind = kind
        super().__init__()
        self.feed = feed
        self._subscription: Subscription | None = None

    async def recv(self) -> Packet:
        """The next packet. aiortc calls this only once the connection stands, so nothing piles up before."""
        if self.readyState != "live":
            raise MediaStreamError
        if self._subscription is None:
            assert self.feed is not None
            self._subscription = self.feed.subscribe()
        return await self._subscription.next()

    def stop(self) -> None:
        """The viewer has gone."""
        super().stop()
        if self._subscription is not None and self.feed is not None:
            self.feed.unsubscribe(self._subscription)


@dataclass(eq=False)
class Peer:
    """One connection.

    Attributes:
        key: what its URL ends in; cannot be guessed.
        session: what it looks at or feeds.
        publishes: whether it brings pictures (WHIP) or takes them (WHEP).
        tag: entity tag of its ICE generation (RFC 9725, 4.3).
        user_fragment: of the peer's ICE generation.
    """

    connection: RTCPeerConnection
    session: Session
    publishes: bool
    key: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    tag: str = field(default_factory=lambda: f'"{secrets.token_hex(8)}"')
    user_fragment: str | None = None


class Peers:
    """All connections of the server.

    Args:
        sessions: what they look at or feed.
        servers: STUN and TURN servers to use.
        most_viewers: how many may watch at a time.
    """

    def __init__(self, sessions: Sessions, servers: Sequence[IceServer] = (), most_viewers: int = 100) -> None:
        aiortc_patches.install()
        self._sessions = sessions
        self._servers, self._most_viewers = [s.for_aiortc() for s in servers], most_viewers
        self._peers: dict[str, Peer] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def viewers(self) -> int:
        """How many watch or are about to."""
        return sum(not peer.publishes for peer in self._peers.values())

    async def view(self, session: Session, offer: str) -> tuple[Peer, str]:
        """Answer a viewer: the peer and the SDP.

        Raises:
            BadOffer, Unacceptable: it is no SDP, or asks for nothing that can be sent.
            Taken: there are viewers enough.
        """
        if self.viewers >= self._most_viewers:
            raise Taken(f"There are {self._most_viewers} viewers, as many as this server admits: try again later.")
        peer = self._open(session, publishes=False)
        try:
            # Before the offer is taken: aiortc settles on what to send as it reads the offer.
            video = peer.connection.addTransceiver(PacketTrack("video"), direction="sendonly")
            if "\nm=audio" in offer:
                peer.connection.addTransceiver(PacketTrack("audio", session.sound), direction="sendonly")
            await self._take_offer(peer, offer)
            if video.mid is None:
                raise Unacceptable("The offer asks for no video.")
            feed_pictures(video, session)
            return peer, await self._answer(peer)
        except BaseException:
            await self.close(peer)
            raise

    async def publish(self, offer: str) -> tuple[Peer, str]:
        """Take a camera, and a microphone if there is one: the peer and the SDP.

        Raises:
            BadOffer, Unacceptable: it is no SDP, or brings no video.
            Taken: another publisher is there.
        """
        try:
            session = await self._sessions.for_publisher()
        except NoRoom as error:
            raise Taken(str(error)) from None
        peer = self._open(session, publishes=True)
        try:
            await self._take_offer(peer, offer)
            tracks = {t.kind: t for t in peer.connection.getTransceivers() if t.receiver.track is not None}
            if "video" not in tracks:
                raise Unacceptable("The offer brings no video.")
            if not session.pipeline.admit(peer.key):
                raise Taken("Another camera is already in use.")
            aiortc_patches.emit_on_marker(tracks["video"].receiver)
            self._spawn(self._receive_pictures(peer, tracks["video"].receiver.track))
            if "audio" in tracks:
                aiortc_patches.hasten_sound(tracks["audio"].receiver)
                self._spawn(self._receive_sound(peer, tracks["audio"].receiver.track))
            return peer, aiortc_patches.with_start_bitrate(await self._answer(peer))
        except BaseException:
            await self.close(peer)
            raise

    def find(self, key: str, publishes: bool) -> Peer | None:
        """The peer whose URL ends in ``key``."""
        peer = self._peers.get(key)
        return peer if peer is not None and peer.publishes == publishes else None

    async def trickle(self, peer: Peer, fragment: Fragment) -> None:
        """Take further candidates of a peer."""
        for candidate in fragment.candidates:
            if not candidate.ip.endswith(".local"):  # see aiortc_patches.without_mdns
                await peer.connection.addIceCandidate(candidate)

    @staticmethod
    def hold_back(peer: Peer, milliseconds: int) -> None:
        """Ask a viewer to show pictures so much after they come, instead of at once."""
        for sender in peer.connection.getSenders():
            if sender.kind == "video":
                aiortc_patches.hold_back(sender, milliseconds)

    async def close(self, peer: Peer) -> None:
        """End one connection; a publisher's own session ends with it."""
        if self._peers.pop(peer.key, None) is None:
            return
        peer.session.pipeline.dismiss(peer.key)
        await hang_up(peer.connection)
        if peer.publishes and peer.session is not self._sessions.main:
            watching = [other for other in self._peers.values() if other.session is peer.session]
            await asyncio.gather(*(self.close(other) for other in watching))
            await self._sessions.end(peer.session)

    async def close_all(self) -> None:
        """End every connection."""
        await asyncio.gather(*(self.close(peer) for peer in list(self._peers.values())))
        for task in list(self._tasks):
            task.cancel()

    def _open(self, session: Session, publishes: bool) -> Peer:
        connection = RTCPeerConnection(RTCConfiguration(iceServers=self._servers))
        peer = Peer(connection, session, publishes)
        self._peers[peer.key] = peer

        @connection.on("connectionstatechange")
        async def changed() -> None:
            logger.info("%s %s", "publisher" if publishes else "viewer", connection.connectionState)
            if connection.connectionState in ("failed", "closed"):
                await self.close(peer)

        self._spawn(self._expire(peer))
        return peer

    async def _expire(self, peer: Peer) -> None:
        """Drop a peer that never connects; aiortc would keep it for ever."""
        await asyncio.sleep(_CONNECT_TIMEOUT_S)
        if peer.connection.connectionState != "connected":
            await self.close(peer)

    @staticmethod
    async def _take_offer(peer: Peer, offer: str) -> None:
        if not offer.startswith(("v=0\r\n", "v=0\n")):
            raise BadOffer("The offer is no SDP: it begins with the line v=0.")
        try:
            description = RTCSessionDescription(aiortc_patches.without_mdns(offer), "offer")
            await peer.connection.setRemoteDescription(description)
        except Exception as error:  # aiortc's parser raises whatever its code runs into
            if "send parameters" in str(error):
                raise Unacceptable("The offer knows none of the codecs H.264, VP8 and Opus.") from None
            raise BadOffer(f"The offer cannot be read: {error!r}") from None
        peer.user_fragment = user_fragment(offer)

    @staticmethod
    async def _answer(peer: Peer) -> str:
        try:
            aiortc_patches.answer_passively(peer.connection)
            await peer.connection.setLocalDescription(await peer.connection.createAnswer())
        except Exception as error:
            raise BadOffer(f"The offer cannot be answered: {error!r}") from None
        return peer.connection.localDescription.sdp

    async def _receive_pictures(self, peer: Peer, track: MediaStreamTrack) -> None:
        """Hand the newest frame on; an unread track would queue without bound."""
        number = 0
        try:
            while True:
                frame = await track.recv()
                while not aiortc_patches.nothing_waits(track):
                    frame = await track.recv()
                assert isinstance(frame, VideoFrame)
                captured_s = time.monotonic()
                image = await asyncio.to_thread(frame.to_ndarray, format="rgb24")
                peer.session.pipeline.deliver(peer.key, Frame(image, captured_s, number))
                number += 1
        except (MediaStreamError, Closed):  # the camera's end, or the loop's
            pass
        finally:
            await self.close(peer)

    @staticmethod
    async def _receive_sound(peer: Peer, track: MediaStreamTrack) -> None:
        """Hand sound on as it comes; without a microphone's packets the pictures go on alone."""
        try:
            while True:
                frame = await track.recv()
                assert isinstance(frame, AudioFrame)
                samples = frame.to_ndarray().reshape(-1, 2)  # aiortc decodes to 48 kHz, 16 bit, stereo
                peer.session.pipeline.deliver(peer.key, Sound(samples, time.monotonic() - _SOUND_AGE_S))
        except MediaStreamError:
            pass

    def _spawn(self, work: object) -> None:
        task = asyncio.ensure_future(work)  # type: ignore[call-overload]
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception():
            logger.error("a connection's task failed", exc_info=task.exception())


def feed_pictures(transceiver: RTCRtpTransceiver, session: Session) -> None:
    """Give the session's packets to a video transceiver with a ``PacketTrack``, once its codec is settled.

    Raises:
        Unacceptable: it is a codec that cannot be sent.
    """
    name = aiortc_patches.chosen_codec(transceiver)
    try:
        encoder = session.encoder(Codec(name))
    except ValueError:
        raise Unacceptable(f"The offer wants {name}: this server sends H.264 and VP8.") from None
    transceiver.sender.track.feed = encoder
    aiortc_patches.on_keyframe_request(transceiver.sender, encoder.request_keyframe)


async def hang_up(connection: RTCPeerConnection) -> None:
    """End a connection and what it subscribed to."""
    for sender in connection.getSenders():
        if sender.track is not None:
            sender.track.stop()
    await aiortc_patches.close(connection)
