"""The live command line: the only place that parses it."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from face.retarget import Mode
from live.device import Device


def parser() -> argparse.ArgumentParser:
    """All options, grouped."""
    top = argparse.ArgumentParser(description="A person before a camera moves another person in a browser.")
    what = top.add_argument_group("what is shown")
    what.add_argument("--target", default="demo", metavar="NAME|FILE",
                      help="who is shown: a target's name (see --doctor) or a target file (default: demo)")  # fmt: skip
    what.add_argument("--source", default="auto", metavar="SOURCE",
                      help="who moves it: auto (the first webcam, else the demo clip), camera:N, a video FILE, "
                           "browser, or demo (default: auto)")  # fmt: skip
    what.add_argument("--mode", choices=[m.value for m in Mode], default=Mode.HEAD.value,
                      help="head: the source's head motion; face: the target's own (default: head)")  # fmt: skip
    what.add_argument("--device", choices=[d.value for d in Device], default=Device.AUTO.value,
                      help="where pictures are drawn and generated: an NVIDIA GPU where one can be used, or the "
                           "processor (default: auto)")  # fmt: skip
    what.add_argument("--size", type=int, metavar="PX", help="height and width of the picture; must be the target's")
    where = top.add_argument_group("where it goes")
    where.add_argument("--host", default="127.0.0.1", help="address to serve on (default: 127.0.0.1)")
    where.add_argument("--port", type=int, default=8080, help="port to serve on (default: 8080)")
    where.add_argument("--no-server", action="store_true", help="serve no page")
    where.add_argument("--output", type=Path, metavar="FILE.mp4", help="record what is sent")
    where.add_argument("--frames", type=_positive, metavar="N", help="stop after N pictures")
    net = top.add_argument_group("for other machines")
    net.add_argument("--token", help="what operators must show; wherever others can connect one is made up if none is "
                                     "given (also HEAD2HEAD_TOKEN)")  # fmt: skip
    net.add_argument("--view-token", metavar="TOKEN",
                     help="what viewers must show, who may watch and change nothing; made up likewise (also "
                          "HEAD2HEAD_VIEW_TOKEN)")  # fmt: skip
    net.add_argument("--tls-cert", type=Path, metavar="FILE", help="certificate to serve by https with")
    net.add_argument("--tls-key", type=Path, metavar="FILE", help="its key")
    net.add_argument("--self-signed", action="store_true", help="make a certificate for a local network")
    net.add_argument("--allow-origin", action="append", default=[], metavar="URL",
                     help="a page of another address that may use this server; may be repeated")  # fmt: skip
    net.add_argument("--ice", action="append", default=[], metavar="SERVER",
                     help="stun:HOST:PORT or turn:USER:PASSWORD@HOST:PORT; may be repeated (also HEAD2HEAD_ICE); "
                          "default: none")  # fmt: skip
    net.add_argument("--publish", metavar="URL",
                     help="also send the stream by WHIP to an SFU (its token: HEAD2HEAD_PUBLISH_TOKEN)")  # fmt: skip
    net.add_argument("--max-viewers", type=_positive, default=100, metavar="N", help="(default: 100)")
    net.add_argument("--max-sessions", type=_positive, default=1, metavar="N",
                     help="give each publisher a loop of its own, up to N; with 1 a publisher takes the place of the "
                          "source (default: 1)")  # fmt: skip
    net.add_argument("--bitrate", type=_positive, metavar="KBIT",
                     help="of the pictures, per second (default: 500 at 256 px, more for larger ones)")  # fmt: skip
    about = top.add_argument_group("about this machine")
    about.add_argument("--log-json", action="store_true", help="log one JSON object a line")
    about.add_argument("--doctor", action="store_true", help="say what this machine has and what would be used")
    return top


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError("a number of at least 1 is needed")
    return int(text)


def main(words: list[str] | None = None) -> int:
    """Run; returns the exit status."""
    arguments = parser().parse_args(words)
    from face.errors import UserError
    from live.streaming.webrtc import aiortc_version
    from trt_engines.gpu import GpuLost

    try:
        aiortc_version.check()
        if arguments.doctor:
            from live.doctor import report

            return report(arguments.target, arguments.source)
        from live.app import run

        run(arguments)
    except GpuLost as error:
        print(error, file=sys.stderr, flush=True)
        sys.stdout.flush()
        os._exit(1)  # all is closed, and CUDA would complain of every buffer that it cannot free
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0
