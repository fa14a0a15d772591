"""A replay: the selected records, its speed, and its report of records that it could not write."""

from __future__ import annotations

import json
from email.utils import formatdate
from types import SimpleNamespace
from typing import Any

import pytest
from builders import s3_record, stream_record
from fakes import NOW, Bench, Items, records

from service.commands.replay.pace import ReplayRate, speed_of
from service.commands.replay.replay import DatedNow, replay
from service.commands.replay.selection import Selection
from service.context import Context
from service.errors import SettingsError, Unreachable
from service.model import Record
from service.model.versions import MARGIN, stream_version
from service.pipeline import Outcome, Result
from service.routing import Names, Router
from service.sources.files.locations import Disk
from service.sources.files.recording import Recording

BUSY = Result(Outcome.RETRY, "busy")


def recording(tmp_path, *raws: Any) -> Recording:
    path = tmp_path / "r.jsonl"
    path.write_text("\n".join(raw if isinstance(raw, str) else json.dumps(raw) for raw in raws))
    return Recording(Disk().at(str(path)))


def run(tmp_path, bench: Bench, *names: str, **options: Any) -> Any:
    raws = [stream_record(new={"id": n}, sequence=n) for n in names]
    return replay([recording(tmp_path, *raws)], bench.dispatcher, **options)


def test_every_record_is_counted_once(tmp_path):
    replayed = run(tmp_path, Bench(Items()), "1", "2")
    assert (replayed.records, dict(replayed.counts), replayed.complete) == (2, {"applied": 2}, True)


def test_what_may_succeed_later_is_tried_again(tmp_path):
    bench = Bench(Items(), forced={"2": [BUSY, BUSY]}, tries=True)
    assert dict(run(tmp_path, bench, "1", "2").counts) == {"applied": 2}


def test_what_never_succeeds_is_told_with_the_reason(tmp_path):
    bench = Bench(Items(), forced={"2": [BUSY]})
    with pytest.raises(Unreachable, match=r"1 record could .*busy.*1 finished: run the replay again"):
        run(tmp_path, bench, "1", "2")


def test_replaying_again_changes_nothing(tmp_path):
    bench = Bench(Items())
    run(tmp_path, bench, "1", "2")
    before = dict(bench.index.documents)
    run(tmp_path, bench, "1", "2")
    assert bench.index.documents == before


# Selection.

NAMES = Names({"table/images": "images-lab"})


def taken(raws: list[Any], **which: str) -> list[int]:
    """Return the positions of the selected records."""
    takes = Selection(**which).test(NAMES)
    found: list[Record] = records(*raws)
    return [n for n, record in enumerate(found) if takes is None or takes(record)]  # type: ignore[arg-type]


TABLES = [
    stream_record(table="images-lab", new={"id": "a"}),
    stream_record(table="images", new={"id": "a"}),
    s3_record("a", bucket="images"),
]


@pytest.mark.parametrize(("table", "meant"), [("images-lab", [0]), ("images", [0, 1, 2]), ("users", [])])
def test_a_table_or_bucket_is_meant_by_its_own_name_or_by_its_logical_one(table, meant):
    assert taken(TABLES, table=table) == meant


KEYS = [
    stream_record(keys={"id": "sunset"}, new={"id": "sunset"}),
    stream_record(keys={"id": 7}, new={"id": 7}),
    stream_record(keys={"PK": "USER#1", "SK": "sunset"}, new={}),
    stream_record(keys={"PK": "sunset", "SK": b"\0\1"}, new={}),
    s3_record("album/sunset"),
]


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("sunset", [0, 2, 3]),
        ("id=sunset", [0]),
        ("PK=sunset", [3]),
        ("sun*", [0, 2, 3]),
        ("*sunset", [0, 2, 3, 4]),
        ("id=*", [0, 1]),
        ("7", [1]),
        ("USER#1,sunset", [2]),
        ("PK=USER#*,SK=sun*", [2]),
        ("AAE=", [3]),
        ("album/sunset", [4]),
        ("sun", []),
    ],
)
def test_a_key_is_meant_by_a_value_a_name_and_value_or_all_of_it_with_patterns(key, meant):
    assert taken(KEYS, key=key) == meant


TIMES = [
    *(stream_record(new={"id": "a"}, created=created) for created in (1_700_000_000, 1_700_000_001)),
    stream_record(new={"id": "a"}, created=None),  # type: ignore[arg-type]
    s3_record("k"),  # 2026-11-22T00:00:00Z
]


@pytest.mark.parametrize(
    ("which", "meant"),
    [
        ({"since": "2023-11-14T22:13:20Z"}, [0, 1, 3]),
        ({"since": "2023-11-14T22:13:21"}, [1, 3]),
        ({"since": "2023-11-14T23:13:21+01:00"}, [1, 3]),
        ({"until": "2023-11-14T22:13:21Z"}, [0]),
        ({"since": "2023-11-14T22:13:21Z", "until": "2026-11-22"}, [1]),
        ({"since": "2026-11-22"}, [3]),
    ],
)
def test_a_time_is_meant_from_since_on_and_before_until(which, meant):
    assert taken(TIMES, **which) == meant


@pytest.mark.parametrize("name", ["since", "until"])
def test_a_time_that_is_none_is_told_before_anything_is_read(name):
    with pytest.raises(SettingsError, match=f"--{name}"):
        Selection(**{name: "yesterday"}).test(NAMES)


def test_what_is_filtered_out_is_counted_and_not_dispatched(tmp_path):
    bench = Bench(Items())
    replayed = run(tmp_path, bench, "1", "2", "3", takes=Selection(key="2").test(NAMES))
    assert (replayed.filtered, dict(replayed.counts), replayed.complete) == (2, {"applied": 1}, True)
    assert list(bench.documents) == ["2"]


def test_of_what_cannot_be_read_nobody_knows_whether_it_is_meant(tmp_path):
    bench = Bench(Items())
    lines = recording(tmp_path, stream_record(new={"id": "1"}), "{broken")
    replayed = replay([lines], bench.dispatcher, takes=Selection(key="1").test(NAMES))
    assert (replayed.filtered, replayed.unreadable, replayed.complete) == (1, 1, False)
    assert bench.letters.letters == []


def test_with_one_route_the_records_of_others_are_filtered_out(tmp_path):
    lines = recording(tmp_path, stream_record(new={"id": "1"}), stream_record(table="users", new={"id": "1"}))
    replayed = replay([lines], Bench(Items()).dispatcher, one_route=True)
    assert (replayed.filtered, dict(replayed.counts), replayed.complete) == (1, {"applied": 1}, True)
    assert not replay([lines], Bench(Items()).dispatcher).complete


# Speed.


class Clock:
    """A clock that advances only by `sleep` and by the `work` of a test."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.pauses.append(round(seconds, 3))
        self.now += seconds


def paced(
    speed: str, *created: float | None, work: float = 0.0
) -> tuple[list[tuple[float, list[int]]], list[float]]:
    """Return when each group came, in seconds since the start, with its record positions; and the sleeps."""
    clock = Clock()
    raws = [stream_record(new={"id": "a"}, created=c, sequence=str(n)) for n, c in enumerate(created)]  # type: ignore[arg-type]
    parts = []
    for part in ReplayRate(speed_of(speed), lambda: clock.now, clock.sleep).parts(records(*raws)):
        parts.append((round(clock.now - 1000.0, 3), [int(record.identifier) for record in part]))
        clock.now += work
    return parts, clock.pauses


T = 1_700_000_000


def test_at_full_speed_nothing_waits():
    assert paced("max", T, T + 5, T + 100) == ([(0, [0, 1, 2])], [])


@pytest.mark.parametrize(("speed", "factor"), [("1x", 1.0), ("10x", 0.1), ("0.5x", 2.0)])
def test_records_come_when_their_times_say(speed, factor):
    parts, pauses = paced(speed, T, T, T + 5, T + 100)
    assert parts == [(0, [0, 1]), (5 * factor, [2]), (100 * factor, [3])]
    assert pauses == [5 * factor, 95 * factor]


def test_the_time_that_the_work_takes_is_not_waited_for_again():
    parts, pauses = paced("1x", T, T + 5, T + 6, T + 20, work=3.0)
    assert parts == [(0, [0]), (5, [1]), (8, [2]), (20, [3])]
    assert pauses == [2, 9]


def test_what_does_not_say_its_time_or_is_from_before_is_due_at_once():
    parts, _ = paced("1x", T, None, T + 5, T + 1, T - 50)
    assert parts == [(0, [0, 1]), (5, [2, 3, 4])]


def test_the_pace_goes_on_from_batch_to_batch(tmp_path):
    clock, bench = Clock(), Bench(Items())
    raws = [stream_record(new={"id": str(n)}, created=T + n, sequence=str(n)) for n in range(3)]
    path = tmp_path / "r.jsonl"
    path.write_text("\n".join(map(json.dumps, raws)))
    one_each = Recording(Disk().at(str(path)), size=1)
    replay([one_each], bench.dispatcher, pace=ReplayRate(1.0, lambda: clock.now, clock.sleep))
    assert clock.pauses == [1, 1]


@pytest.mark.parametrize("speed", ["", "fast", "10", "x", "0x", "-1x", "10 x"])
def test_a_speed_that_is_none_is_told(speed):
    with pytest.raises(SettingsError, match="--speed"):
        speed_of(speed)


def test_records_whose_items_are_read_again_get_the_version_of_a_backfill_of_this_moment():
    """Each table's time is requested once. A newer record, or one without a route, keeps its version."""
    asked: list[str] = []

    def describe_table(TableName):
        asked.append(TableName)
        answer = {"TableName": TableName, "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}]}
        headers = {"date": formatdate(NOW, usegmt=True)}
        return {"Table": answer, "ResponseMetadata": {"HTTPHeaders": headers}}

    dynamodb = SimpleNamespace(
        describe_table=describe_table, exceptions=SimpleNamespace(ResourceNotFoundException=KeyError)
    )
    old, newer, other = (
        stream_record(new={"id": "a"}, created=NOW - 10_000),
        stream_record(new={"id": "b"}, created=NOW - 60),
        stream_record(table="users", new={"id": "c"}, created=NOW - 10_000),
    )
    found = records(old, newer, other, old)
    before = [record.version for record in found]
    DatedNow(Context(dynamodb=dynamodb), Router([Items()]))(found)
    floor = stream_version(NOW - MARGIN, None)
    assert [record.version for record in found] == [floor, before[1], before[2], floor]
    assert asked == ["images"]
