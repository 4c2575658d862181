"""The live command: parts from options, run, stop."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import secrets
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from face.errors import UserError
from face.morphable import MorphableModel
from face.retarget import Mode
from face.target import find_target
from face.threads import compute_on_one_thread
from live import logs
from live.device import Device, choose
from live.frames import Generated
from live.pipeline import Pipeline
from live.recorder import Recorder
from live.sources.open import open_source
from live.streaming.http.access import Tokens
from live.streaming.http.links import is_loopback, link, qr_code, reachable_host
from live.streaming.http.preparing import Preparation
from live.streaming.http.server import Server, ServerSettings
from live.streaming.http.serving import listen, serve
from live.streaming.http.tls import self_signed
from live.streaming.webrtc.ice import parse_server
from live.target_gallery import Gallery
from live.target_loading import load_target
from live.warm_up import warm_up
from trt_engines.folders import TARGET_FOLDERS
from trt_engines.gpu import Gpu

CERTIFICATES = Path.home() / ".config" / "head2head"
TOKEN_VARIABLE, VIEW_VARIABLE, ICE_VARIABLE = "HEAD2HEAD_TOKEN", "HEAD2HEAD_VIEW_TOKEN", "HEAD2HEAD_ICE"
PUBLISH_VARIABLE = "HEAD2HEAD_PUBLISH_TOKEN"


def build_pipeline(
    target: str,
    source: str,
    size: int | None = None,
    live: bool = True,
    gpu: Gpu | None = None,
    alone: bool = True,
) -> tuple[Pipeline, Path]:
    """Loop for a target and a source named as on the command line, and the target's file.

    ``alone`` says that no other loop will run beside it.

    Raises:
        UserError: either cannot be opened, or the target is of another size.
    """
    model = MorphableModel.load()
    path = find_target(target, TARGET_FOLDERS)
    loaded = load_target(path, model, gpu)
    if size not in (None, loaded.info.size):
        raise UserError(f"The target {path} makes images of {loaded.info.size} px: leave --size out or train it anew.")
    return Pipeline(model, loaded, open_source(source, paced=live, loop=live), live, alone), path


def certificate(arguments: argparse.Namespace) -> tuple[Path, Path] | None:
    """Certificate and key to serve with; ``None`` for plain HTTP.

    Raises:
        UserError: half of them is missing, or cannot be read.
    """
    given = arguments.tls_cert, arguments.tls_key
    if any(given):
        if not all(given):
            raise UserError("A certificate needs its key: give both --tls-cert and --tls-key.")
        for path in given:
            if not os.access(path, os.R_OK):
                raise UserError(f"Cannot read {path}: check --tls-cert and --tls-key.")
        return arguments.tls_cert, arguments.tls_key
    return self_signed(CERTIFICATES, arguments.host) if arguments.self_signed else None


def server_settings(arguments: argparse.Namespace) -> ServerSettings:
    """How to serve, from options and environment.

    Raises:
        UserError: an option is not what it should be.
    """
    return ServerSettings(
        tokens=_tokens(arguments),
        origins=arguments.allow_origin,
        servers=[parse_server(text) for text in (*arguments.ice, *os.environ.get(ICE_VARIABLE, "").split())],
        most_viewers=arguments.max_viewers,
        most_sessions=arguments.max_sessions,
        bit_rate=arguments.bitrate and arguments.bitrate * 1000,
        publish=_web_address(arguments.publish),
        publish_token=os.environ.get(PUBLISH_VARIABLE) or None,
    )


def _tokens(arguments: argparse.Namespace) -> Tokens:
    """Tokens that were given; wherever others can connect, made up where they were not.

    Raises:
        UserError: a token cannot be sent by a browser, or there is one for viewers only.
    """
    operator = arguments.token or os.environ.get(TOKEN_VARIABLE) or None
    viewer = arguments.view_token or os.environ.get(VIEW_VARIABLE) or None
    for token in filter(None, (operator, viewer)):
        if not (token.isascii() and token.isprintable() and token == token.strip()):
            raise UserError("A token is made of printable ASCII characters, without spaces at its ends.")
    if viewer is not None and viewer == operator:
        raise UserError("Viewers and operators need different tokens: change --token or --view-token.")
    if not is_loopback(arguments.host):
        viewer = viewer or (secrets.token_urlsafe(16) if operator is None or arguments.token else None)
        operator = operator or secrets.token_urlsafe(16)
    elif viewer is not None and operator is None:
        raise UserError("With a token for viewers operators need one too: give --token or HEAD2HEAD_TOKEN.")
    return Tokens(operator, viewer)


def _web_address(text: str | None) -> str | None:
    if text is not None and not text.startswith(("http://", "https://")):
        raise UserError("--publish wants the http(s) address of a WHIP endpoint.")
    return text


class Stopper:
    """Sets an event after some pictures."""

    def __init__(self, frames: int | None, enough: threading.Event) -> None:
        self._left, self._enough = frames, enough

    def put(self, _: Generated) -> None:
        """Count a picture."""
        if self._left is not None:
            self._left -= 1
            if self._left <= 0:
                self._enough.set()


def _print_links(arguments: argparse.Namespace, port: int, settings: ServerSettings, secure: bool) -> None:
    """Say what to open: for operators, and for viewers who may only watch. What the environment holds stays there."""
    host, tokens = reachable_host(arguments.host), settings.tokens
    secret = arguments.token is None and TOKEN_VARIABLE in os.environ
    print(f"open {link(host, port, secure, None if secret else tokens.operator)}", flush=True)
    if secret:
        print(f"(and give it the token of {TOKEN_VARIABLE})", flush=True)
    if tokens.viewer is not None and not (arguments.view_token is None and VIEW_VARIABLE in os.environ):
        viewers = link(host, port, secure, tokens.viewer)
        print(f"for viewers: {viewers}", flush=True)
        if sys.stdout.isatty():
            print(*qr_code(viewers), sep="\n", flush=True)
    if not secure and not is_loopback(arguments.host):
        print("(browsers give their camera to secure pages only: add --self-signed, or --tls-cert)", flush=True)


def prepare(
    arguments: argparse.Namespace,
    ended: threading.Event,
    closing: contextlib.ExitStack,
    tell: Callable[[str, float], None],
) -> tuple[Pipeline, Gallery]:
    """Everything that is needed to start the loop; may take half a minute.

    Args:
        arguments: the command's options.
        ended: set when the loop ends, or to end.
        closing: gets what is to be done afterwards.
        tell: called with a sentence and the progress, 0…1.

    Returns:
        the loop, warmed up, and the targets to choose from.

    Raises:
        UserError: something the user can mend; see its text.
    """
    tell("The target is loaded.", 0.1)
    gpu, where = choose(Device(arguments.device))
    pipeline, path = build_pipeline(
        arguments.target, arguments.source, arguments.size, gpu=gpu, alone=arguments.max_sessions == 1
    )
    pipeline.update(mode=Mode(arguments.mode))
    if arguments.output:
        recorder = Recorder(arguments.output)
        closing.callback(recorder.close)
        pipeline.sinks.append(recorder.put)
    pipeline.on_end = ended.set
    pipeline.sinks.append(Stopper(arguments.frames, ended).put)
    print(f"target: {pipeline.target.title} ({path.name})")
    print(f"generator: {pipeline.loaded.generator.description}")
    print(f"device: {where}")
    print(f"source: {pipeline.source.name}")
    words = "The first start compiles for this CPU, up to half a minute."
    print(f"getting ready: {words}", flush=True)
    warm_up(pipeline, ended, lambda part: tell(words, 0.3 + 0.6 * part))
    return pipeline, Gallery(pipeline.model, TARGET_FOLDERS, path, gpu=gpu)


def run(arguments: argparse.Namespace) -> None:
    """Run the live loop until it ends.

    Raises:
        UserError: something the user can mend; see its text.
    """
    logs.set_up(arguments.log_json)
    compute_on_one_thread()
    settings = server_settings(arguments)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with contextlib.ExitStack() as closing:
        if arguments.no_server:
            pipeline, _ = prepare(arguments, ended, closing, lambda *_: None)
            pipeline.start()
            ended.wait()
        else:
            bound = closing.enter_context(listen(arguments.host, arguments.port))
            server, tls = Server(settings), certificate(arguments)

            def tell(sentence: str, progress: float) -> None:
                server.preparation = Preparation(sentence, progress)

            _print_links(arguments, bound.getsockname()[1], settings, tls is not None)
            pipeline = asyncio.run(serve(server, bound, ended, lambda: prepare(arguments, ended, closing, tell), tls))
        pipeline.stop()
        if pipeline.error is not None:
            raise pipeline.error
