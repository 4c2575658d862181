"""The live command: parts from options, run, stop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from platformdirs import user_config_path

from face.errors import UserError
from face.folders import writable
from face.morphable import MorphableModel
from face.target import PREVIEW, find_target
from face.threads import compute_on_one_thread
from live import logs
from live.device import choose
from live.followed_target import FollowedTarget
from live.frames import Generated
from live.options import Options
from live.outputs import from_options
from live.pipeline import Pipeline
from live.recording.headless import record
from live.recording.output_file import OutputFile
from live.size_choice import load_at
from live.sources.open import SourceSettings, open_source
from live.streaming.http.access import Tokens
from live.streaming.http.links import is_loopback, link, qr_code, reachable_host
from live.streaming.http.preparing import Preparation
from live.streaming.http.server import Server, ServerSettings
from live.streaming.http.serving import listen, serve
from live.streaming.http.tls import self_signed
from live.streaming.webrtc.ice import parse_server
from live.target_gallery import Gallery
from live.target_loading import load_target
from live.trust.marking import Marking
from live.trust.signing import Signing
from live.warm_up import warm_up
from trt_engines.folders import TARGET_FOLDERS
from trt_engines.gpu import Gpu

TOKEN_VARIABLE, VIEW_VARIABLE, ICE_VARIABLE = "HEAD2HEAD_TOKEN", "HEAD2HEAD_VIEW_TOKEN", "HEAD2HEAD_ICE"
PUBLISH_VARIABLE = "HEAD2HEAD_PUBLISH_TOKEN"


def build_pipeline(
    target: str,
    source: str,
    settings: SourceSettings | None = None,
    gpu: Gpu | None = None,
    alone: bool = True,
    marking: Marking | None = None,
    size: int | None = None,
) -> tuple[Pipeline, Path]:
    """Loop for a target and a source named as on the command line, and the target's file.

    Args:
        target: name or file.
        source: as ``open_source`` takes it.
        settings: how to open the source.
        gpu: where to render and generate; ``None`` for the CPU.
        alone: no other loop will run beside it.
        marking: what every image is marked with; by default label and watermark.
        size: of the images, px, as ``load_at`` takes it.

    Raises:
        UserError: either cannot be opened.
    """
    model = MorphableModel.load()
    path = find_target(target, TARGET_FOLDERS)
    loaded = load_at(path, model, gpu, size)
    if marking is not None:
        marking.check(loaded.info)
    return Pipeline(model, loaded, open_source(source, settings), alone=alone, marking=marking), path


def certificate(options: Options) -> tuple[Path, Path] | None:
    """Certificate and key to serve with; ``None`` for plain HTTP.

    Raises:
        UserError: half of them is missing, or cannot be read.
    """
    certificate, key = options.tls_cert, options.tls_key
    if certificate is None and key is None:
        if not options.self_signed:
            return None
        return self_signed(writable(user_config_path("head2head"), "certificates"), options.host)
    if certificate is None or key is None:
        raise UserError("A certificate needs its key: give both --tls-cert and --tls-key.")
    for path in (certificate, key):
        if not os.access(path, os.R_OK):
            raise UserError(f"Cannot read {path}: check --tls-cert and --tls-key.")
    return certificate, key


def server_settings(options: Options, signing: Signing, output: OutputFile | None = None) -> ServerSettings:
    """How to serve, from options and environment.

    Args:
        options: the command's options.
        signing: signs what pages record.
        output: file to record to.

    Raises:
        UserError: an option is not what it should be.
    """
    return ServerSettings(
        tokens=_tokens(options),
        origins=options.allow_origin,
        servers=[parse_server(text) for text in (*options.ice, *os.environ.get(ICE_VARIABLE, "").split())],
        most_viewers=options.max_viewers,
        most_sessions=options.max_sessions,
        bitrate=_bitrate(options),
        udp_ports=_port_range(options.udp_ports),
        publish=_web_address(options.publish),
        publish_token=os.environ.get(PUBLISH_VARIABLE) or None,
        output=output,
        recordings=options.recordings,
        signing=signing,
    )


def _bitrate(options: Options) -> int | None:
    return options.bitrate and options.bitrate * 1000


def _tokens(options: Options) -> Tokens:
    """Tokens that were given; wherever others can connect, made up where they were not.

    Raises:
        UserError: a token cannot be sent by a browser, or there is one for viewers only.
    """
    operator = options.token or os.environ.get(TOKEN_VARIABLE) or None
    viewer = options.view_token or os.environ.get(VIEW_VARIABLE) or None
    for token in filter(None, (operator, viewer)):
        if not (token.isascii() and token.isprintable() and token == token.strip()):
            raise UserError("A token is made of printable ASCII characters, without spaces at its ends.")
    if viewer is not None and viewer == operator:
        raise UserError("Viewers and operators need different tokens: change --token or --view-token.")
    if not is_loopback(options.host):
        viewer = viewer or (secrets.token_urlsafe(16) if operator is None or options.token else None)
        operator = operator or secrets.token_urlsafe(16)
    elif viewer is not None and operator is None:
        raise UserError("With a token for viewers operators need one too: give --token or HEAD2HEAD_TOKEN.")
    return Tokens(operator, viewer)


def _port_range(text: str | None) -> range | None:
    if text is None:
        return None
    first, _, last = text.partition("-")
    if not (first.isdecimal() and last.isdecimal() and 0 < int(first) <= int(last) < 65536):
        raise UserError("--udp-ports wants the first and the last port, as in 50000-50100.")
    return range(int(first), int(last) + 1)


def _web_address(text: str | None) -> str | None:
    if text is not None and not text.startswith(("http://", "https://")):
        raise UserError("--publish wants the http(s) address of a WHIP endpoint.")
    return text


def stop_by_signals(ended: threading.Event) -> None:
    """Have Ctrl-C, a service manager, or a terminal that closes set an event instead of ending the process."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):  # Windows has no SIGHUP
            signal.signal(getattr(signal, name), lambda *_: ended.set())


class Stopper:
    """Sets an event after some frames."""

    def __init__(self, frames: int | None, enough: threading.Event) -> None:
        self._left, self._enough = frames, enough

    def put(self, _: Generated) -> None:
        """Count a frame."""
        if self._left is not None:
            self._left -= 1
            if self._left <= 0:
                self._enough.set()


def _print_links(options: Options, port: int, settings: ServerSettings, secure: bool) -> None:
    """Say what to open: for operators, and for viewers who may only watch. What the environment holds stays there."""
    host, tokens = reachable_host(options.host), settings.tokens
    secret = options.token is None and TOKEN_VARIABLE in os.environ
    print(f"open {link(host, port, secure, None if secret else tokens.operator)}", flush=True)
    if secret:
        print(f"(and give it the token of {TOKEN_VARIABLE})", flush=True)
    if tokens.viewer is not None and not (options.view_token is None and VIEW_VARIABLE in os.environ):
        viewers = link(host, port, secure, tokens.viewer)
        print(f"for viewers: {viewers}", flush=True)
        if sys.stdout.isatty():
            print(*qr_code(viewers), sep="\n", flush=True)
    if not secure and not is_loopback(options.host):
        print("(browsers give their camera to secure pages only: add --self-signed, or --tls-cert)", flush=True)


def prepare(
    options: Options,
    ended: threading.Event,
    closing: contextlib.ExitStack,
    tell: Callable[[str, float], None],
) -> tuple[Pipeline, Gallery]:
    """Everything that is needed to start the loop; may take half a minute.

    Args:
        options: the command's options.
        ended: set when the loop ends, or to end.
        closing: gets what is to be done afterwards.
        tell: called with a sentence and the progress, 0…1.

    Returns:
        the loop, warmed up, and the targets to choose from.

    Raises:
        UserError: something the user can mend; see its text.
    """
    tell("The target is loaded.", 0.1)
    gpu, where = choose(options.device)
    pipeline, path = build_pipeline(
        options.target, options.source, options.source_settings, gpu, options.max_sessions == 1, options.marking(),
        options.size,
    )  # fmt: skip
    pipeline.update(mode=options.mode)
    from_options.attach(options, pipeline, ended, closing)
    pipeline.on_end = ended.set
    pipeline.sinks.append(Stopper(options.frames, ended).put)
    print(f"target: {pipeline.target.title} ({path.name})")
    print(f"generator: {pipeline.loaded.generator.description}")
    print(f"device: {where}")
    print(f"source: {pipeline.source.name}")
    words = "The first start compiles for this CPU, up to half a minute."
    print(f"getting ready: {words}", flush=True)
    warm_up(pipeline, ended, lambda part: tell(words, 0.3 + 0.6 * part))
    if path.name == PREVIEW:
        closing.enter_context(FollowedTarget(path, lambda: load_target(path, pipeline.model, gpu), pipeline.show))
    return pipeline, Gallery(pipeline.model, TARGET_FOLDERS, path, gpu=gpu)


def run(options: Options) -> None:
    """Run the live loop until it ends.

    Raises:
        UserError: something the user can mend; see its text.
    """
    logs.set_up(options.log_json)
    compute_on_one_thread()
    ended = threading.Event()
    signing = Signing(options.c2pa_cert, options.c2pa_key)
    with contextlib.ExitStack() as closing:
        file = from_options.open_file(options, closing)
        settings = server_settings(options, signing, file)
        stop_by_signals(ended)
        if options.no_server:
            pipeline = _run_alone(options, ended, closing, file)
        else:
            bound = closing.enter_context(listen(options.host, options.port))
            server, tls = Server(settings), certificate(options)

            def tell(sentence: str, progress: float) -> None:
                server.preparation = Preparation(sentence, progress)

            _print_links(options, bound.getsockname()[1], settings, tls is not None)
            pipeline = asyncio.run(serve(server, bound, ended, lambda: prepare(options, ended, closing, tell), tls))
        pipeline.stop()
    if file is not None:
        signing.sign(file.path, pipeline.marking.session_id)  # it is finished by now
    if pipeline.error is not None:
        raise pipeline.error


def _run_alone(
    options: Options, ended: threading.Event, closing: contextlib.ExitStack, file: OutputFile | None
) -> Pipeline:
    """Run without a server until the end; gives the loop."""
    pipeline, _ = prepare(options, ended, closing, lambda *_: None)
    if ended.is_set():  # by a signal: the loop has not been started
        raise UserError("Stopped while it was getting ready: no frame was made.")
    if file is not None:
        asyncio.run(record(pipeline, file, _bitrate(options), ended))
    else:
        pipeline.start()
        ended.wait()
    return pipeline
