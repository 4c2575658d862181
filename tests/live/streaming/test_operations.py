"""What operators see: probes, metrics, logs, and an end that is announced."""

from __future__ import annotations

import asyncio
import json
import logging
import threading

import httpx
import pytest
import websockets
from live_parts import NmfcGenerator, pipeline
from live_serving import serving
from prometheus_client.parser import text_string_to_metric_families

from face.errors import UserError
from live import logs
from live.sources.browser import NoSource
from live.sources.video_file import DEMO_CLIP, FileSource
from live.target_gallery import Gallery
from trt_engines.folders import SHIPPED

pytestmark = pytest.mark.server


def test_metrics_are_those_of_the_loop(model, module_target):
    loop = pipeline(model, module_target, FileSource(DEMO_CLIP), drop=True)
    enough = threading.Event()
    loop.sinks.append(lambda _: loop.metrics.counts().get("out", 0) >= 10 and enough.set())
    with serving(loop) as address:
        assert enough.wait(60)
        text = httpx.get(f"{address}/metrics").text
    families = {family.name: family for family in text_string_to_metric_families(text)}
    out = families["head2head_frames_out"].samples[0].value
    assert out >= 10
    tracked = [s for s in families["head2head_stage_seconds"].samples if s.labels.get("stage") == "track"]
    buckets = [s.value for s in tracked if s.name.endswith("_bucket")]
    assert buckets == sorted(buckets) and buckets[-1] >= out - 1
    assert next(s.value for s in tracked if s.name.endswith("_sum")) > 0


def test_metrics_tell_the_gpus_memory_until_it_is_lost(model, module_target):
    class Gpu:
        lost = False

        def memory_in_use(self) -> int:
            if self.lost:
                raise UserError("GPU 0 failed.")
            return 3 << 30

    gpu = Gpu()
    gallery = Gallery(model, [SHIPPED], gpu=gpu)
    with serving(pipeline(model, module_target, NoSource(), drop=True), gallery=gallery) as address:
        assert "head2head_gpu_memory_bytes 3.221225472e+09" in httpx.get(f"{address}/metrics").text
        gpu.lost = True
        text = httpx.get(f"{address}/metrics").text
    assert "gpu_memory" not in text and "head2head_viewers" in text


def test_probes(model, module_target):
    class Broken(NmfcGenerator):
        def step(self, conditioning):
            raise ZeroDivisionError

    with serving(pipeline(model, module_target, NoSource(), drop=True)) as address:
        assert httpx.get(f"{address}/healthz").text == "ok"
        assert httpx.get(f"{address}/readyz").status_code == 200
    loop = pipeline(model, module_target, NoSource(), drop=True)
    with serving(loop) as address:
        loop.error = RuntimeError("The generate stage failed.")
        assert httpx.get(f"{address}/healthz").status_code == 500
        assert httpx.get(f"{address}/readyz").status_code == 503


def test_pages_are_told_of_the_end(model, module_target):
    loop = pipeline(model, module_target, NoSource(), drop=True)

    async def talk(address, joined):
        async with websockets.connect(address.replace("http", "ws") + "/live") as socket:
            await socket.recv()
            joined.set()
            while True:
                message = await asyncio.wait_for(socket.recv(), 30)
                if isinstance(message, str) and json.loads(message).get("ending"):
                    return True

    told = []
    joined = threading.Event()
    with serving(loop) as address:
        page = threading.Thread(target=lambda: told.append(asyncio.run(talk(address, joined))))
        page.start()
        assert joined.wait(30)
    page.join(30)
    assert told == [True]


def test_logs_for_machines(capsys):
    root = logging.getLogger()
    kept, level = root.handlers[:], root.level
    try:
        logs.set_up(as_json=True)
        logging.getLogger("live.somewhere").info("a %s", "thing")
        try:
            raise ValueError("bad")
        except ValueError:
            logging.getLogger("elsewhere").exception("failed")
        first, second = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    finally:
        root.handlers[:] = kept
        root.setLevel(level)
        logging.getLogger("live").setLevel(logging.NOTSET)
    assert first["message"] == "a thing" and first["level"] == "info" and first["logger"] == "live.somewhere"
    assert "ValueError: bad" in second["error"]
