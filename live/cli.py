"""Entry point of the live command: errors are one sentence and a non-zero exit status."""

from __future__ import annotations

import os
import signal
import sys

from face.errors import UserError


def main(words: list[str] | None = None) -> int:
    """Run; returns the exit status.

    Until the loop handles signals itself, Ctrl-C ends the process at once: libraries that are interrupted while they
    load fail in many ways.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from live.arguments import parse
    from live.streaming.webrtc import aiortc_version
    from trt_engines.gpu import GpuLost

    options = parse(words)
    try:
        aiortc_version.check()
        if options.doctor:
            from live.doctor import report

            return report(options)
        if options.source == "list":
            from live.sources.camera import describe_cameras

            print("\n".join(describe_cameras()) or "no camera")
            return 0
        from live.app import run

        run(options)
    except GpuLost as error:
        print(error, file=sys.stderr, flush=True)
        sys.stdout.flush()
        os._exit(1)  # all is closed, and CUDA would complain of every buffer that it cannot free
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    return 0
