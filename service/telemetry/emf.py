"""The metrics as CloudWatch reads them in a Lambda's log: lines in embedded metric format on standard output.

Source: "Specification: Embedded metric format", Amazon CloudWatch User Guide. A document gives each of its
dimensions one value, so there is one for each set of labels. A histogram is an object of `Values` and `Counts`, as
AWS's own libraries write it (aws-embedded-metrics-java, metrique); there may be a hundred of each.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeAlias

from .metrics import METRICS, Histogram, Labels, Metric, Metrics, Values

UNITS: Final = {"seconds": "Seconds", "bytes": "Bytes", "minutes": "None"}
"""By the end of a metric's name; CloudWatch has no minutes ("MetricDatum")."""

FUNCTION: Final = "FunctionName"
NO_VALUE: Final = "none"
"""A dimension must not be empty ("Dimension"): what stands for the route of a record that has none."""

Document: TypeAlias = dict[str, Any]


class EmbeddedMetrics:
    """Writes what was counted while an invocation lasted."""

    def __init__(
        self,
        metrics: Metrics,
        namespace: str,
        function: str,
        write: Callable[[str], object] | None = None,
        now: Callable[[], float] = time.time,
    ):
        """`function` names the Lambda function, `write` takes the lines, `now` is the time in Unix seconds."""
        self._metrics = metrics
        self._namespace = namespace
        self._function = function
        self._write = write or sys.stdout.write
        self._now = now

    @contextmanager
    def reporting(self) -> Iterator[None]:
        """Writes what was counted by the end of the block, also where it raises."""
        try:
            yield
        finally:
            found = self._metrics.take()
            for document in documents(found, self._namespace, self._function, self._now()):
                self._write(json.dumps(document, separators=(",", ":")) + "\n")


def documents(values: Values, namespace: str, function: str, now: float) -> Iterator[Document]:
    """A document for each set of labels that has a value; `now` in Unix seconds."""
    together: dict[tuple[Labels, Labels], dict[Metric, Any]] = {}
    for metric in METRICS:
        for labels, value in _values_of(metric, values):
            together.setdefault((metric.labels, labels), {})[metric] = value
    for (names, labels), found in together.items():
        dimensions = {
            FUNCTION: function,
            **{name: _dimension(label) for name, label in zip(names, labels, strict=True)},
        }
        directive = {
            "Namespace": namespace,
            "Dimensions": [list(dimensions)],
            "Metrics": [{"Name": metric.name, "Unit": unit_of(metric)} for metric in found],
        }
        yield {
            "_aws": {"Timestamp": int(now * 1000), "CloudWatchMetrics": [directive]},
            **dimensions,
            **{metric.name: value for metric, value in found.items()},
        }


def unit_of(metric: Metric) -> str:
    return UNITS.get(metric.name.rpartition("_")[2], "Count")


def _values_of(metric: Metric, values: Values) -> Iterator[tuple[Labels, Any]]:
    for labels, histogram in values.histograms.get(metric, {}).items():
        yield labels, _distribution(histogram)
    for labels, number in values.numbers.get(metric, {}).items():
        if math.isfinite(number):  # CloudWatch takes no other, and JSON has no word for it
            yield labels, number


def _distribution(histogram: Histogram) -> Document:
    """Each bucket as so many times the mean of its values: sum and average are exact."""
    buckets = [(total, count) for total, count in zip(histogram.sums, histogram.counts, strict=True) if count]
    return {"Values": [total / count for total, count in buckets], "Counts": [count for _, count in buckets]}


def _dimension(label: str) -> str:
    """A label as the value of a dimension: ASCII without control characters, 1 to 1024 of them ("Dimension")."""
    text = label.encode("ascii", "backslashreplace").decode()
    return "".join(char if char.isprintable() else "?" for char in text).strip()[:1024] or NO_VALUE
