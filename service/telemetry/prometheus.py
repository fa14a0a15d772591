"""The metrics in the Prometheus text format."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family

from ..pipeline import Source
from .metrics import BY_SOURCE, CHECKPOINT, METRICS, Metric, Metrics

PREFIX = "streamdex_"


def exposition(metrics: Metrics, sources: Callable[[], Iterable[Source]]) -> bytes:
    """Return the text of `/metrics`, with the current lag of the sources."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Collector(metrics, sources))
    return generate_latest(registry)


class Collector:
    """A prometheus-client collector that returns a consistent snapshot of the values."""

    def __init__(self, metrics: Metrics, sources: Callable[[], Iterable[Source]]):
        self._metrics = metrics
        self._sources = sources

    def collect(self) -> Iterator[Family]:
        lags = {source.name: source.lag() for source in self._sources()}  # outside the lock, which blocks batches
        with self._metrics.lock:
            for name, lag in lags.items():
                self._metrics.values.behind(name, lag)
                self._metrics.values.put(CHECKPOINT, lag.checkpoint, name)
                for metric in BY_SOURCE:
                    self._metrics.values.add(metric, 0.0, name)
            families = [self._family(metric) for metric in METRICS]
        return iter(families)

    def _family(self, metric: Metric) -> Family:
        name, labels = PREFIX + metric.name, metric.labels
        if metric.bounds:
            histograms = HistogramMetricFamily(name, metric.help, labels=labels)
            for values, found in self._metrics.values.histograms.get(metric, {}).items():
                histograms.add_metric(values, cumulative(metric, found.counts), found.sum)
            return histograms
        kind = GaugeMetricFamily if metric.gauge else CounterMetricFamily
        family: GaugeMetricFamily | CounterMetricFamily = kind(name, metric.help, labels=labels)
        for values, number in self._metrics.values.numbers.get(metric, {}).items():
            family.add_metric(values, number)
        return family


def cumulative(metric: Metric, counts: Iterable[int]) -> list[tuple[str, float]]:
    """Return the cumulative count of values up to each bound, as Prometheus expects them."""
    bounds = [*(str(bound) for bound in metric.bounds), "+Inf"]
    total = 0
    found = []
    for bound, count in zip(bounds, counts, strict=True):
        total += count
        found.append((bound, float(total)))
    return found
