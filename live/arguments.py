"""The live command's arguments: the only place that parses them."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from pathlib import Path

from face.retarget import Mode
from live.device import Device
from live.options import Options
from live.trust.label import Place


def parse(words: list[str] | None = None) -> Options:
    """Options from a command line, the process's own by default; a wrong one ends the process with a sentence."""
    return Options(**vars(_parser().parse_args(words)))


def _parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(description="A person before a camera moves another person in a browser.")
    _add_what(top.add_argument_group("what is shown"))
    _add_camera(top.add_argument_group("the camera"))
    _add_label(top.add_argument_group("the label on every image"))
    _add_outputs(top.add_argument_group("where it goes"))
    _add_network(top.add_argument_group("for other machines"))
    about = top.add_argument_group("about this machine")
    about.add_argument("--log-json", action="store_true", help="log one JSON object a line")
    about.add_argument("--doctor", action="store_true", help="say what this machine has and what would be used")
    return top


def _add_what(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--target", default=Options.target, metavar="NAME|FILE",
                       help="who is shown: a target's name (see --doctor), or its file (default: demo)")  # fmt: skip
    group.add_argument("--source", default=Options.source, metavar="SOURCE",
                       help="who moves it: auto (the first webcam, else the demo clip), camera:N, a video or photo "
                            "FILE, browser, or demo; list names the cameras (default: auto)")  # fmt: skip
    group.add_argument("--mode", type=Mode, choices=list(Mode), default=Options.mode,
                       help="head: the source's head motion; face: the target's own (default: head)")  # fmt: skip
    group.add_argument("--device", type=Device, choices=list(Device), default=Options.device,
                       help="where images are rendered and generated: an NVIDIA GPU where one can be used, or the CPU "
                            "(default: auto)")  # fmt: skip
    group.add_argument("--size", type=_pixels, metavar="PX|auto", default=Options.size,
                       help="height and width of the image where a target has several, e.g. 256 or 512; auto measures "
                            "at start which this machine sustains at 25 fps (default: auto)")  # fmt: skip


def _add_camera(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--camera-size", type=_size, metavar="WxH", help="e.g. 1280x720 (default: the camera's own)")
    group.add_argument("--camera-fps", type=_number(1, 240), metavar="N", help="(default: the camera's own)")
    group.add_argument("--rotate", type=int, choices=[0, 90, 180, 270], default=Options.rotate,
                       help="turn the source's images clockwise (default: 0)")  # fmt: skip
    group.add_argument("--mirror", action="store_true", help="exchange their left and right")


def _add_label(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--label-text", default=Options.label_text, metavar="TEXT",
                       help=f"its words (default: {Options.label_text})")  # fmt: skip
    group.add_argument("--label-place", type=Place, choices=list(Place), default=Options.label_place,
                       help=f"its corner (default: {Options.label_place})")  # fmt: skip
    group.add_argument("--label-size", type=_number(3, 30), default=Options.label_size, metavar="PERCENT",
                       help=f"its letters' height, of the image's (default: {Options.label_size})")  # fmt: skip
    group.add_argument("--no-label", action="store_true",
                       help="leave it off; only where the target's consent record allows it")  # fmt: skip


def _add_outputs(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--host", default=Options.host, help="address to serve on (default: 127.0.0.1)")
    group.add_argument("--port", type=_number(0, 65535), default=Options.port, help="port to serve on (default: 8080)")
    group.add_argument("--no-server", action="store_true", help="serve no page")
    group.add_argument("--output", type=Path, metavar="FILE.mp4",
                       help="record what is sent, with its sound; - writes Y4M to standard output")  # fmt: skip
    group.add_argument("--overwrite", action="store_true", help="replace the --output file if it exists")
    group.add_argument("--recordings", type=Path, default=Options.recordings, metavar="FOLDER",
                       help="where the page's recordings go (default: Head2Head in your videos)")  # fmt: skip
    group.add_argument("--virtual-camera", action="store_true", help="be a camera for other programs, too")
    group.add_argument("--c2pa-cert", type=Path, metavar="FILE",
                       help="certificate to sign the --output file with (default: one for tests)")  # fmt: skip
    group.add_argument("--c2pa-key", type=Path, metavar="FILE", help="its key")
    group.add_argument("--frames", type=_number(1), metavar="N", help="stop after N frames")


def _add_network(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--token", help="what operators must show; wherever others can connect one is made up if none "
                                       "is given (also HEAD2HEAD_TOKEN)")  # fmt: skip
    group.add_argument("--view-token", metavar="TOKEN",
                       help="what viewers must show, who may watch and change nothing; made up likewise (also "
                            "HEAD2HEAD_VIEW_TOKEN)")  # fmt: skip
    group.add_argument("--tls-cert", type=Path, metavar="FILE", help="certificate to serve by https with")
    group.add_argument("--tls-key", type=Path, metavar="FILE", help="its key")
    group.add_argument("--self-signed", action="store_true", help="make a certificate for a local network")
    group.add_argument("--allow-origin", action="append", default=[], metavar="URL",
                       help="a page of another address that may use this server; may be repeated")  # fmt: skip
    group.add_argument("--ice", action="append", default=[], metavar="SERVER",
                       help="stun:HOST:PORT or turn:USER:PASSWORD@HOST:PORT; may be repeated (also HEAD2HEAD_ICE); "
                            "default: none")  # fmt: skip
    group.add_argument("--udp-ports", metavar="A-B",
                       help="ports that media may use, one for each connection and address of this machine "
                            "(default: any)")  # fmt: skip
    group.add_argument("--publish", metavar="URL",
                       help="also send the stream by WHIP to an SFU (its token: HEAD2HEAD_PUBLISH_TOKEN)")  # fmt: skip
    group.add_argument("--max-viewers", type=_number(1), default=Options.max_viewers, metavar="N",
                       help="(default: 100)")  # fmt: skip
    group.add_argument("--max-sessions", type=_number(1), default=Options.max_sessions, metavar="N",
                       help="give each publisher a loop of its own, up to N; with 1 a publisher takes the place of the "
                            "source (default: 1)")  # fmt: skip
    group.add_argument("--bitrate", type=_number(1), metavar="KBIT",
                       help="of the video, per second (default: 600 at 256 px, more for larger ones)")  # fmt: skip


def _pixels(text: str) -> int | None:
    return None if text == "auto" else _number(1)(text)


def _number(low: int, high: int | None = None) -> Callable[[str], int]:
    """Reads a whole number of a range."""

    def read(text: str) -> int:
        if not text.isdecimal() or int(text) < low or (high is not None and int(text) > high):
            raise argparse.ArgumentTypeError(
                f"a number of at least {low} is needed" if high is None else f"a number from {low} to {high} is needed"
            )
        return int(text)

    return read


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([1-9]\d{1,4})x([1-9]\d{1,4})", text)
    if match is None:
        raise argparse.ArgumentTypeError("width and height are needed, like 1280x720")
    return int(match[1]), int(match[2])
