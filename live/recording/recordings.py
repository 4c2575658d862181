"""The recordings that a server makes: one at a time of each session."""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path

from face.errors import UserError
from face.folders import writable
from live.recording.output_file import OutputFile
from live.recording.recorder import Recorder
from live.streaming.session import Session
from live.trust.signing import Signing

logger = logging.getLogger(__name__)


class Recordings:
    """Starts, stops and finds recordings; lives on the event loop.

    Args:
        folder: where those go that the page asks for.
        signing: signs those when they are finished; ``None`` leaves them unsigned.
    """

    def __init__(self, folder: Path, signing: Signing | None = None) -> None:
        self._folder, self._signing = folder, signing
        self._recorders: dict[str, Recorder] = {}  # the last of each session, by its key
        self._paths: dict[str, Path] = {}
        self._unsigned: set[Path] = set()  # --output is signed by who asked for it

    def start(self, session: Session, file: OutputFile | None = None) -> None:
        """Record a session, by default to a new file that has the target's name and the time.

        Raises:
            UserError: it is being recorded, or the file cannot be written.
        """
        if (former := self._recorders.get(session.key)) is not None and former.active:
            raise UserError(f"This is being recorded to {former.path.name}: stop that first.")
        if file is None:
            name = f"{session.pipeline.target.name} {time.strftime('%Y-%m-%d %H.%M.%S')}.mp4"
            file = OutputFile(writable(self._folder, "recordings") / name)
            self._unsigned.add(file.path)
        recorder = Recorder(session, file)
        self._recorders[session.key] = recorder
        self._paths[file.path.name] = file.path
        if former is None:
            session.on_close.append(lambda: self.stop(session))

    async def stop(self, session: Session) -> None:
        """Finish a session's recording, if there is one."""
        recorder = self._recorders.get(session.key)
        if recorder is None:
            return
        await recorder.close()
        if self._signing is None or recorder.path not in self._unsigned:
            return
        self._unsigned.discard(recorder.path)
        try:
            await asyncio.to_thread(self._signing.sign, recorder.path, session.pipeline.marking.session_id)
        except UserError as error:
            logger.warning("The recording %s is not signed: %s", recorder.path, error)

    def describe(self, session: Session) -> dict[str, object] | None:
        """The session's last recording for the page, ``recording`` in ``live_schema.json``."""
        recorder = self._recorders.get(session.key)
        if recorder is None:
            return None
        return {
            "name": recorder.path.name,
            "active": recorder.active,
            "seconds": round(recorder.duration_s, 1),
            "bytes": recorder.size,
            "failure": recorder.failure,
        }

    def find(self, name: str) -> Path | None:
        """A recording of this run by its file's name."""
        return self._paths.get(name)
