"""Hostile messages: undeclared content becomes a dead letter, and the resources it names are never opened."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from builders import eventbridge, s3_record, sns_record, stream_record
from message_queues import EXPORT, ROUTES, SECRET, World, as_container, as_function, task
from moto import mock_aws

from service.entrypoints.lambda_handler import handler_for


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[World]:
    with mock_aws():
        yield World(monkeypatch, tmp_path)


@pytest.fixture(params=[as_container, as_function], ids=["container", "function"])
def takes(request: pytest.FixtureRequest) -> Callable[..., None]:
    found: Callable[..., None] = request.param
    return found


ATTACKS: Mapping[str, Mapping[str, Any]] = {
    "environment": {"file": "/proc/self/environ", "export": EXPORT},
    "endless": {"file": "/dev/zero", "export": EXPORT},
    "relative": {"file": "../secrets", "export": EXPORT},
    "file url": {"file": "file:///proc/self/environ", "export": EXPORT},
    "any object": {"file": "s3://private/secrets.json", "export": EXPORT},
    "beside the prefix": {"file": "s3://exports/dynamo-private/x.json", "export": EXPORT},
    "out of the prefix": {"file": "s3://exports/dynamo/../../private/secrets.json", "export": EXPORT},
    "the prefix itself": {"file": "s3://exports/dynamo/", "export": EXPORT},
    "export of another table": {
        "file": "s3://exports/dynamo/data/one.json",
        "export": EXPORT.replace("images", "others"),
    },
    "export of no table": {"file": "s3://exports/dynamo/data/one.json", "export": "x"},
    "unrelated index": {"index": "items", "into": "customers"},
    "another route's index": {"index": "others", "into": "others"},
    "index of nothing": {"into": "customers"},
    "table of no route": {"table": "customers"},
    "table of another route": {"table": "others"},
    "no such route": {"routes": ["os:system"]},
    "route that fills nothing": {"routes": ["message_queues:Uploads"]},
    "segment beyond": {"segment": 1, "segments": 1},
    "segment below": {"segment": -1},
    "no segments": {"segments": 0},
    "too many segments": {"segments": 1_000_000},
    "segment as text": {"segment": "0"},
    "segment as truth": {"segment": True, "segments": 2},
    "no units": {"units": -1},
    "units as text": {"units": "1"},
    "endless units": {"units": 1e400},
    "position of another key": {"after": json.dumps({"other": {"S": "x"}})},
    "position that is none": {"after": "[[["},
    "long position": {"after": "1" * 30_000},
    "long line": {"file": "s3://exports/dynamo/data/one.json", "export": EXPORT, "after": "9" * 5000},
    "long table": {"table": "t" * 10_000},
    "list as table": {"table": ["images"]},
    "map as routes": {"routes": {"a": 1}},
    "numbers as routes": {"routes": [1]},
    "time as text": {"file": "s3://exports/dynamo/data/one.json", "export": EXPORT, "time": "now"},
}


@pytest.mark.parametrize("mark", ["streamdex-task", "streamdex-part"])
def test_a_backfill_task_in_any_other_queue_is_a_dead_letter(world: World, takes: Any, mark: str):
    """This includes tasks that the task queue would accept."""
    bodies = [task(mark, **attack) for name, attack in ATTACKS.items() if name != "endless units"]
    bodies += [
        task(mark),
        sns_record(task(mark, segments=4))["Sns"] | {"Type": "Notification"},
        [task(mark, segments=2)],
    ]
    nested = {
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:tasks",
        "body": json.dumps(task(mark, segments=3)),
    }
    world.send("uploads", *bodies, {"Records": [nested]})
    world.set("READ_QUEUE", "uploads,changes=table/images")
    world.set("STREAMDEX_TASK_QUEUE", "tasks")
    takes(world, "uploads")
    assert (world.search.written, world.opened, world.left("tasks")) == ([], [], 0)
    assert len(world.letters) == len(bodies) + 1
    for reason in world.reasons():
        assert "queue uploads" in reason
        assert "STREAMDEX_TASK_QUEUE" in reason


def test_without_a_task_queue_no_queue_is_one(world: World, takes: Any):
    world.send("uploads", task(), task(file="/proc/self/environ", export=EXPORT))
    world.set("READ_QUEUE", "uploads")
    takes(world, "uploads")
    assert (world.search.written, world.opened, len(world.letters)) == ([], [], 2)


def test_what_a_task_may_not_name_is_never_opened_and_its_content_is_in_no_dead_letter(world: World, takes: Any):
    world.set("STREAMDEX_TASK_QUEUE", "tasks")
    world.set("STREAMDEX_EXPORT_PREFIX", "s3://exports/dynamo")
    for name, attack in ATTACKS.items():
        world.send("tasks", task(**attack, attack=name))
    takes(world, "tasks")
    kept = {letter["record"]["attack"]: letter["reason"] for letter in world.letters}
    assert set(kept) == set(ATTACKS)
    assert [name for name, reason in kept.items() if not reason.startswith("not accepted: a backfill task")] == []
    assert (world.search.written, world.opened) == ([], [])
    assert SECRET not in json.dumps(world.letters)


def test_files_are_read_under_the_configured_prefix_only(world: World, takes: Any):
    """The dead letter of a line that is not an item of the table names the line, and does not quote it."""
    inside = task(file="s3://exports/dynamo/data/one.json", export=EXPORT)
    world.set("STREAMDEX_TASK_QUEUE", "tasks")
    world.send("tasks", inside)
    takes(world, "tasks")
    (letter,) = world.letters
    assert "STREAMDEX_EXPORT_PREFIX" in letter["reason"]
    assert world.search.written == []
    world.set("STREAMDEX_EXPORT_PREFIX", "s3://exports/dynamo/")
    world.send("tasks", inside)
    takes(world, "tasks")
    assert set(world.search.written) == {("items", "true")}
    assert [letter["record"] for letter in world.letters if "one.json" in letter["reason"]] == [
        {"file": "s3://exports/dynamo/data/one.json", "line": "one.json:2"}
    ]
    assert SECRET not in json.dumps(world.letters)


def test_the_task_queue_brings_tasks_and_nothing_else(world: World, takes: Any):
    forged = stream_record(new={"id": "forged"})
    world.send("tasks", task(), task("streamdex-part"), forged, {"bucket": "images-in", "key": "k"})
    world.set("STREAMDEX_TASK_QUEUE", "tasks")
    takes(world, "tasks")
    assert set(world.search.written) == {("items", "true")}
    assert len(world.letters) == 2
    assert all("queue tasks carries backfill tasks" in reason for reason in world.reasons())


@pytest.mark.parametrize("declared", ["uploads", "uploads=bucket/images-in"])
def test_a_forged_stream_record_among_uploads_is_a_dead_letter(world: World, takes: Any, declared: str):
    forged, other = (stream_record(new={"id": name, "title": "x"}, created=3_450_000_000) for name in "ab")
    world.send("uploads", forged, {"Records": [other]}, {"bucket": "images-in", "key": "a.jpg"})
    world.set("READ_QUEUE", declared)
    world.s3.create_bucket(Bucket="images-in")
    world.s3.put_object(Bucket="images-in", Key="a.jpg")
    takes(world, "uploads")
    assert set(world.search.written) == {("uploads", "a.jpg")}
    assert sorted((letter["record"] for letter in world.letters), key=str) == sorted([forged, other], key=str)
    for reason in world.reasons():
        assert "queue uploads carries notifications of bucket images-in" in reason
        assert "this is a stream record of table images" in reason
        assert "READ_QUEUE=QUEUE=table/images" in reason


def test_a_queue_carries_what_it_is_declared_to(world: World, takes: Any):
    world.set("READ_QUEUE", "changes=table/images")
    others = stream_record(table="others", keys={"id": "x"}, new={"id": "x"})
    pointer = {"bucket": "images-in", "key": "a.jpg"}
    world.send("changes", stream_record(new={"id": "good"}, created=0), others, pointer)
    takes(world, "changes")
    assert len(world.letters) == 2
    assert {index for index, _ in world.search.written} == {"items"}


def test_uploads_of_another_bucket_are_dead_letters(world: World, takes: Any):
    elsewhere = [s3_record("k", bucket="elsewhere"), eventbridge("k", bucket="elsewhere")]
    world.send("uploads", *elsewhere)
    world.set("READ_QUEUE", "uploads")
    takes(world, "uploads")
    assert ["bucket elsewhere" in reason for reason in world.reasons()] == [True, True]


@pytest.mark.parametrize(
    "event",
    [task(), [task()], {"Records": [task()]}, {"Records": [sns_record(task())]}],
    ids=["alone", "list", "record", "topic"],
)
def test_a_function_takes_no_task_that_is_not_a_message_of_the_task_queue(world: World, event: Any):
    world.set("STREAMDEX_TASK_QUEUE", "tasks")
    handler_for(*ROUTES)(event, None)
    assert (world.search.written, len(world.letters)) == ([], 1)


def test_a_topic_that_calls_a_function_carries_uploads_and_no_stream_records(world: World):
    handler_for(*ROUTES)({"Records": [sns_record(stream_record(new={"id": "forged"}))]}, None)
    assert world.search.written == []
    assert "topic " in world.letters[0]["reason"]


def test_a_function_believes_the_stream_that_calls_it(world: World):
    event = {"Records": [stream_record(new={"id": "good", "title": "x"})]}
    assert handler_for(*ROUTES)(event, None) == {"batchItemFailures": []}
    assert world.search.written == [("items", "good")]
