"""Loops and what their viewers receive: the main loop, and one for each further publisher."""

from __future__ import annotations

import asyncio
import functools
import logging
import secrets
from collections.abc import Awaitable, Callable

from face.errors import UserError
from live.frames import Generated
from live.pipeline import Pipeline
from live.sources.browser import NoSource
from live.streaming.media.audio_relay import SoundRelay
from live.streaming.media.codecs import Codec
from live.streaming.media.video_encoder import SharedEncoder

logger = logging.getLogger(__name__)


class NoRoom(Exception):
    """There are as many sessions as the server admits, or the machine holds; the text says which."""


class Session:
    """One loop, its frames encoded once for each codec that somebody watches, its sound encoded once.

    Args:
        pipeline: the loop.
        loop: the event loop of its viewers.
        bitrate: of the video, bits per second; ``None`` for what their size wants.
        key: what its addresses begin with, after ``/sessions/``; cannot be guessed. Empty for the main session.
        drop: a frame replaces one that still waits to be encoded (live). Otherwise the loop waits.
    """

    def __init__(
        self, pipeline: Pipeline, loop: asyncio.AbstractEventLoop, bitrate: int | None, key: str = "",
        drop: bool = True,
    ) -> None:  # fmt: skip
        self.pipeline, self.key, self._drop = pipeline, key, drop
        self._loop, self._bitrate = loop, bitrate
        self._encoders: dict[Codec, SharedEncoder] = {}
        self.jpeg_viewers = 0  # who watch without WebRTC
        self.sound = SoundRelay(loop, pipeline.metrics)
        self.on_close: list[Callable[[], Awaitable[None]]] = []  # done first, while all still runs
        pipeline.sinks.append(self._put)
        pipeline.sound_sinks.append(self.sound.put)

    def encoder(self, codec: Codec) -> SharedEncoder:
        """The encoder of a codec, started when it is first asked for."""
        if codec not in self._encoders:
            fail = functools.partial(self.pipeline.fail, f"encode {codec}")
            self._encoders[codec] = SharedEncoder(
                self._loop, self.pipeline.metrics, fail, codec, self._bitrate, newest=lambda: self.pipeline.latest,
                drop=self._drop,
            )  # fmt: skip
        return self._encoders[codec]

    @property
    def viewers(self) -> int:
        """How many receive frames."""
        return self.jpeg_viewers + sum(encoder.viewers for encoder in self._encoders.values())

    async def close(self) -> None:
        """Stop what this started; the loop itself goes on."""
        await asyncio.gather(*(action() for action in self.on_close))
        self.pipeline.sinks.remove(self._put)
        self.pipeline.sound_sinks.remove(self.sound.put)
        self.sound.close()
        # Their threads may be amid a frame, for which everybody's connection would have to wait.
        await asyncio.gather(*(asyncio.to_thread(encoder.close) for encoder in self._encoders.values()))

    def _put(self, generated: Generated) -> None:
        for encoder in list(self._encoders.values()):
            encoder.put(generated)


class Sessions:
    """The main session, and those of publishers.

    With room for one, a publisher takes the place of the main loop's source. With room for more, each publisher gets
    a loop of its own, which shares the network with the main one; the one-slot mailboxes between its stages drop what
    comes too fast, so that under load every loop keeps its share of the CPU and its newest frames.

    Args:
        pipeline: the main loop, which runs.
        loop: the event loop of all viewers.
        bitrate: of the video, bits per second; ``None`` for what their size wants.
        most: how many publishers there may be.
    """

    def __init__(self, pipeline: Pipeline, loop: asyncio.AbstractEventLoop, bitrate: int | None, most: int = 1) -> None:
        self._loop, self._bitrate, self._most = loop, bitrate, most
        self.main = Session(pipeline, loop, bitrate)
        self._others: dict[str, Session] = {}
        self._coming = 0  # being built

    def find(self, key: str) -> Session | None:
        """A session by its key; the main one for none."""
        return self._others.get(key) if key else self.main

    def all(self) -> list[Session]:
        """Every session, the main one first."""
        return [self.main, *self._others.values()]

    async def for_publisher(self) -> Session:
        """The session that a new publisher feeds.

        Raises:
            NoRoom: there are as many as there may be, or the GPU has no room for another.
        """
        if self._most == 1:
            return self.main
        if len(self._others) + self._coming >= self._most:
            raise NoRoom(f"There are {self._most} sessions, as many as this server admits: try again later.")
        self._coming += 1
        try:
            pipeline = await asyncio.to_thread(self._another)
        except UserError as error:
            logger.warning("no further session can be opened: %s", error)
            raise NoRoom("There is no room for another session here: try again later.") from None
        finally:
            self._coming -= 1
        session = Session(pipeline, self._loop, self._bitrate, secrets.token_urlsafe(12))
        self._others[session.key] = session
        pipeline.start()
        return session

    def _another(self) -> Pipeline:
        main = self.main.pipeline
        return Pipeline(main.model, main.loaded.clone(), NoSource(), alone=False, marking=main.marking.clone())

    async def end(self, session: Session) -> None:
        """A publisher has gone, or its loop has failed: its session ends, unless it is the main one."""
        if self._others.pop(session.key, None) is not None:
            await session.close()
            await asyncio.to_thread(session.pipeline.stop)
            if session.pipeline.error is not None:
                logger.error("a session ended: %s", session.pipeline.error, exc_info=session.pipeline.error.__cause__)

    async def close(self) -> None:
        """End all; the main loop goes on."""
        await asyncio.gather(*(self.end(session) for session in list(self._others.values())))
        await self.main.close()
