"""Figures for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily

from conspect.web.answers import Answer
from conspect.web.engine import Engine

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """Counts since the start, and the state of the engine and its stream at the moment of asking."""

    def __init__(self, engine: Engine) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter("conspect_requests", "Requests answered", ["route", "status"], registry=self._registry)
        self._decisions = Counter(
            "conspect_decisions", "Inputs decided on", ["output", "verdict"], registry=self._registry
        )
        self._seconds = Histogram(
            "conspect_request_seconds", "From a request's head to its answer", ["route"], buckets=SECONDS,
            registry=self._registry,
        )  # fmt: skip
        self._registry.register(_State(engine))
        ProcessCollector(registry=self._registry)

    def request(self, route: str, status: int, seconds: float) -> None:
        """Counts one answered request."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def decisions(self, results: list[Answer]) -> None:
        """Counts the answers of one request."""
        for result in results:
            self._decisions.labels(result.output or "none", result.verdict).inc()

    def text(self) -> bytes:
        """All figures in the text format of Prometheus."""
        return generate_latest(self._registry)


class _State:
    """Gauges read off the engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def collect(self) -> list[GaugeMetricFamily]:
        """The gauges as they are now."""
        status = self._engine.status()
        families = [
            _gauge("conspect_queue_inputs", "Inputs accepted and not answered yet", self._engine.waiting),
            _gauge("conspect_stream_inputs", "Inputs decided on in this stream", status.seen),
            _gauge("conspect_alarm_rate", "Share of suspect inputs in this stream", status.alarm_rate),
            _gauge("conspect_drift_evidence", "Evidence of drift since some time in the past", status.drift_evidence),
            _gauge("conspect_drift_wealth", "Evidence of drift since the start", status.drift_wealth),
            _gauge("conspect_drift_alarm", "1 once the evidence has reached the limit", float(status.drift_alarm)),
        ]
        windows = GaugeMetricFamily(
            "conspect_window_alarm_rate", "Share of suspect inputs among the last of a class", labels=["output"]
        )
        for name, count, rate in zip(
            self._engine.monitor.class_names, status.window_counts, status.window_alarm_rates, strict=True
        ):
            if count:
                windows.add_metric([name], rate)
        return [*families, windows]


def _gauge(name: str, about: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, about, value=value)
