"""The metrics of a Lambda in CloudWatch's embedded metric format: valid and complete."""

from __future__ import annotations

import json
import math
from types import SimpleNamespace
from typing import Any

import pytest
from builders import lambda_event, s3_record, sqs_message, stream_record
from fakes import NOW, Bench, Items, records
from search_model import SearchModel

from service.entrypoints.lambda_handler import Handler, handler_for
from service.errors import Halt
from service.model.outcomes import Outcome
from service.pipeline import Lag, Observers, Request, Result, Task
from service.sources.lambda_event import LambdaBatch
from service.telemetry.emf import EmbeddedMetrics, unit_of
from service.telemetry.metrics import METRICS, Metrics

REFUSED = Result(Outcome.REJECTED, "no", 400)
LAMBDA = SimpleNamespace(get_remaining_time_in_millis=lambda: 30_000, aws_request_id="r-1")
UNITS = {"Seconds", "Bytes", "Count", "None"}


def checked(line: str) -> dict[str, Any]:
    """Check a line and return its document.

    Sources: "Specification: Embedded metric format", "MetricDatum" and "Dimension".
    """
    assert line.endswith("\n")
    assert "\n" not in line[:-1]
    assert len(line) < 256 * 1024
    document: dict[str, Any] = json.loads(line, parse_constant=pytest.fail)
    metadata = document["_aws"]
    assert set(metadata) == {"Timestamp", "CloudWatchMetrics"}
    assert isinstance(metadata["Timestamp"], int)
    for directive in metadata["CloudWatchMetrics"]:
        assert set(directive) == {"Namespace", "Dimensions", "Metrics"}
        assert 1 <= len(directive["Namespace"]) <= 255
        assert 1 <= len(directive["Metrics"]) <= 100
        for dimensions in directive["Dimensions"]:
            assert len(dimensions) <= 30
            for name in dimensions:
                value = document[name]
                assert isinstance(value, str)
                assert value.strip()
                assert value.isascii()
                assert value.isprintable()
                assert len(value) <= 1024
        for metric in directive["Metrics"]:
            assert set(metric) == {"Name", "Unit"}
            assert metric["Unit"] in UNITS
            check_value(document[metric["Name"]])
    return document


def check_value(value: Any) -> None:
    if isinstance(value, dict):
        assert set(value) == {"Values", "Counts"}
        assert 1 <= len(value["Values"]) == len(value["Counts"]) <= 100
        assert all(map(math.isfinite, value["Values"]))
        assert all(count >= 1 for count in value["Counts"])
    else:
        assert math.isfinite(value)


def written(metrics: Metrics) -> dict[tuple[str, ...], dict[str, Any]]:
    """Write the metrics. Return the documents by the values of their dimensions, without the function name."""
    lines: list[str] = []
    with EmbeddedMetrics(metrics, "shop", "indexer", lines.append, lambda: NOW).reporting():
        pass
    return {dimensions_of(document): document for document in map(checked, lines)}


def dimensions_of(document: dict[str, Any]) -> tuple[str, ...]:
    (directive,) = document["_aws"]["CloudWatchMetrics"]
    ((first, *names),) = directive["Dimensions"]
    assert first == "FunctionName"
    return tuple(document[name] for name in names)


def dispatched(*raws: Any, **options: Any) -> Metrics:
    made, metrics = Bench(Items(), **options), Metrics(now=lambda: NOW)
    made.dispatcher._observer = metrics
    made.dispatch(*raws)
    return metrics


def record(key: str, **details: Any) -> Any:
    return stream_record(new={"id": key}, **details)


def test_what_was_counted_is_written_with_its_labels_as_dimensions():
    found = written(dispatched(record("a"), record("b"), record("c"), forced={"b": [REFUSED]}))
    assert found["fakes:Items", "applied"]["records"] == 2
    assert found["fakes:Items", "rejected"]["records"] == 1
    assert found["fakes:Items",]["dead_letters"] == 1
    assert found["fakes:Items",]["FunctionName"] == "indexer"
    (directive,) = found["fakes:Items",]["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "shop"
    assert {metric["Name"]: metric["Unit"] for metric in directive["Metrics"]} == {
        "indexed_seconds": "Seconds",
        "dead_letters": "Count",
        "rejects_in_a_row": "Count",
    }
    assert found["fakes:Items",]["_aws"]["Timestamp"] == NOW * 1000


def test_a_histogram_keeps_its_sum_and_how_many_values_each_bucket_had():
    found = written(
        dispatched(record("a", created=NOW - 40), record("b", created=NOW - 50), record("c", created=NOW - 2))
    )
    assert found["fakes:Items",]["indexed_seconds"] == {"Values": [2.0, 45.0], "Counts": [1, 2]}


def test_what_was_written_is_not_written_again():
    metrics = dispatched(record("a"))
    assert written(metrics)
    assert written(metrics) == {}


def test_a_label_that_no_dimension_may_be_is_made_one():
    metrics = dispatched(record("a", table="strangers"))
    metrics.lost("table ä\n" + "x" * 2000, "shard", 1.0, 2.0)
    found = written(metrics)
    assert found["none", "skipped"]["records"] == 1
    assert found[("table \\xe4?" + "x" * 2000)[:1024],]["gaps"] == 1


def test_what_is_no_number_is_left_out():
    metrics = Metrics()
    metrics.arrived("lambda sqs", Lag(7.0, math.inf))
    assert written(metrics)["lambda sqs",] | {"_aws": 0} == {
        "_aws": 0,
        "FunctionName": "indexer",
        "source": "lambda sqs",
        "unread_age_seconds": 7.0,
    }


def test_every_metric_can_be_written():
    metrics = dispatched(record("a"), forced={"a": [REFUSED]})
    observer = Observers(metrics)
    observer.requested(Request("search", 10, 2000, 40.0, 429))
    observer.lost("table t", "shard-1", 1000.0, 1600.0)
    observer.redelivered("queue q", 2)
    observer.given_up("queue q", 1)
    observer.reindexed("shop:Orders", 3, queued=True)
    observer.retrying([Task(0, *records(record("c")), None, results=[REFUSED])], 0.1)
    metrics.arrived("lambda dynamodb", Lag(60.0, 86_340.0))
    dispatched_too = dispatched(record("b", created=NOW - 100_000))
    names = {
        name for found in (written(metrics), written(dispatched_too)) for each in found.values() for name in each
    }
    assert {metric.name for metric in METRICS} - names == {"checkpoint_age_seconds"}  # Lambda has the checkpoints
    assert {unit_of(metric) for metric in METRICS} == UNITS
    labels = {label for metric in METRICS for label in metric.labels}
    assert not labels & {metric.name for metric in METRICS}


@pytest.mark.parametrize(
    ("raws", "unread", "left"),
    [
        ([record("a", created=NOW - 60), record("b", created=NOW - 5)], 60.0, 86_340.0),
        ([record("a", created=NOW - 90_000)], 90_000.0, 0.0),
        ([record("a", created=NOW + 5)], 0.0, 86_400.0),
        ([sqs_message(record("a", created=NOW - 60))], 60.0, math.inf),
        ([{**record("a"), "dynamodb": {"Keys": {"id": {"S": "a"}}}}], 0.0, 86_400.0),
        ([sqs_message("not JSON")], 0.0, math.inf),
    ],
)
def test_a_batch_is_as_far_behind_as_its_oldest_record(raws, unread, left):
    assert LambdaBatch(lambda_event(*raws)).lag(NOW) == Lag(unread, left)


@pytest.fixture
def faults() -> list[str]:
    """Return the faults of the next search responses. Tests append to the list."""
    return []


@pytest.fixture
def handler(monkeypatch, tmp_path, faults) -> Handler:
    handle = handler_for(Items)
    monkeypatch.setattr(
        "service.context.make_search_client", lambda settings: SearchModel(lambda: faults.pop() if faults else "")
    )
    monkeypatch.setenv("SEARCH_URL", "http://search.test")
    monkeypatch.setenv("STREAMDEX_HINT_AFTER", "1e12")
    monkeypatch.setenv("STREAMDEX_DEAD_LETTERS", str(tmp_path))
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "indexer")
    return handle


def test_a_lambda_writes_its_metrics_to_standard_output_and_its_log_to_standard_error(handler, capsys):
    handler(lambda_event(record("a")), LAMBDA)
    said = capsys.readouterr()
    found = {dimensions_of(document): document for document in map(checked, said.out.splitlines(keepends=True))}
    assert found["fakes:Items", "applied"]["records"] == 1
    assert found["lambda dynamodb",]["unread_age_seconds"] > 0
    assert found["lambda dynamodb",]["expires_in_minutes"] == 0
    assert found["search", "200"]["FunctionName"] == "indexer"
    assert found["search", "200"]["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "streamdex"
    assert [json.loads(line)["event"] for line in said.err.splitlines()] == ["batch dispatched"]


def test_a_lambda_that_halts_has_written_what_it_counted(handler, faults, capsys):
    faults.append("401")
    with pytest.raises(Halt):
        handler(lambda_event(record("a")), LAMBDA)
    found = {
        dimensions_of(document): document for document in map(checked, capsys.readouterr().out.splitlines(True))
    }
    assert found["search", "401"]["requests"] == 1
    assert "unread_age_seconds" in found["lambda dynamodb",]


def test_an_invocation_tells_of_its_own_source_alone(handler, capsys):
    handler(lambda_event(record("a")), LAMBDA)
    capsys.readouterr()
    handler(lambda_event(sqs_message(record("b"))), LAMBDA)
    found = map(checked, capsys.readouterr().out.splitlines(True))
    assert {document["source"] for document in found if "source" in document} == {"lambda sqs"}


@pytest.mark.parametrize(
    ("metrics", "function", "writes"),
    [("auto", "indexer", True), ("auto", "", False), ("none", "indexer", False), ("emf", "", True)],
)
def test_a_setting_says_whether_metrics_are_written(handler, monkeypatch, capsys, metrics, function, writes):
    monkeypatch.setenv("STREAMDEX_METRICS", metrics)
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", function)
    handler(lambda_event(record("a")), LAMBDA)
    documents = list(map(checked, capsys.readouterr().out.splitlines(keepends=True)))
    assert bool(documents) is writes
    assert {document["FunctionName"] for document in documents} <= {function or "streamdex"}


def test_the_namespace_is_a_setting(handler, monkeypatch, capsys):
    monkeypatch.setenv("STREAMDEX_METRICS_NAMESPACE", "acme/search")
    handler(lambda_event(record("a")), LAMBDA)
    (first, *_) = map(checked, capsys.readouterr().out.splitlines(keepends=True))
    assert first["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "acme/search"


def test_an_upload_is_as_old_as_its_event():
    assert LambdaBatch(lambda_event(s3_record("a"))).lag(1_795_305_660.0) == Lag(60.0)
