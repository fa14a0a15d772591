"""The log: no line contains a secret or a value of an item, whatever the outcome of the item."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from botocore.exceptions import ClientError
from builders import s3_record, stream_record
from fakes import FakeQueue, Items, records
from opensearchpy.exceptions import AuthorizationException, RequestError, TransportError
from search_model import parse

from service import BucketRoute, PutItem, Reject, Retry, Skip, TableRoute
from service.bootstrap.application import App
from service.context import Context
from service.errors import Halt
from service.model import Revision
from service.pipeline import Delivery
from service.pipeline.workers import Worker
from service.settings import Settings
from service.sources.sqs.queue_source import QueueSource

KEY, VALUE, OBJECT = "key-violet", "value-indigo", "object-crimson"
SECRETS = ("secret-ochre", "secret-umber", "secret-sienna")


class Search:
    """A search server that answers each action or request with `answer`, and quotes the document as servers do."""

    def __init__(self, answer: Any = 200):
        self.answer = answer
        self.indices = SimpleNamespace(get_alias=lambda index: {index.rstrip("*"): {"aliases": {}}})

    def bulk(self, body: bytes) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return {"items": [{"index": self._item(line.decode())} for _, line in parse(body)]}

    def close(self) -> None:
        pass

    def _item(self, line: str) -> Any:
        if self.answer == 200:
            return {"status": 200}
        status, kind, *reason = self.answer
        return {"status": status, "error": {"type": kind, "reason": "".join(reason) or f"failed: source[{line}]"}}


def quoting(status: int) -> TransportError:
    kind = {400: RequestError, 403: AuthorizationException}.get(status, TransportError)
    return kind(status, "some_exception", {"error": {"type": "some_exception", "reason": f"{KEY} {VALUE}"}})


def raised(error: type[Exception]) -> type[TableRoute]:
    class Raising(Items):
        def document(self, item):
            if error is ClientError:
                raise ClientError({"Error": {"Code": "ValidationException", "Message": item["n"]}}, "Query")
            raise error(f"{item['id']} has {item['n']}")

    return Raising


class Wanting(Items):
    def wants(self, record):
        raise ValueError(record.new["n"])


class Numberless(Items):
    def document(self, item):
        return {"n": float("nan"), "id": item["id"]}


class Silent(Items):
    ignore: ClassVar = ()

    def insert(self, record, context):
        return [record.new["n"]]


class Uploads(BucketRoute):
    bucket: ClassVar = "images-in"
    writes: ClassVar = {"table": "images"}

    def created(self, upload, context):
        return [PutItem({"id": KEY, "n": SimpleNamespace(value=VALUE)})]

    def deleted(self, upload, context):
        return []


@pytest.fixture
def app(tmp_path) -> Iterator[Any]:
    made = []

    def make(*routes: Any, answer: Any = 200, **options: Any) -> App:
        settings = Settings(
            search_url=f"http://u:{SECRETS[0]}@search.test",
            search_auth="basic",
            search_password=SECRETS[1],
            aws_secret_access_key=SECRETS[2],
            dead_letters=str(tmp_path / "letters"),
            hint_after=1e12,
            log_format="json",
            **{"retry_time": 0.0, **options},
        )
        dynamodb = SimpleNamespace(describe_table=lambda **_: {"Table": {"KeySchema": []}})
        made.append(
            App(
                settings,
                [route() for route in routes],
                Context(settings, search=Search(answer), dynamodb=dynamodb),
            )
        )
        return made[-1]

    yield make
    for built in made:
        built.close()


def letters(tmp_path: Path) -> str:
    return "".join(path.read_text() for path in (tmp_path / "letters").glob("*.json"))


def told(capsys: Any) -> list[dict[str, Any]]:
    """Return the log lines, after a check that none contains a value that must not be logged."""
    text = capsys.readouterr().err
    for hidden in (KEY, VALUE, *SECRETS):
        assert hidden not in text
    lines = [json.loads(line) for line in text.splitlines()]
    for line in lines:
        assert OBJECT not in json.dumps({**line, "key": ""})
        assert line["level"] != "INFO" or "key" not in line
    return lines


RAW = stream_record(new={"id": KEY, "n": VALUE})


@pytest.mark.parametrize("error", [ValueError, KeyError, RuntimeError, Reject, ClientError])
def test_an_error_of_a_route_is_named_by_its_class_and_kept_in_full(app, tmp_path, capsys, error):
    built = app(raised(error))
    built.dispatcher.run(Delivery(records(RAW), "table images"))
    (_, line) = told(capsys)
    assert line["event"] == "record moved to dead letters"
    assert line["level"] == "ERROR"
    assert error.__name__ in line["reason"]
    assert VALUE in letters(tmp_path).split('"record"')[0]


def test_the_place_of_a_mistake_is_told(app, capsys):
    app(raised(ValueError)).dispatcher.run(Delivery(records(RAW), "table images"))
    assert "(test_secrecy.py, line " in told(capsys)[1]["reason"]


@pytest.mark.parametrize(
    ("route", "words"),
    [
        (Wanting, "ValueError"),
        (Numberless, "not a finite number"),
        (Silent, "Reject"),
    ],
)
def test_whatever_makes_a_record_be_refused_quotes_nothing(app, capsys, route, words):
    app(route).dispatcher.run(Delivery(records(RAW), "table images"))
    (_, line) = told(capsys)
    assert words in line["reason"]


def test_an_event_without_a_method_is_told_without_the_item_s_key(app, tmp_path, capsys):
    class Inserts(TableRoute):
        table: ClassVar = "images"
        key: ClassVar = {"id": "S"}
        index: ClassVar = "items"

        def insert(self, record, context):
            return []

    app(Inserts).dispatcher.run(
        Delivery(records(stream_record("MODIFY", new={"id": KEY, "n": VALUE})), "table images")
    )
    (_, line) = told(capsys)
    assert line["reason"].startswith("Unimplemented: eventName=MODIFY")
    assert f"Unimplemented: id={KEY} eventName=MODIFY" in letters(tmp_path)


@pytest.mark.parametrize("error", [Retry, TimeoutError, Skip])
def test_what_has_to_come_again_quotes_nothing(app, capsys, error):
    app(raised(error), retry_time=0.3).dispatcher.run(Delivery(records(RAW), "table images"))
    lines = told(capsys)
    assert lines
    assert error is Skip or {line["event"] for line in lines} >= {"batch dispatched", "will be redelivered"}


@pytest.mark.parametrize(
    "answer",
    [
        (400, "mapper_parsing_exception"),
        (400, "strict_dynamic_mapping_exception"),
        (429, "es_rejected_execution_exception"),
        (503, "unavailable_shards_exception"),
        (403, "cluster_block_exception"),
        (409, "version_conflict_engine_exception"),
        quoting(400),
        quoting(413),
        quoting(429),
        quoting(503),
    ],
    ids=str,
)
def test_what_the_search_server_quotes_stays_out_of_the_log(app, capsys, answer):
    dispatcher = app(Items, answer=answer, retry_time=3.5).dispatcher
    words = ""
    try:
        dispatcher.run(Delivery(records(RAW), "table images", retry_time=3.2))
    except Halt as halt:  # the log also contains its message
        words = str(halt)
    assert not {hidden for hidden in (KEY, VALUE) if hidden in words}
    lines = told(capsys)
    assert lines[0]["event"] in ("batch dispatched", "retrying")


def test_the_kind_of_a_refusal_is_told(app, capsys):
    app(Items, answer=(400, "mapper_parsing_exception")).dispatcher.run(Delivery(records(RAW), "table images"))
    assert told(capsys)[1]["reason"] == "index items: mapper_parsing_exception"


def test_a_mapping_conflict_is_told_in_words(app, capsys):
    conflict = f"failed to parse field [n] of type [long] in document with id '{KEY}'. Preview: '{VALUE}'"
    built = app(Items, answer=(400, "mapper_parsing_exception", conflict))
    built.dispatcher.run(Delivery(records(RAW), "table images"))
    assert (
        told(capsys)[1]["reason"] == "index items: mapping conflict: field n contains text, but is mapped as long"
    )


def test_what_is_given_up_quotes_nothing(app, tmp_path, capsys):
    app(raised(Retry)).dispatcher.run(Delivery(records(RAW), "lambda s3", redelivers=False))
    (_, line) = told(capsys)
    assert (
        line["reason"]
        == "not redelivered by its source: test_secrecy:raised.<locals>.Raising INSERT of table images: Retry"
    )
    assert f"{KEY} has {VALUE}" in letters(tmp_path)


def test_at_debug_the_whole_reason_is_told(app, capsys):
    app(raised(ValueError), log_level="DEBUG").dispatcher.run(Delivery(records(RAW), "table images"))
    assert f"{KEY} has {VALUE}" in capsys.readouterr().err


def test_an_object_is_named_where_somebody_is_needed_and_nowhere_else(app, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(
        "service.sources.current_state.Lookups.revision", lambda self, upload: Revision(etag="now")
    )
    built = app(Uploads)
    built.dispatcher.run(Delivery(records(s3_record(OBJECT)), "queue uploads"))
    (_, line) = told(capsys)
    assert (line["bucket"], line["key"]) == ("images-in", OBJECT)
    assert VALUE in letters(tmp_path)


def test_an_object_that_cannot_be_looked_at_is_not_named_in_the_reason(app, capsys, monkeypatch):
    def revision(self: Any, upload: Any) -> Revision | None:
        raise TimeoutError(upload.key)

    monkeypatch.setattr("service.sources.current_state.Lookups.revision", revision)
    app(Uploads).dispatcher.run(Delivery(records(s3_record(OBJECT)), "queue uploads"))
    assert [line["level"] for line in told(capsys)] == ["INFO", "WARNING"]


@pytest.mark.parametrize("error", ["route", "search"])
def test_a_halt_says_what_to_mend_and_quotes_nothing(app, capsys, error):
    class Forbidden(Items):
        def document(self, item):
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetObject")

    denied = AuthorizationException(403, "security_exception", "no permissions for [indices:data/write/bulk]")
    built = app(Forbidden) if error == "route" else app(Items, answer=denied)
    stopping = Event()
    queue = FakeQueue(RAW)
    built.context._clients["sqs"] = queue
    source = QueueSource(built.context, "uploads", stopping, observer=built.observer)
    worker = Worker(source, built.dispatcher, stopping)
    worker._pause.longer = lambda reason, halted=False: (tell(reason), stopping.set())  # type: ignore[method-assign]
    said: list[str] = []
    tell = said.append
    worker.run()
    assert said
    assert "permission" in said[0]
    assert KEY not in said[0]
    told(capsys)


def test_a_halt_of_a_lambda_keeps_the_records_and_quotes_nothing(app, tmp_path, capsys):
    with pytest.raises(Halt) as halt:
        app(Items, answer=quoting(404)).dispatcher.run(Delivery(records(RAW), "lambda s3", redelivers=False))
    assert KEY not in str(halt.value)
    assert [line["event"] for line in told(capsys)] == ["batch dispatched", "record moved to dead letters"]
    assert KEY in letters(tmp_path)
