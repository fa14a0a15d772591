"""Metrics: correct counts, in a format that Prometheus reads."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from builders import stream_record
from fakes import NOW, Bench, Items, Truth, records
from prometheus_client.parser import text_string_to_metric_families

from service.errors import Halt
from service.model.outcomes import Outcome
from service.pipeline import Delivery, Lag, Observers, Request, Result
from service.telemetry.metrics import METRICS, Metrics
from service.telemetry.prometheus import exposition

REFUSED = Result(Outcome.REJECTED, "no", 400)
LATER = Result(Outcome.RETRY, "busy", 503)


def told(metrics: Metrics, *sources: Any) -> dict[str, float]:
    """Return the samples that Prometheus reads, by name and label values."""
    text = exposition(metrics, lambda: sources).decode()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {
        f"{sample.name.removeprefix('streamdex_')}{sorted(sample.labels.values())}": sample.value
        for sample in samples
    }


def bench(**options: Any) -> tuple[Bench, Metrics]:
    made, metrics = Bench(Items(), **options), Metrics(now=lambda: NOW)
    made.dispatcher._observer = metrics
    return made, metrics


def record(key: str, **details: Any) -> Any:
    return stream_record(new={"id": key}, **details)


def test_records_are_counted_by_route_and_outcome_and_letters_by_route():
    made, metrics = bench(forced={"b": [REFUSED], "c": [LATER]})
    made.dispatch(record("a"), record("b"), record("c"), record("d", table="strangers"))
    numbers = told(metrics)
    assert numbers["records_total['applied', 'fakes:Items']"] == 1
    assert numbers["records_total['fakes:Items', 'rejected']"] == 1
    assert numbers["records_total['fakes:Items', 'retry']"] == 1
    assert numbers["records_total['', 'skipped']"] == 1
    assert numbers["dead_letters_total['fakes:Items']"] == 1
    assert numbers["batch_seconds_count['test']"] == 1


def test_the_time_from_the_change_to_its_write_is_measured_for_what_was_written():
    made, metrics = bench(forced={"b": [REFUSED]})
    made.dispatch(record("a", created=NOW - 40), record("b", created=NOW - 9), record("c", created=NOW - 2))
    text = exposition(metrics, list).decode()
    buckets = {
        line.split('le="')[1].split('"')[0]: float(line.split()[-1])
        for line in text.splitlines()
        if line.startswith("streamdex_indexed_seconds_bucket")
    }
    assert (buckets["1.0"], buckets["2.0"], buckets["30.0"], buckets["60.0"], buckets["+Inf"]) == (0, 1, 1, 2, 2)
    assert told(metrics)["indexed_seconds_sum['fakes:Items']"] == 42


def test_rejects_in_a_row_grow_over_batches_and_end_with_a_good_one():
    made, metrics = bench(forced={name: [REFUSED] for name in "abcd"})
    row = "rejects_in_a_row['fakes:Items']"
    made.dispatch(record("x"), record("a"))
    assert told(metrics)[row] == 1
    made.dispatch(record("b"), record("c"))
    assert told(metrics)[row] == 3
    made.dispatch(record("d"), record("y"))
    assert told(metrics)[row] == 0


def test_what_is_tried_again_is_counted():
    made, metrics = bench(forced={"a": [LATER, LATER], "b": [LATER]}, tries=True)
    made.dispatch(record("a"), record("b"))
    assert told(metrics)["retries_total[]"] == 3


def test_requests_gaps_and_messages_are_counted():
    metrics = Metrics()
    observer = Observers(metrics)
    observer.requested(Request("search", 10, 2000, 0.3, 200))
    observer.requested(Request("search", 5, 1000, 0.1, 429))
    observer.lost("table t", "shard-1", 1000.0, 1600.0)
    observer.redelivered("queue q", 2)
    observer.reindexed("shop:Orders", 3, queued=False)
    observer.reindexed("shop:Orders", 5, queued=True)
    observer.given_up("queue q", 1)
    numbers = told(metrics)
    assert numbers["requests_total['200', 'search']"] == numbers["requests_total['429', 'search']"] == 1
    assert numbers["request_bytes_total['search']"] == 3000
    assert numbers["request_seconds_sum['search']"] == pytest.approx(0.4)
    assert (numbers["gaps_total['table t']"], numbers["gap_seconds_total['table t']"]) == (1, 600)
    assert numbers["redelivered_messages_total['queue q']"] == 2
    assert numbers["reindexed_documents_total['record', 'shop:Orders']"] == 3
    assert numbers["reindexed_documents_total['shop:Orders', 'task']"] == 5
    assert numbers["poison_messages_total['queue q']"] == 1


def test_how_far_sources_are_behind_is_asked_when_it_is_read():
    behind = SimpleNamespace(name="table t", lag=lambda: Lag(3600.0, 82_800.0, 5.0))
    numbers = told(Metrics(), behind, SimpleNamespace(name="queue q", lag=Lag))
    assert numbers["unread_age_seconds['table t']"] == 3600
    assert numbers["expires_in_minutes['table t']"] == 1380
    assert numbers["checkpoint_age_seconds['table t']"] == 5
    assert numbers["unread_age_seconds['queue q']"] == 0
    assert numbers["expires_in_minutes['queue q']"] == float("inf")


def test_what_was_taken_begins_anew_and_rejects_in_a_row_go_on():
    made, metrics = bench(forced={"a": [REFUSED], "b": [REFUSED]})
    made.dispatch(record("a"))
    taken = metrics.take()
    assert sum(len(found) for found in taken.numbers.values()) > 1
    assert told(metrics) == {}
    made.dispatch(record("b"))
    assert told(metrics)["rejects_in_a_row['fakes:Items']"] == 2


def test_letters_that_a_halt_leaves_are_counted_where_nothing_comes_again():
    made, metrics = bench(truth=(truth := Truth()))
    truth.error = Halt("no permission")
    raw = {**record("a"), "dynamodb": {**record("a")["dynamodb"], "ApproximateCreationDateTime": None}}
    with pytest.raises(Halt):
        made.dispatcher.run(Delivery(records(raw), "test", redelivers=False))
    assert told(metrics)["dead_letters_total['fakes:Items']"] == 1


def test_what_an_alarm_waits_for_is_counted_from_zero_on():
    metrics = Metrics(routes=["images:Images"])
    numbers = told(metrics, SimpleNamespace(name="table t", lag=Lag))
    assert numbers["dead_letters_total['images:Images']"] == numbers["dead_letters_total['']"] == 0
    assert numbers["gaps_total['table t']"] == numbers["poison_messages_total['table t']"] == 0
    assert numbers["retries_total[]"] == 0
    metrics.lost("table t", "shard-1", 1.0, 2.0)
    assert told(metrics, SimpleNamespace(name="table t", lag=Lag))["gaps_total['table t']"] == 1
    metrics.index_missing("table t", ["images"])
    assert told(metrics, SimpleNamespace(name="table t", lag=Lag))["gaps_total['table t']"] == 2


def test_every_metric_has_its_own_name_and_its_help():
    text = exposition(Metrics(), list).decode()
    for metric in METRICS:
        kind = "histogram" if metric.bounds else "gauge" if metric.gauge else "counter"
        name = f"streamdex_{metric.name}" + ("_total" if kind == "counter" else "")
        assert f"# TYPE {name} {kind}" in text
    assert len({metric.name for metric in METRICS}) == len(METRICS)
