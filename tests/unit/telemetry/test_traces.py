"""Traces sent to the daemon: complete, without item values. A failure of tracing harms no record."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Barrier, Thread
from typing import Any, ClassVar

import pytest
from builders import s3_record, stream_record
from fakes import Items, Uploads
from search_model import SearchModel
from traced_batches import dispatch, item, parts
from xray import Daemon, checked, entities

from service.errors import Halt, SettingsError
from service.model import Revision
from service.pipeline import Observer, Observers, Outcome
from service.pipeline.observers import NOTHING
from service.telemetry.logs import LoggingObserver
from service.telemetry.metrics import Metrics


def test_a_batch_is_a_segment_with_a_part_for_each_route_and_request(app, daemon):
    dispatch(app(), item("a"), item("b"))
    (batch,) = daemon.documents()
    assert batch["name"] == "shop"
    assert batch["annotations"] == {"source": "table images", "table": "images", "records": 2, "applied": 2}
    assert batch["metadata"] == {"streamdex": {"routes": {"fakes:Items": {"applied": 2}}}}
    found = parts(batch)
    assert set(found) == {"shop", "fakes:Items", "search"}
    assert found["fakes:Items"]["annotations"] == {"route": "fakes:Items", "records": 2}
    assert found["search"]["namespace"] == "remote"
    assert found["search"]["http"] == {"response": {"status": 200}}
    assert found["search"]["annotations"]["actions"] == 2


def test_a_halt_is_a_fault_of_the_batch_and_its_words_are_left_out(app, daemon):
    built = app(search=SearchModel(lambda: "401"))
    with pytest.raises(Halt):
        dispatch(built, item("a"))
    (batch,) = daemon.documents()
    assert batch["fault"]
    assert batch["annotations"]["exception"] == "Halt"
    assert batch["annotations"]["table"] == "images"
    assert "cause" not in batch
    assert parts(batch)["search"]["error"]


class Full:
    """A DynamoDB client that accepts `most` items, and throttles all later writes."""

    def __init__(self, most: int):
        self._most = most

    def put_item(self, **_: Any) -> None:
        from botocore.exceptions import ClientError

        self._most -= 1
        if self._most < 0:
            code = {"Code": "ThrottlingException", "Message": "slower"}
            raise ClientError({"Error": code, "ResponseMetadata": {"HTTPStatusCode": 429}}, "PutItem")


@pytest.fixture
def there(monkeypatch):
    """Make every object exist."""
    monkeypatch.setattr(
        "service.sources.current_state.Lookups.revision", lambda self, upload: Revision(etag="now")
    )


@pytest.mark.parametrize(
    ("fault", "flags"), [("503", {"fault"}), ("timeout after applying", {"fault"}), ("401", {"error"})]
)
def test_a_request_that_fails_is_marked_by_its_status(app, daemon, fault, flags):
    try:
        dispatch(app(search=SearchModel(lambda: fault)), item("a"))
    except Halt:
        assert fault == "401"
    (batch,) = daemon.documents()
    request = parts(batch)["search"]
    assert {flag for flag in ("fault", "error", "throttle") if request.get(flag)} == flags
    assert request["http"]["response"]["status"] == {"503": 503, "401": 401}.get(fault, 504)


def test_a_throttled_request_is_marked_so(app, daemon, there):
    dispatch(app(Uploads(), dynamodb=Full(0)), s3_record("a"))
    (batch,) = daemon.documents()
    request = parts(batch)["table"]
    assert request["throttle"]
    assert request["error"]
    assert "fault" not in request
    assert batch["annotations"]["bucket"] == "images-in"
    assert batch["annotations"]["retry"] == 1


def test_a_batch_of_many_requests_comes_in_documents_that_fit_and_none_is_lost(app, daemon, there):
    dispatch(app(Uploads(), dynamodb=Full(10_000)), *[s3_record(f"{n}.jpg") for n in range(100)])
    documents = daemon.documents()
    batch = documents[-1]
    assert "type" not in batch
    assert len(documents) > 50
    found = [entity for document in documents for entity in entities(document)]
    assert sum(entity["name"] == "table" for entity in found) == 100
    known = {entity["id"] for entity in found}
    assert {document["parent_id"] for document in documents[:-1]} <= known
    assert {document["trace_id"] for document in documents} == {batch["trace_id"]}


class Faulty(Items):
    def document(self, item):
        if item["id"].startswith("bad"):
            raise ValueError(f"what is {item['secret']}?")
        return {"secret": item["secret"]}


def test_nothing_of_an_item_gets_into_a_trace(app, daemon):
    built = app(Faulty())
    raws = [stream_record(new={"id": f"{name}-violet", "secret": "indigo"}) for name in ("good", "bad")]
    report = dispatch(built, *raws)
    assert [result.outcome for result in report.results] == [Outcome.APPLIED, Outcome.REJECTED]
    (datagram,) = daemon.datagrams()
    assert b"violet" not in datagram
    assert b"indigo" not in datagram
    batch = checked(datagram)
    assert batch["annotations"]["rejected"] == 1
    assert parts(batch)["test_traces:Faulty"]["annotations"]["rejected"] == 1


class Meeting(Items):
    """A route that ends no batch before all threads have started theirs."""

    together: ClassVar = Barrier(4)

    def document(self, item):
        self.together.wait(10)
        return {"n": item["id"]}


def test_each_thread_has_a_batch_of_its_own(app, daemon):
    threads, rounds = Meeting.together.parties, 10
    built = app(Meeting())

    def work(name: str) -> None:
        for number in range(rounds):
            dispatch(built, item(f"{name}-{number}"), source=f"table {name}")

    workers = [Thread(target=work, args=(f"t{n}",)) for n in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    documents = daemon.documents()
    assert len({document["trace_id"] for document in documents}) == threads * rounds
    for document in documents:
        assert sorted(entity["name"] for entity in entities(document)) == ["search", "shop", "test_traces:Meeting"]
    sources = [document["annotations"]["source"] for document in documents]
    assert {source: sources.count(source) for source in sources} == {f"table t{n}": rounds for n in range(threads)}


def test_names_have_the_characters_alone_that_x_ray_takes(app, daemon):
    dispatch(app(group="a|b<c>\n" + "x" * 300), item("a"))
    (batch,) = daemon.documents()
    assert batch["name"] == "a_b_c__" + "x" * 193


def test_the_daemon_is_not_asked_which_batches_to_trace(app, daemon):
    built = app(trace_rate=0.0)
    for number in range(50):
        dispatch(built, item(str(number)))
    assert 1 <= len(daemon.documents()) < 50
    assert not daemon.asked_for_rules()


def test_a_daemon_that_is_not_there_harms_nothing_and_is_not_told_of(app, monkeypatch, capsys):
    gone = Daemon()
    gone.close()
    monkeypatch.setenv("AWS_XRAY_DAEMON_ADDRESS", gone.address)
    built = app(log_level="WARNING")
    for name in "ab":
        assert dispatch(built, item(name)).undone == []
    assert capsys.readouterr().err == ""


def test_traces_that_cannot_be_sent_are_told_once(app, monkeypatch, capsys):
    monkeypatch.setenv("AWS_XRAY_DAEMON_ADDRESS", "255.255.255.255:2000")  # broadcast: the system rejects it
    built = app(log_level="WARNING", log_format="json")
    (once,) = logging.getLogger("aws_xray_sdk.core.emitters.udp_emitter").filters
    monkeypatch.setattr(once, "reported", False)
    for name in "abc":
        assert dispatch(built, item(name)).undone == []
    (line,) = map(json.loads, capsys.readouterr().err.splitlines())
    assert line["event"].startswith("could not send traces")


def test_a_route_that_meddles_with_the_trace_harms_no_record(app, daemon):
    from aws_xray_sdk.core import xray_recorder

    class Meddling(Items):
        def document(self, item):
            xray_recorder.end_segment()
            xray_recorder.clear_trace_entities()
            return {}

    built = app(Meddling())
    for name in "ab":
        assert dispatch(built, item(name)).undone == []


class Traced(Items):
    def document(self, item):
        from aws_xray_sdk.core import xray_recorder

        with xray_recorder.in_subsegment("thumbnails"):
            return {}


def test_what_a_route_traces_by_itself_stands_within_it(app, daemon):
    dispatch(app(Traced()), item("a"))
    (batch,) = daemon.documents()
    assert [part["name"] for part in parts(batch)["test_traces:Traced"]["subsegments"]] == ["thumbnails"]


def test_an_address_that_is_none_is_an_error_that_names_the_variable(app, monkeypatch):
    monkeypatch.setenv("AWS_XRAY_DAEMON_ADDRESS", "nowhere")
    with pytest.raises(SettingsError, match="AWS_XRAY_DAEMON_ADDRESS"):
        app()


def test_a_step_is_nothing_where_nobody_wants_to_know_of_it(app):
    built = app(trace=False)
    assert isinstance(built.observer, Observers)
    assert built.observer.step("batch", "table images", [1, 2]) is NOTHING
    assert Observers(LoggingObserver(), Metrics()).step("route", "r") is NOTHING
    assert Observer().step("request", "search") is NOTHING


class Stepping(Observer):
    def __init__(self) -> None:
        self.steps: list[Any] = []

    @contextmanager
    def step(self, kind: str, name: str, of: Any = ()) -> Iterator[None]:
        self.steps.append((kind, name, len(of)))
        yield
        self.steps.append(kind)


def test_each_of_several_observers_that_want_to_know_of_steps_is_told():
    one, other = Stepping(), Stepping()
    with Observers(one, Metrics(), other).step("batch", "table images", [1, 2]):
        assert one.steps == other.steps == [("batch", "table images", 2)]
    assert one.steps[1:] == other.steps[1:] == ["batch"]
