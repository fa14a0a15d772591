"""The list of all metrics, and their current values.

Other modules export them: `prometheus` for `/metrics`, and `emf` for CloudWatch.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Final, TypeAlias

from ..pipeline import Dispatched, Lag, Observer, Outcome, Request, Task

Labels: TypeAlias = tuple[str, ...]


@dataclass(frozen=True)
class Metric:
    """A metric with its name, help text and labels. A histogram has `bounds`, the upper bounds of its buckets."""

    name: str
    help: str
    labels: Labels = ()
    bounds: tuple[float, ...] = ()
    gauge: bool = False


FAST: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
SLOW: Final = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0, 43_200.0)

RECORDS: Final = Metric("records", "Records by route and outcome.", ("route", "outcome"))
INDEXED: Final = Metric(
    "indexed_seconds", "Seconds between the change of an item or object and its write.", ("route",), SLOW
)
BATCHES: Final = Metric("batch_seconds", "Duration of batches in seconds.", ("source",), FAST)
RETRIES: Final = Metric("retries", "Records that were retried within their batch.")
REQUESTS: Final = Metric("requests", "Write requests by response status.", ("sink", "status"))
SENT: Final = Metric("request_bytes", "Bytes of write requests.", ("sink",))
LATENCY: Final = Metric("request_seconds", "Response times of write requests in seconds.", ("sink",), FAST)
LETTERS: Final = Metric("dead_letters", "Records moved to dead letters.", ("route",))
IN_A_ROW: Final = Metric("rejects_in_a_row", "Records rejected since the last success.", ("route",), gauge=True)
REINDEXED: Final = Metric(
    "reindexed_documents", "Documents that records wanted to be made again, here or as tasks.", ("route", "by")
)
GAPS: Final = Metric(
    "gaps", "Gaps in streams: records were lost before they were read, or an index was missing.", ("source",)
)
GAP_TIME: Final = Metric(
    "gap_seconds", "Total length in seconds of the times in which changes may have been lost.", ("source",)
)
REDELIVERED: Final = Metric("redelivered_messages", "Messages that were redelivered.", ("source",))
POISON: Final = Metric(
    "poison_messages", "Messages that failed at the maximum receive count of their queue.", ("source",)
)
UNREAD: Final = Metric(
    "unread_age_seconds", "Age of the oldest unfinished record in seconds.", ("source",), gauge=True
)
LEFT: Final = Metric(
    "expires_in_minutes", "Minutes until the oldest unfinished record expires.", ("source",), gauge=True
)
CHECKPOINT: Final = Metric(
    "checkpoint_age_seconds", "Seconds since the oldest checkpoint was last renewed.", ("source",), gauge=True
)

METRICS: Final = tuple(value for value in vars().values() if isinstance(value, Metric))
"""All metrics, in the order of their declaration."""

BY_SOURCE: Final = (GAPS, GAP_TIME, REDELIVERED, POISON)
"""Counters that start at zero for each source. Otherwise Prometheus misses their first increase."""


@dataclass
class Histogram:
    """The number and sum of the values in each bucket. The last bucket has no upper bound."""

    counts: list[int]
    sums: list[float]

    @property
    def sum(self) -> float:
        return sum(self.sums)


@dataclass
class Values:
    """The current values of all metrics."""

    numbers: dict[Metric, dict[Labels, float]] = field(default_factory=dict)
    histograms: dict[Metric, dict[Labels, Histogram]] = field(default_factory=dict)

    def add(self, metric: Metric, amount: float, *labels: str) -> None:
        found = self.numbers.setdefault(metric, {})
        found[labels] = found.get(labels, 0.0) + amount

    def put(self, metric: Metric, value: float, *labels: str) -> None:
        self.numbers.setdefault(metric, {})[labels] = value

    def behind(self, source: str, lag: Lag) -> None:
        self.put(UNREAD, lag.unread, source)
        self.put(LEFT, lag.left / 60, source)

    def observe(self, metric: Metric, value: float, *labels: str, count: int = 1) -> None:
        """Add a value to a histogram `count` times."""
        by_labels = self.histograms.setdefault(metric, {})
        if labels not in by_labels:
            size = len(metric.bounds) + 1
            by_labels[labels] = Histogram([0] * size, [0.0] * size)
        histogram = by_labels[labels]
        bucket = bisect_left(metric.bounds, value)
        histogram.counts[bucket] += count
        histogram.sums[bucket] += value * count


class Metrics(Observer):
    """Collect metrics from the events of the pipeline. Threads share it. A batch takes its lock once."""

    def __init__(self, now: Callable[[], float] = time.time, routes: Iterable[str] = ()):
        """`now` returns Unix seconds. `routes` are the routes whose dead-letter counters start at zero."""
        self.lock = Lock()
        self.values = Values()
        self.values.add(RETRIES, 0.0)
        for route in (*routes, ""):
            self.values.add(LETTERS, 0.0, route)
        self._rejected: dict[str, float] = {}
        self._now = now

    def take(self) -> Values:
        """Return the values since the last call and reset them. The counts of consecutive rejects continue."""
        with self.lock:
            taken, self.values = self.values, Values()
            return taken

    def arrived(self, source: str, lag: Lag) -> None:
        """Record the lag of a batch from a source whose lag cannot be queried (a Lambda event)."""
        with self.lock:
            self.values.behind(source, lag)

    def dispatched(self, done: Dispatched) -> None:
        now = self._now()
        with self.lock:
            values = self.values
            for (route, outcome), count in done.ends.items():
                values.add(RECORDS, count, route, outcome.name.lower())
            for (route, outcome, created), count in done.tally.items():
                if outcome is Outcome.APPLIED and created is not None:
                    values.observe(INDEXED, max(now - created, 0.0), route, count=count)
            values.observe(BATCHES, done.seconds, done.source)
            for letter in done.letters:
                values.add(LETTERS, 1, letter.route)
            for route, run in self._runs(done).items():
                values.put(IN_A_ROW, run, route)

    def retrying(self, tasks: Sequence[Task], pause: float) -> None:
        with self.lock:
            self.values.add(RETRIES, len(tasks))

    def requested(self, request: Request) -> None:
        with self.lock:
            self.values.add(REQUESTS, 1, request.sink, str(request.status))
            self.values.add(SENT, request.size, request.sink)
            self.values.observe(LATENCY, request.seconds, request.sink)

    def lost(self, source: str, shard: str, since: float, until: float) -> None:
        with self.lock:
            self.values.add(GAPS, 1, source)
            self.values.add(GAP_TIME, max(until - since, 0.0), source)

    def index_missing(self, source: str, indices: Sequence[str]) -> None:
        with self.lock:
            self.values.add(GAPS, 1, source)

    def reindexed(self, route: str, documents: int, queued: bool) -> None:
        with self.lock:
            self.values.add(REINDEXED, documents, route, "task" if queued else "record")

    def redelivered(self, source: str, messages: int) -> None:
        with self.lock:
            self.values.add(REDELIVERED, messages, source)

    def given_up(self, source: str, messages: int) -> None:
        with self.lock:
            self.values.add(POISON, messages, source)

    def _runs(self, done: Dispatched) -> dict[str, float]:
        """Return for each route of a batch the number of records rejected since its last success."""
        runs: dict[str, float] = {}
        for route, outcome in done.ends:
            runs.setdefault(route, 0.0)
            if outcome is Outcome.REJECTED:
                runs[route] = self._rejected.get(route, 0.0)
                for task in done.tasks:
                    if task.route == route:
                        rejected = task.result.outcome is Outcome.REJECTED
                        runs[route] = runs[route] + 1 if rejected else 0.0
        self._rejected.update(runs)
        return runs
