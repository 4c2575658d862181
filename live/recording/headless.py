"""Recording without a server."""

from __future__ import annotations

import asyncio
import threading

from face.errors import UserError
from live.pipeline import Pipeline
from live.recording.output_file import OutputFile
from live.recording.recorder import Recorder
from live.streaming.media.codecs import h264_encoder
from live.streaming.session import Session


async def record(pipeline: Pipeline, file: OutputFile, bitrate: int | None, ended: threading.Event) -> None:
    """Run a loop and record it until it ends.

    Args:
        pipeline: the loop, not started.
        file: where to.
        bitrate: of the video, bits per second; ``None`` for what its size wants.
        ended: set when the loop has ended, or to end; set, too, when recording fails.

    Raises:
        UserError: recording failed; the text says why.
    """
    await asyncio.to_thread(h264_encoder)  # a first search takes seconds, in which frames would be lost
    session = Session(pipeline, asyncio.get_running_loop(), bitrate, drop=False)  # every frame counts
    recorder = Recorder(session, file, lambda _: ended.set())
    pipeline.start()
    await asyncio.to_thread(ended.wait)
    # In the frames' order, so that the last ones are encoded and handed on before the file is finished.
    await asyncio.to_thread(pipeline.stop)
    await session.close()
    await recorder.close()
    if recorder.failure is not None:
        raise UserError(recorder.failure)
