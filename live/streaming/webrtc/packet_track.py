"""A viewer's tracks: packets that were encoded once for all viewers."""

from __future__ import annotations

from typing import Protocol

from aiortc import MediaStreamTrack, RTCPeerConnection
from aiortc.mediastreams import MediaStreamError
from aiortc.rtcrtptransceiver import RTCRtpTransceiver
from av import Packet

from live.streaming.media.codecs import Codec
from live.streaming.media.video_encoder import Subscription
from live.streaming.session import Session
from live.streaming.webrtc import aiortc_patches, keyframe_requests
from live.streaming.webrtc.offer import Unacceptable


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


def feed_frames(transceiver: RTCRtpTransceiver, session: Session) -> None:
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
    keyframe_requests.on_keyframe_request(transceiver.sender, encoder.request_keyframe)


async def hang_up(connection: RTCPeerConnection) -> None:
    """End a connection and what it subscribed to."""
    for sender in connection.getSenders():
        if sender.track is not None:
            sender.track.stop()
    await aiortc_patches.close(connection)
