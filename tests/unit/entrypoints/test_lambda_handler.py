"""The Lambda handler: from a whole event to the response that its source reads."""

from __future__ import annotations

import gc
import json
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from builders import CHANGES, eventbridge, lambda_event, s3_record, sqs_message, stream_record

from service import BucketRoute, Index, Retry, TableRoute, setting
from service.entrypoints import lambda_handler
from service.entrypoints.lambda_handler import Repeats, handler_for
from service.errors import Halt, SettingsError, UnknownEvent

PARENT = SimpleNamespace(get_remaining_time_in_millis=lambda: 30_000, aws_request_id="r-1")


class Search:
    """A search server that answers bulk requests, with a 429 for every id in `busy`."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.busy: set[str] = set()
        self.indices = SimpleNamespace(get_alias=lambda index: {index.rstrip("*"): {"aliases": {}}})

    def bulk(self, body: bytes) -> Any:
        self.bodies.append(body)
        metas = [m for m in map(json.loads, body.splitlines()) if set(m) <= {"index", "delete"}]
        ids = [next(iter(meta.values()))["_id"] for meta in metas]
        return {"items": [{"index": {"status": 429 if name in self.busy else 200}} for name in ids]}

    def close(self) -> None:
        pass


class Items(TableRoute):
    table: ClassVar = "images"
    key: ClassVar = {"id": "S"}
    index: ClassVar = "items"

    def document(self, item):
        return {"title": item["title"]}


class Uploads(BucketRoute):
    bucket: ClassVar = "images-in"
    index: ClassVar = "uploads"

    def created(self, upload, context):
        if upload.key == "later":
            raise Retry("not yet")
        return [Index({"left": context.remaining_time()})]

    def deleted(self, upload, context):
        return []


@pytest.fixture
def search(monkeypatch, tmp_path):
    client = Search()
    monkeypatch.setattr("service.context.make_search_client", lambda settings: client)
    monkeypatch.setenv("SEARCH_URL", "http://search.test")
    monkeypatch.setenv("STREAMDEX_RETRY_TIME", "0")
    monkeypatch.setenv("STREAMDEX_HINT_AFTER", "1e12")
    monkeypatch.setenv("STREAMDEX_DEAD_LETTERS", str(tmp_path / "letters"))
    return client


def letters(tmp_path):
    return [json.loads(path.read_text()) for path in (tmp_path / "letters").glob("*.json")]


def record(name: str, **rest: Any) -> Any:
    return stream_record(new={"id": name, "title": "T"}, **rest)


def test_a_time_to_give_up_that_a_stream_does_not_have_is_refused_for_routes_of_tables(search, monkeypatch):
    monkeypatch.setenv("STREAMDEX_RETRY_FOR", "100000")
    with pytest.raises(SettingsError, match="STREAMDEX_RETRY_FOR well below a day"):
        handler_for(Items)(lambda_event(record("a")), PARENT)
    assert handler_for(Uploads)(lambda_event(s3_record("a")), PARENT) is None


def test_a_stream_event_is_indexed_and_answered_with_an_empty_list(search):
    assert handler_for(Items)(lambda_event(record("a")), PARENT) == {"batchItemFailures": []}
    assert b'"_id":"a"' in search.bodies[0]


def test_the_lowest_record_that_must_come_again_is_answered(search):
    search.busy = {"b", "c"}
    event = lambda_event(*[record(name, sequence=str(n)) for n, name in enumerate("abcd", 10)])
    assert handler_for(Items)(event, PARENT) == {"batchItemFailures": [{"itemIdentifier": "11"}]}


def test_a_rejected_record_is_kept_and_not_answered(search, tmp_path):
    event = lambda_event(stream_record(new={"id": "a"}), record("b", sequence="2"))
    assert handler_for(Items)(event, PARENT) == {"batchItemFailures": []}
    assert letters(tmp_path)[0]["record"] == event["Records"][0]


def test_what_s3_will_not_deliver_again_is_kept_as_exhausted(search, tmp_path):
    event = lambda_event(s3_record("later"), s3_record("fine"))
    assert handler_for(Uploads)(event, PARENT) is None
    (letter,) = letters(tmp_path)
    assert letter["reason"].startswith("not redelivered by its source:")
    assert letter["record"] == event["Records"][0]


def test_what_a_queue_will_deliver_again_is_not_kept(search, tmp_path):
    event = lambda_event(sqs_message(lambda_event(s3_record("later")), "m-1"))
    assert handler_for(Uploads)(event, PARENT) == {"batchItemFailures": [{"itemIdentifier": "m-1"}]}
    assert letters(tmp_path) == []


def test_a_route_sees_the_time_that_the_lambda_has_left(search):
    handler_for(Uploads)(lambda_event(s3_record("a")), PARENT)
    assert b'{"left":30.0}' in search.bodies[0]


def test_an_ignored_event_of_eventbridge_is_skipped_and_counted(search, tmp_path, monkeypatch, capsys):
    class Deaf(Uploads):
        ignore: ClassVar = ("ObjectTagging",)

    monkeypatch.setenv("STREAMDEX_METRICS", "emf")
    assert handler_for(Deaf)(eventbridge("a b+c%.jpg", "Object Tags Added"), PARENT) is None
    assert letters(tmp_path) == []
    counted = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [entry["records"] for entry in counted if entry.get("outcome") == "skipped"] == [1]


def test_a_handler_for_some_events_leaves_others_alone(search, tmp_path):
    event = lambda_event(s3_record("a", "ObjectTagging:Put"), s3_record("b"))
    handler_for(Uploads, events={"ObjectCreated"})(event, PARENT)
    assert letters(tmp_path) == []
    assert b'"_id":"b"' in search.bodies[0]


def test_nothing_known_in_the_event_is_an_error_that_lambda_sees(search):
    with pytest.raises(UnknownEvent, match="unknown payload"):
        handler_for(Items)({"hello": "world"}, PARENT)


def test_settings_are_read_once_and_only_when_called(search, monkeypatch):
    class Short(Uploads):
        pass

    monkeypatch.setenv("STREAMDEX_BULK_ACTIONS", "nonsense")
    handler = handler_for(Short)
    monkeypatch.setenv("STREAMDEX_BULK_ACTIONS", "1")
    event = lambda_event(s3_record("a"), s3_record("b"))
    handler(event, PARENT)
    assert len(search.bodies) == 2
    monkeypatch.setenv("STREAMDEX_BULK_ACTIONS", "1000")
    handler(event, PARENT)
    assert len(search.bodies) == 4


def test_command_line_arguments_of_the_process_are_never_read(search, monkeypatch):
    monkeypatch.setattr("sys.argv", ["bootstrap", "--no-such-option"])
    assert handler_for(Items)(lambda_event(record("a")), PARENT) == {"batchItemFailures": []}


def test_the_handler_serves_the_routes_that_func_chooses(search, monkeypatch):
    monkeypatch.setenv("FUNC", "images")
    handler = handler_for()
    handler(lambda_event(stream_record(new={"id": "a", "title": "Dusk"})), PARENT)
    assert b'"title":"Dusk"' in search.bodies[0]
    assert callable(lambda_handler.handler)


def test_the_settings_of_routes_come_from_variables_too(search, monkeypatch):
    from dataclasses import dataclass

    @dataclass(frozen=True)
    class Labelled(Uploads):
        label: str = setting("none", "what uploads are called")

        def created(self, upload, context):
            return [Index({"label": self.label})]

    monkeypatch.setenv("LABEL", "dusk")
    handler_for(Labelled)(lambda_event(s3_record("a")), PARENT)
    assert b'{"label":"dusk"}' in search.bodies[0]


def test_each_line_of_an_invocation_has_its_request_id(search, capsys):
    handle = handler_for(Items)
    for name in ("r-1", "r-2"):
        search.busy = {"a"}
        handle(
            lambda_event(record("a", sequence="11")), SimpleNamespace(**{**vars(PARENT), "aws_request_id": name})
        )
        told = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
        assert [(line["event"], line["request_id"]) for line in told] == [
            ("batch dispatched", name),
            ("will be redelivered", name),
        ]
        assert (told[0]["first"], told[0]["last"]) == ("11", "11")


def s3_event(key: str) -> Any:
    return lambda_event(s3_record(key))


def test_a_repeated_request_is_dropped_only_where_that_is_wanted_and_only_once_seen(search, monkeypatch):
    for wanted, requests in (("", 2), ("true", 1)):
        monkeypatch.setenv("STREAMDEX_DROP_REPEATS", wanted)
        search.bodies.clear()
        handler = handler_for(Uploads)
        assert [handler(s3_event("a"), PARENT) for _ in range(2)] == [None, None]
        assert len(search.bodies) == requests
    handler(s3_event("a"), SimpleNamespace(get_remaining_time_in_millis=lambda: 30_000, aws_request_id="r-2"))
    assert len(search.bodies) == 2


def test_what_a_stream_or_a_queue_delivers_is_never_dropped(search, monkeypatch):
    monkeypatch.setenv("READ_QUEUE", CHANGES)
    monkeypatch.setenv("STREAMDEX_DROP_REPEATS", "true")
    handler = handler_for(Items)
    for _ in range(2):
        assert handler(lambda_event(sqs_message(record("a"))), PARENT) == {"batchItemFailures": []}
    assert len(search.bodies) == 2


def test_a_repeat_is_dropped_also_after_the_first_has_failed(search, monkeypatch, tmp_path):
    monkeypatch.setenv("STREAMDEX_DROP_REPEATS", "true")
    monkeypatch.setenv("STREAMDEX_DEAD_LETTERS", str(tmp_path / "file" / "letters"))
    (tmp_path / "file").write_text("no folder")
    handler = handler_for(Uploads)
    with pytest.raises(Halt):
        handler(s3_event("later"), PARENT)
    assert handler(s3_event("later"), PARENT) is None


def test_the_ids_that_are_remembered_are_bounded():
    repeats = Repeats(most=2)
    assert [repeats.has_seen(name) for name in ("a", "b", "c", "a", "c", "", "")] == [
        False, False, False, False, True, False, False
    ]  # fmt: skip


def test_python_looks_for_no_cycles_while_an_event_is_worked_off_and_does_again_after_it(search):
    seen = []

    class Watching(Items):
        def document(self, item):
            seen.append(gc.isenabled())
            return super().document(item)

    handler = handler_for(Watching)
    handler(lambda_event(record("a"), record("b", event="MODIFY")), PARENT)
    assert seen
    assert not any(seen)
    assert gc.isenabled()
    with pytest.raises(UnknownEvent):
        handler({"nothing": "known"}, PARENT)
    assert gc.isenabled()
