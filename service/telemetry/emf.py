"""Metrics for CloudWatch: lines in embedded metric format (EMF) on a Lambda's standard output.

Source: "Specification: Embedded metric format", Amazon CloudWatch User Guide. A document has one value per
dimension, so each set of labels gets its own document. A histogram is an object with `Values` and `Counts`, each
with at most 100 entries, as AWS's own libraries write it (aws-embedded-metrics-java, metrique).
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from .metrics import METRICS, Histogram, Labels, Metric, Metrics, Values

UNITS: Final = {"seconds": "Seconds", "bytes": "Bytes", "minutes": "None"}
"""CloudWatch units by the last word of a metric's name. CloudWatch has no unit for minutes ("MetricDatum")."""

FUNCTION: Final = "FunctionName"
NO_VALUE: Final = "none"
"""The dimension value of an empty label, because CloudWatch rejects empty values ("Dimension")."""

Document: TypeAlias = dict[str, Any]


@dataclass
class EmbeddedMetrics:
    """Write the metrics of one Lambda invocation."""

    metrics: Metrics
    namespace: str
    function: str
    write: Callable[[str], object] | None = None
    """None for standard output."""
    now: Callable[[], float] = time.time

    @contextmanager
    def reporting(self) -> Iterator[None]:
        """Write the collected metrics at the end of the block, also if it raises."""
        try:
            yield
        finally:
            found, write = self.metrics.take(), self.write or sys.stdout.write
            for document in documents(found, self.namespace, self.function, self.now()):
                write(json.dumps(document, separators=(",", ":")) + "\n")


def documents(values: Values, namespace: str, function: str, now: float) -> Iterator[Document]:
    """Yield one document for each set of labels that has a value. `now` is in Unix seconds."""
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
        if math.isfinite(number):  # CloudWatch and JSON accept only finite numbers
            yield labels, number


def _distribution(histogram: Histogram) -> Document:
    """Return a histogram in EMF. Each bucket is the mean of its values and their count, so the sum is exact."""
    buckets = [(total, count) for total, count in zip(histogram.sums, histogram.counts, strict=True) if count]
    return {"Values": [total / count for total, count in buckets], "Counts": [count for _, count in buckets]}


def _dimension(label: str) -> str:
    """Return a label as a dimension value: 1 to 1024 printable ASCII characters ("Dimension")."""
    text = label.encode("ascii", "backslashreplace").decode()
    return "".join(char if char.isprintable() else "?" for char in text).strip()[:1024] or NO_VALUE
