"""WebRTC peers: viewers (WHEP) and the browser's camera (WHIP)."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid

from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from av import Packet, VideoFrame

from live.frames import Frame
from live.pipeline import Pipeline
from live.streaming import aiortc_patches
from live.streaming.encoder import SharedEncoder, Subscription

_CONNECT_TIMEOUT_S = 15.0
logger = logging.getLogger(__name__)


class BadOffer(Exception):
    """The peer's offer cannot be answered; the text says why."""


class PacketTrack(MediaStreamTrack):
    """A viewer's track: packets of the shared encoder, from the first key frame after the viewer connected."""

    kind = "video"

    def __init__(self, encoder: SharedEncoder) -> None:
        super().__init__()
        self._encoder = encoder
        self._subscription: Subscription | None = None

    async def recv(self) -> Packet:
        """The next packet. aiortc calls this only once the connection stands, so nothing piles up before."""
        if self.readyState != "live":
            raise MediaStreamError
        if self._subscription is None:
            self._subscription = self._encoder.subscribe()
        return await self._subscription.next()

    def stop(self) -> None:
        """The viewer has gone."""
        super().stop()
        if self._subscription is not None:
            self._encoder.unsubscribe(self._subscription)


class Peers:
    """All connections of the server."""

    def __init__(self, pipeline: Pipeline, encoder: SharedEncoder) -> None:
        aiortc_patches.install()
        self._pipeline, self._encoder = pipeline, encoder
        self._connections: dict[str, RTCPeerConnection] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def view(self, offer: str) -> tuple[str, str]:
        """Answer a viewer: id of the connection and the SDP.

        Raises:
            BadOffer: the offer is no SDP, or asks for no video that can be sent.
        """
        key, connection = self._open()
        try:
            # Before the offer is taken: aiortc settles on a codec as it reads the offer.
            transceiver = connection.addTransceiver(PacketTrack(self._encoder), direction="sendonly")
            codecs = RTCRtpSender.getCapabilities("video").codecs
            transceiver.setCodecPreferences([c for c in codecs if c.mimeType in ("video/H264", "video/rtx")])
            await self._take_offer(connection, offer)
            if transceiver.mid is None:
                raise BadOffer("The offer asks for no video.")
            aiortc_patches.on_keyframe_request(transceiver.sender, self._encoder.request_keyframe)
            return key, await self._answer(connection)
        except BaseException:
            await self._close(key)
            raise

    async def publish(self, offer: str) -> tuple[str, str]:
        """Take a camera in place of the source: id of the connection and the SDP.

        Raises:
            BadOffer: the offer is no SDP, brings no video, or another camera is already there.
        """
        key, connection = self._open()
        try:
            await self._take_offer(connection, offer)
            transceiver = next((t for t in connection.getTransceivers() if t.kind == "video"), None)
            if transceiver is None:
                raise BadOffer("The offer brings no video.")
            if not self._pipeline.admit(key):
                raise BadOffer("Another camera is already in use.")
            aiortc_patches.emit_on_marker(transceiver.receiver)
            self._spawn(self._receive(key, transceiver.receiver.track))
            return key, aiortc_patches.with_start_bitrate(await self._answer(connection))
        except BaseException:
            self._pipeline.dismiss(key)
            await self._close(key)
            raise

    async def close(self, key: str) -> bool:
        """End one connection; ``False`` if there is none of that id."""
        if key not in self._connections:
            return False
        await self._close(key)
        return True

    async def close_all(self) -> None:
        """End every connection."""
        await asyncio.gather(*(self._close(key) for key in list(self._connections)))
        for task in list(self._tasks):
            task.cancel()

    def _open(self) -> tuple[str, RTCPeerConnection]:
        key = uuid.uuid4().hex
        connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._connections[key] = connection

        @connection.on("connectionstatechange")
        async def changed() -> None:
            if connection.connectionState in ("failed", "closed"):
                await self._close(key)

        self._spawn(self._expire(key, connection))
        return key, connection

    async def _expire(self, key: str, connection: RTCPeerConnection) -> None:
        """Drop a peer that never connects; aiortc would keep it for ever."""
        await asyncio.sleep(_CONNECT_TIMEOUT_S)
        if connection.connectionState != "connected":
            await self._close(key)

    async def _close(self, key: str) -> None:
        connection = self._connections.pop(key, None)
        if connection is not None:
            self._pipeline.dismiss(key)
            for sender in connection.getSenders():
                if sender.track is not None:
                    sender.track.stop()
            await connection.close()

    @staticmethod
    async def _take_offer(connection: RTCPeerConnection, offer: str) -> None:
        try:
            description = RTCSessionDescription(aiortc_patches.without_mdns(offer), "offer")
            await connection.setRemoteDescription(description)
        except Exception as error:  # aiortc's parser raises whatever its code runs into
            raise BadOffer(f"The offer cannot be read: {error!r}") from None

    @staticmethod
    async def _answer(connection: RTCPeerConnection) -> str:
        aiortc_patches.answer_passively(connection)
        try:
            await connection.setLocalDescription(await connection.createAnswer())
        except Exception as error:
            raise BadOffer(f"The offer cannot be answered: {error!r}") from None
        return connection.localDescription.sdp

    async def _receive(self, key: str, track: MediaStreamTrack) -> None:
        """Hand the newest frame on; an unread track would queue without bound."""
        number = 0
        try:
            while True:
                frame = await track.recv()
                queue = getattr(track, "_queue", None)
                while queue is not None and not queue.empty():
                    frame = await track.recv()
                assert isinstance(frame, VideoFrame)
                captured_s = time.monotonic()
                image = await asyncio.to_thread(frame.to_ndarray, format="rgb24")
                self._pipeline.deliver(key, Frame(image, captured_s, number))
                number += 1
        except MediaStreamError:
            pass
        finally:
            await self._close(key)

    def _spawn(self, work: object) -> None:
        task = asyncio.ensure_future(work)  # type: ignore[call-overload]
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception():
            logger.error("a connection's task failed", exc_info=task.exception())
