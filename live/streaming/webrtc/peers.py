"""WebRTC peers: viewers (WHEP) and publishers (WHIP)."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCRtpReceiver, RTCSessionDescription

from live.mailbox import Closed
from live.pipeline import State
from live.streaming.session import NoRoom, Session, Sessions
from live.streaming.webrtc import aiortc_patches, keyframe_requests
from live.streaming.webrtc.bitrate_limit import limit_while_skipping
from live.streaming.webrtc.h264_formats import as_known, as_offered
from live.streaming.webrtc.ice import Fragment, IceServer
from live.streaming.webrtc.offer import (
    MOST_CANDIDATES,
    BadOffer,
    Offer,
    Unacceptable,
    check_publisher,
    check_viewer,
    reachable,
    read_offer,
)  # fmt: skip
from live.streaming.webrtc.packet_track import PacketTrack, feed_frames, hang_up
from live.streaming.webrtc.reception import frames, sounds

_CONNECT_TIMEOUT_S = 15.0
_NO_MEDIA_S = 5.0  # after an offer without a frame, pages say so
_MOST_COMING = 8  # publishers without a frame yet
logger = logging.getLogger(__name__)


class Taken(Exception):
    """The session has a publisher already, or there is no room for another peer; the text says which."""


@dataclass(eq=False)
class Peer:
    """One connection.

    Attributes:
        session: what it looks at or feeds.
        publishes: whether it brings frames (WHIP) or takes them (WHEP).
        client: IP address that its offer came from.
        key: what its URL ends in; cannot be guessed.
        tag: entity tag of its ICE generation (RFC 9725, 4.3).
        user_fragment: of the peer's ICE generation.
        candidates: how many it has named.
        offered_s: when it came, monotonic clock, seconds.
    """

    connection: RTCPeerConnection
    session: Session
    publishes: bool
    client: str
    key: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    tag: str = field(default_factory=lambda: secrets.token_hex(8))
    user_fragment: str | None = None
    candidates: int = 0
    offered_s: float = field(default_factory=time.monotonic)

    @property
    def shown(self) -> bool:
        """Whether it is the publisher whose frames are shown."""
        return self.publishes and self.session.pipeline.guest == self.tag


class Peers:
    """All connections of the server.

    Args:
        sessions: what they look at or feed.
        servers: STUN and TURN servers to use.
        most_viewers: how many may watch at a time.
        udp_ports: those to use; ``None`` for any.
    """

    def __init__(
        self,
        sessions: Sessions,
        servers: Sequence[IceServer] = (),
        most_viewers: int = 100,
        udp_ports: range | None = None,
    ) -> None:
        aiortc_patches.install()
        if udp_ports is not None:
            aiortc_patches.limit_udp_ports(asyncio.get_running_loop(), udp_ports)
        self._sessions = sessions
        self._servers, self._most_viewers = [s.for_aiortc() for s in servers], most_viewers
        self._peers: dict[str, Peer] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def viewers(self) -> int:
        """How many watch or are about to."""
        return sum(not peer.publishes for peer in self._peers.values())

    async def view(self, session: Session, text: str, client: str) -> tuple[Peer, str]:
        """Answer a viewer's offer, which came from the address ``client``: the peer and the SDP.

        Raises:
            BadOffer, Unacceptable: it is no SDP, or asks for nothing that can be sent.
            Taken: there are viewers enough.
        """
        if self.viewers >= self._most_viewers:
            raise Taken(f"There are {self._most_viewers} viewers, as many as this server admits: try again later.")
        offer = await asyncio.to_thread(read_offer, text, client)
        check_viewer(offer)
        peer = self._open(session, publishes=False, client=client)
        try:
            # Before the offer is taken: aiortc settles on what to send as it reads the offer.
            video = peer.connection.addTransceiver(PacketTrack("video"), direction="sendonly")
            if any(section.receives and "OPUS" in section.codecs for section in offer.of("audio")):
                sound = peer.connection.addTransceiver(PacketTrack("audio", session.sound), direction="sendonly")
                aiortc_patches.prefer_opus(sound)
            await self._take_offer(peer, offer)
            feed_frames(video, session)
            return peer, await self._answer(peer)
        except BaseException:
            await self.close(peer)
            raise

    async def publish(self, text: str, client: str) -> tuple[Peer, str]:
        """Take a camera, and a microphone if there is one: the peer and the SDP.

        It is shown from its first frame on; what was shown before goes on until then.

        Raises:
            BadOffer, Unacceptable: it is no SDP, or brings no video.
            Taken: another publisher is there.
        """
        offer = await asyncio.to_thread(read_offer, text, client)
        check_publisher(offer)
        if sum(peer.publishes and not peer.shown for peer in self._peers.values()) >= _MOST_COMING:
            raise Taken("Too many cameras are connecting: try again later.")
        try:
            session = await self._sessions.for_publisher()
        except NoRoom as error:
            raise Taken(str(error)) from None
        peer = self._open(session, publishes=True, client=client)
        try:
            self._check_free(session)
            known, formats = as_known(offer.sdp)
            await self._take_offer(peer, dataclasses.replace(offer, sdp=known))
            tracks = {t.kind: t for t in peer.connection.getTransceivers() if t.receiver.track is not None}
            answer = await self._answer(peer)
            aiortc_patches.be_patient(peer.connection)
            aiortc_patches.emit_on_marker(tracks["video"].receiver)
            arrivals = self._keep_up(session, tracks["video"].receiver)
            self._spawn(self._receive_frames(peer, tracks["video"].receiver.track, arrivals))
            if "audio" in tracks:
                aiortc_patches.hasten_sound(tracks["audio"].receiver)
                self._spawn(self._receive_sound(peer, tracks["audio"].receiver.track))
            return peer, aiortc_patches.with_start_bitrate(as_offered(answer, formats))
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
            if peer.candidates < MOST_CANDIDATES and reachable(candidate.ip, peer.client):
                peer.candidates += 1
                await peer.connection.addIceCandidate(candidate)

    def trouble(self, session: Session) -> str | None:
        """A sentence on a publisher that has been connecting for long without a frame."""
        now = time.monotonic()
        for peer in self._peers.values():
            if peer.publishes and peer.session is session and not peer.shown and now - peer.offered_s > _NO_MEDIA_S:
                if peer.connection.connectionState == "connected":
                    return "A camera is connected but sends no frames."
                return "A camera is connecting but no media comes: a firewall may block UDP."
        return None

    @staticmethod
    def hold_back(peer: Peer, milliseconds: int) -> None:
        """Ask a viewer to show frames so much after they come, instead of at once."""
        for sender in peer.connection.getSenders():
            if sender.kind == "video":
                aiortc_patches.hold_back(sender, milliseconds)

    async def close(self, peer: Peer) -> None:
        """End one connection; a publisher's own session ends with it."""
        if self._peers.pop(peer.key, None) is None:
            return
        peer.session.pipeline.dismiss(peer.tag)
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

    def _open(self, session: Session, publishes: bool, client: str) -> Peer:
        connection = RTCPeerConnection(RTCConfiguration(iceServers=self._servers))
        peer = Peer(connection, session, publishes, client)
        self._peers[peer.key] = peer
        kind = "publisher" if publishes else "viewer"

        @connection.on("connectionstatechange")
        async def changed() -> None:
            logger.info("%s %s", kind, connection.connectionState)
            if connection.connectionState == "failed":
                logger.warning("the connection with a %s failed: UDP is blocked, or the handshake failed", kind)
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
    async def _take_offer(peer: Peer, offer: Offer) -> None:
        try:
            await peer.connection.setRemoteDescription(RTCSessionDescription(offer.sdp, "offer"))
        except Exception as error:  # aiortc's parser raises whatever its code runs into
            if "send parameters" in str(error):
                raise Unacceptable(f"The offer has no codec that this server takes: {error}.") from None
            raise BadOffer(f"The offer cannot be read: {error!r}") from None
        peer.user_fragment, peer.candidates = offer.user_fragment, offer.candidates

    @staticmethod
    async def _answer(peer: Peer) -> str:
        try:
            aiortc_patches.answer_passively(peer.connection)
            await peer.connection.setLocalDescription(await peer.connection.createAnswer())
        except OSError as error:
            raise Taken(f"There is no room for another connection here ({error.strerror}): try again later.") from None
        except Exception as error:
            raise BadOffer(f"The offer cannot be answered: {error!r}") from None
        return peer.connection.localDescription.sdp

    @staticmethod
    def _keep_up(session: Session, receiver: RTCRtpReceiver) -> dict[int, float]:
        """Skip frames that cannot be decoded in time, and tell the publisher: when the last ones arrived."""
        limit = limit_while_skipping(receiver)

        def skipped() -> None:
            limit()
            session.pipeline.metrics.count("skipped")

        return keyframe_requests.skip_when_behind(receiver, skipped)

    def _check_free(self, session: Session) -> None:
        """Whether a session has room for a publisher: it has none, or one that has been silent.

        Raises:
            Taken: another camera is shown.
        """
        if session.pipeline.guest is not None and session.pipeline.state is not State.PAUSED:
            raise Taken("Another camera is already in use.")

    async def _receive_frames(self, peer: Peer, track: MediaStreamTrack, arrivals: Mapping[int, float]) -> None:
        """Show a publisher's frames from the first one on."""
        try:
            async for frame in frames(track, arrivals):
                if peer.key not in self._peers:  # it was closed while the frame was decoded
                    return
                if not peer.shown:
                    await self._show(peer)
                peer.session.pipeline.deliver(peer.tag, frame)
        except Taken as error:
            logger.warning("a camera that connected is not shown: %s", error)
        except Closed:  # the loop's end
            pass
        finally:
            await self.close(peer)

    async def _show(self, peer: Peer) -> None:
        """Put a publisher in the place of what is shown.

        Raises:
            Taken: another camera was faster.
        """
        self._check_free(peer.session)
        for other in list(self._peers.values()):
            if other.session is peer.session and other.shown:  # it has been silent
                await self.close(other)
        if not peer.session.pipeline.admit(peer.tag):
            raise Taken("Another camera is already in use.")

    @staticmethod
    async def _receive_sound(peer: Peer, track: MediaStreamTrack) -> None:
        """Hand sound on as it comes; without a microphone's packets the frames go on alone."""
        async for sound in sounds(track):
            peer.session.pipeline.deliver(peer.tag, sound)

    def _spawn(self, work: object) -> None:
        task = asyncio.ensure_future(work)  # type: ignore[call-overload]
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception():
            logger.error("a connection's task failed", exc_info=task.exception())
