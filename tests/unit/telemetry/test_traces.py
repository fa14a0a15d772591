"""Traces sent to the daemon: they follow X-Ray's documentation, are complete, and contain no item values."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Barrier, Event, Thread
from typing import Any, ClassVar

import pytest
from builders import CHANGES, s3_record, stream_record
from fakes import FakeQueue, Items, Uploads, records
from search_model import SearchModel
from xray import Daemon, checked, entities

from service.bootstrap.application import App
from service.context import Context
from service.errors import Halt, SettingsError
from service.model import Revision
from service.pipeline import Delivery, Observer, Observers, Outcome
from service.pipeline.observers import NOTHING
from service.pipeline.workers import Worker
from service.settings import Settings
from service.sources.sqs.queue_source import QueueSource
from service.telemetry.logs import LoggingObserver
from service.telemetry.metrics import Metrics
from service.telemetry.origins import origin_of

ROOT = Path(__file__).parents[3]
TRACE = "1-65a7d2c0-000000000000000000000001"
OTHER = "1-65a7d2c0-000000000000000000000002"
PARENT = "00000000000000aa"


@pytest.fixture(scope="module", autouse=True)
def closed() -> Iterator[None]:
    """Close the SDK's only socket, which otherwise stays open until the process ends."""
    yield
    from aws_xray_sdk.core import xray_recorder

    xray_recorder.emitter._socket.close()


@pytest.fixture
def daemon(monkeypatch) -> Iterator[Daemon]:
    made = Daemon()
    monkeypatch.setenv("AWS_XRAY_DAEMON_ADDRESS", made.address)
    yield made
    made.close()


@pytest.fixture
def app(tmp_path) -> Iterator[Callable[..., App]]:
    """Yield a factory of services that trace every batch and write to models."""
    made = []

    def make(*routes: Any, search: Any = None, dynamodb: Any = None, sqs: Any = None, **options: Any) -> App:
        chosen = {
            "trace": True,
            "trace_rate": 1.0,
            "group": "shop",
            "retry_time": 0.0,
            "hint_after": 1e12,
            **options,
        }
        settings = Settings(search_url="http://search.test", dead_letters=str(tmp_path / "letters"), **chosen)
        context = Context(settings, search=search or SearchModel(), dynamodb=dynamodb, sqs=sqs)
        made.append(App(settings, routes or [Items()], context))
        return made[-1]

    yield make
    for built in made:
        built.close()


def item(name: str, **details: Any) -> Any:
    return stream_record(new={"id": name}, **details)


def dispatch(app: App, *raws: Any, source: str = "table images") -> Any:
    return app.dispatcher.run(Delivery(records(*raws), source))


def parts(document: Any) -> dict[str, Any]:
    """Return the entities in a document, by name."""
    return {entity["name"]: entity for entity in entities(document)}


def header(trace: str = TRACE, parent: str = PARENT, sampled: str = "1") -> str:
    return f"Root={trace};Parent={parent};Sampled={sampled}"


def deliver(app: App, queue: FakeQueue) -> None:
    """Run the container's worker until the queue is empty."""
    source = QueueSource(app.context, "uploads", Event(), drains=True, observer=app.observer)
    Worker(source, app.dispatcher, Event()).run()


def uploads(*headers: str) -> FakeQueue:
    """Return a queue of stream records in messages with these trace headers; "" for no header."""
    queue = FakeQueue(*[item(str(number), sequence=f"1{number:020}") for number, _ in enumerate(headers)])
    for message, said in zip(queue.messages, headers, strict=True):
        if said:
            message["Attributes"]["AWSTraceHeader"] = said
    return queue


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


def test_what_a_queue_gives_is_decoded_within_its_batch(app, daemon):
    deliver(app(sqs=(queue := uploads("", ""))), queue)
    (batch,) = daemon.documents()
    decode = parts(batch)["decode"]
    assert batch["annotations"]["source"] == "queue uploads"
    assert decode["start_time"] == batch["start_time"]
    assert decode["end_time"] <= parts(batch)["fakes:Items"]["start_time"]
    assert queue.deleted == ["r0", "r1"]


def test_the_next_batch_of_a_thread_has_what_was_decoded_for_it_alone(app, daemon):
    built = app(sqs=(queue := uploads(header())))
    deliver(built, queue)
    dispatch(built, item("z"))
    _, second = daemon.documents()
    assert "decode" not in parts(second)
    assert second["trace_id"] != TRACE


def test_a_batch_goes_on_with_the_trace_that_all_its_messages_came_with(app, daemon):
    deliver(app(sqs=(queue := uploads(header(), header()))), queue)
    (batch,) = daemon.documents()
    assert (batch["trace_id"], batch["parent_id"]) == (TRACE, PARENT)
    assert "traces" not in batch["annotations"]


@pytest.mark.parametrize("headers", [(header(), header(OTHER)), (header(), "")])
def test_a_batch_of_several_traces_has_its_own_and_names_them(app, daemon, headers):
    deliver(app(sqs=(queue := uploads(*headers))), queue)
    (batch,) = daemon.documents()
    assert batch["trace_id"] not in (TRACE, OTHER)
    assert "parent_id" not in batch
    assert batch["annotations"]["traces"] == " ".join(sorted({said[5:40] for said in headers if said}))


def test_a_trace_that_is_not_recorded_is_not_gone_on_with(app, daemon):
    built = app(sqs=(queue := uploads(header(sampled="0"), header(OTHER, sampled="0"))))
    deliver(built, queue)
    assert daemon.documents() == []
    assert built.context.search.documents.keys() == {"0", "1"}


def test_a_trace_that_is_recorded_is_gone_on_with_whatever_the_rate(app, daemon):
    built = app(trace_rate=0.0, sqs=uploads())
    for _ in range(5):
        built.context.sqs.messages = uploads(header()).messages
        deliver(built, built.context.sqs)
    assert [batch["trace_id"] for batch in daemon.documents()] == [TRACE] * 5


@pytest.mark.parametrize(
    ("headers", "only", "parent", "sampled"),
    [
        ([header()], TRACE, PARENT, 1),
        ([header(parent="00000000000000bb"), header()], TRACE, None, 1),
        ([header(sampled="?")], TRACE, PARENT, None),
        ([header(sampled="0"), header(sampled="1")], TRACE, PARENT, 1),
        ([f"Self=1-x;Root={TRACE}"], TRACE, None, None),
        ([header(parent="no id")], TRACE, None, 1),
        (["Root=1-2-3;Sampled=1"], None, None, None),
        (["nonsense", ""], None, None, None),
        ([], None, None, None),
    ],
)
def test_a_trace_header_is_read_as_far_as_it_can_be(headers, only, parent, sampled):
    for name in ("Attributes", "attributes"):
        origin = origin_of([{name: {"AWSTraceHeader": said}} for said in headers])
        assert (origin.only, origin.parent, origin.sampled) == (only, parent, sampled)


def test_what_is_no_message_has_no_origin():
    assert origin_of([None, "text", {"Attributes": None}, {"attributes": {"AWSTraceHeader": 1}}]).traces == []


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


def run(code: str, **variables: str) -> str:
    """Run the code in a separate process, and return its output."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "unit")])
    environment = {**os.environ, "PYTHONPATH": path, "SEARCH_URL": "http://search.test", **variables}
    command = [sys.executable, "-W", "error::DeprecationWarning:service", "-c", textwrap.dedent(code)]
    answer = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


INVOKED = """
    import os, sys
    from types import SimpleNamespace
    from builders import lambda_event, sqs_message, stream_record
    from fakes import Items
    from search_model import SearchModel
    from service.entrypoints.lambda_handler import handler_for
    import service.context

    service.context.make_search_client = lambda settings: SearchModel()
    handle = handler_for(Items)
    parent = SimpleNamespace(get_remaining_time_in_millis=lambda: 30_000, aws_request_id="r-1")
    def invoke(trace, *records):
        os.environ["_X_AMZN_TRACE_ID"] = trace
        assert handle(lambda_event(*records), parent) == {"batchItemFailures": []}
    record = lambda name: stream_record(new={"id": name})
"""


def test_nothing_of_the_sdk_is_loaded_unless_batches_are_traced():
    code = textwrap.dedent(INVOKED) + "invoke('', record('a'))\nprint('aws_xray_sdk' in sys.modules)"
    assert run(code, STREAMDEX_HINT_AFTER="1e12") == "False\n"
    assert run(code, STREAMDEX_HINT_AFTER="1e12", STREAMDEX_TRACE="true") == "True\n"


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


def test_in_a_lambda_the_batch_is_a_part_of_the_invocation_s_segment(daemon):
    code = textwrap.dedent(INVOKED) + textwrap.dedent(f"""
        invoke("Root={TRACE};Parent={PARENT};Sampled=1", record("a"), record("b"))
        invoke("Root={OTHER};Parent=00000000000000bb;Sampled=1;Lineage=1:2:3", record("c"))
        invoke("Root=1-65a7d2c0-000000000000000000000003;Parent=00000000000000cc;Sampled=0", record("d"))
        queued = sqs_message(record("e"))
        queued["attributes"]["AWSTraceHeader"] = "Root={OTHER};Sampled=1"
        invoke("Root={TRACE};Parent={PARENT};Sampled=1", queued)
    """)
    run(
        code,
        STREAMDEX_TRACE="true",
        STREAMDEX_HINT_AFTER="1e12",
        READ_QUEUE=CHANGES,
        LAMBDA_TASK_ROOT="/var/task",
        AWS_XRAY_DAEMON_ADDRESS=daemon.address,
    )
    documents = daemon.documents()
    batches = [document for document in documents if document["name"].startswith("lambda")]
    assert [(batch["trace_id"], batch["parent_id"]) for batch in batches] == [
        (TRACE, PARENT),
        (OTHER, "00000000000000bb"),
        (TRACE, PARENT),
    ]
    assert [batch["name"] for batch in batches] == ["lambda dynamodb", "lambda dynamodb", "lambda sqs"]
    assert batches[0]["annotations"] | {"x": 0} == {
        "source": "lambda dynamodb",
        "records": 2,
        "table": "images",
        "applied": 2,
        "x": 0,
    }
    assert batches[2]["annotations"]["traces"] == OTHER
    within = [document["name"] for document in documents if document["parent_id"] == batches[0]["id"]]
    assert within == ["decode", "fakes:Items", "search"]
    assert all(document["type"] == "subsegment" for document in documents)


def test_a_lambda_s_event_that_holds_nothing_known_leaves_no_trace(daemon):
    code = textwrap.dedent(INVOKED) + textwrap.dedent("""
        os.environ["_X_AMZN_TRACE_ID"] = "Root=1-65a7d2c0-000000000000000000000001;Parent=00000000000000aa"
        try:
            handle({"hello": "world"}, parent)
        except Exception as error:
            print(type(error).__name__)
    """)
    said = run(code, STREAMDEX_TRACE="true", LAMBDA_TASK_ROOT="/var/task", AWS_XRAY_DAEMON_ADDRESS=daemon.address)
    assert said == "UnknownEvent\n"
    assert daemon.documents() == []
