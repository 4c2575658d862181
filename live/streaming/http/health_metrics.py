"""What those who run the server look at: whether it lives, whether it is ready, and Prometheus metrics."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from face.errors import UserError
from live.metrics import BUCKETS_S
from live.streaming.session import Sessions
from trt_engines.gpu import Gpu

PROBES = _HEALTH, _READINESS = "/healthz", "/readyz"
_PREFIX = "head2head"


class _LoopCollector(Collector):
    """Reads the main session's figures, and how many sessions there are, when Prometheus asks."""

    def __init__(self, sessions: Callable[[], Sessions | None], gpu: Callable[[], Gpu | None]) -> None:
        self._sessions, self._gpu = sessions, gpu

    def collect(self) -> Iterator[Metric]:
        sessions = self._sessions()
        if sessions is None:
            return
        pipeline = sessions.main.pipeline
        viewers = sum(session.viewers for session in sessions.all())
        counts = pipeline.metrics.counts()
        yield GaugeMetricFamily(f"{_PREFIX}_fps", "Frames generated per second, lately", pipeline.metrics.rate())
        yield GaugeMetricFamily(f"{_PREFIX}_viewers", "Viewers that receive frames", viewers)
        yield GaugeMetricFamily(f"{_PREFIX}_sessions", "Loops that run", len(sessions.all()))
        yield CounterMetricFamily(f"{_PREFIX}_frames_in", "Frames from the source", counts.get("in", 0))
        yield CounterMetricFamily(f"{_PREFIX}_frames_out", "Frames generated", counts.get("out", 0))
        yield CounterMetricFamily(f"{_PREFIX}_frames_dropped", "Frames replaced by newer ones", pipeline.dropped())
        skipped = counts.get("skipped", 0)
        yield CounterMetricFamily(f"{_PREFIX}_frames_skipped", "Frames of publishers that were not decoded", skipped)
        yield CounterMetricFamily(f"{_PREFIX}_encoded_bytes", "Bytes of encoded video", counts.get("bytes", 0))
        gpu = self._gpu()
        if gpu is not None:
            with contextlib.suppress(UserError):  # it was lost, which the loop tells
                yield GaugeMetricFamily(
                    f"{_PREFIX}_gpu_memory_bytes", "GPU memory in use, by others too", gpu.memory_in_use()
                )
        stages = HistogramMetricFamily(f"{_PREFIX}_stage_seconds", "Time of a stage for one frame", labels=["stage"])
        for name, (cumulative, total_s) in pipeline.metrics.histograms().items():
            bounds = [*(str(bound) for bound in BUCKETS_S), "+Inf"]
            buckets = [(bound, float(count)) for bound, count in zip(bounds, cumulative, strict=True)]
            stages.add_metric([name], buckets=buckets, sum_value=total_s)
        yield stages


class Operations:
    """Routes for operators.

    Args:
        sessions: gives the sessions, once the loop is ready.
        ending: whether the server is about to stop.
        gpu: gives where the loops run; ``None`` for the CPU.
    """

    def __init__(
        self,
        sessions: Callable[[], Sessions | None],
        ending: Callable[[], bool],
        gpu: Callable[[], Gpu | None],
    ) -> None:
        self._sessions, self._ending = sessions, ending
        self._registry = CollectorRegistry()
        self._registry.register(_LoopCollector(sessions, gpu))

    def routes(self) -> list[Route]:
        """``/healthz``, ``/readyz`` and ``/metrics``."""
        return [Route(_HEALTH, self.health), Route(_READINESS, self.readiness), Route("/metrics", self.metrics)]

    async def health(self, _: Request) -> Response:
        """Whether the loop runs, or is getting ready."""
        error = self._error()
        return PlainTextResponse("ok") if error is None else PlainTextResponse(str(error), 500)

    async def readiness(self, _: Request) -> Response:
        """Whether viewers may come."""
        if self._ending() or self._sessions() is None or self._error() is not None:
            return PlainTextResponse("not ready", 503)
        return PlainTextResponse("ready")

    async def metrics(self, _: Request) -> Response:
        """Figures in Prometheus's text format."""
        return Response(generate_latest(self._registry), media_type=CONTENT_TYPE_LATEST)

    def _error(self) -> Exception | None:
        sessions = self._sessions()
        return sessions.main.pipeline.error if sessions is not None else None
