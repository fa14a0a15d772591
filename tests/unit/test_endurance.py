"""The parts of `make endurance`: the detection of growth, the count of records, and one record for each write."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from tests.endurance.container import Story
from tests.endurance.curve import MIB, Sample, growth, sample, table, tenths
from tests.endurance.writer import KEYS, Writer

A_MILLION = 1_000_000


def run(
    memory_per_record: float = 0.0, files_per_page: float = 0.0, threads_per_page: float = 0.0
) -> list[Sample]:
    """Return samples of a process that leaks memory with each record, and files and threads with each page."""
    return [
        Sample(
            seconds=records / 1000,
            records=records,
            memory=85 * MIB + memory_per_record * records,
            cpu=records / 5000,
            files=9 + files_per_page * records // 1000,
            threads=6 + threads_per_page * records // 1000,
        )
        for records in range(0, A_MILLION + 1, 2000)
    ]


def test_what_stays_flat_is_well():
    assert growth(tenths(run())) == []


@pytest.mark.parametrize(
    ("kept", "grown"),
    [
        ({"memory_per_record": 25}, "memory"),
        ({"files_per_page": 0.01}, "files"),
        ({"threads_per_page": 0.002}, "threads"),
    ],
)
def test_what_is_kept_of_every_record_or_page_is_found(kept: dict[str, float], grown: str):
    (found,) = growth(tenths(run(**kept)))
    assert grown in found


def test_what_is_there_for_a_moment_is_not_taken_for_growth():
    samples = run()
    samples[-7] = replace(samples[-7], files=90, threads=60)
    assert growth(tenths(samples)) == []


def test_the_curve_ends_each_tenth_where_its_records_are_done():
    rows = tenths(run())
    assert [row.records for row in rows] == [A_MILLION * part // 10 for part in range(1, 11)]
    assert [len(line.split()) for line in table(rows).splitlines()[1:]] == [7] * 10


def test_one_sample_may_end_several_tenths():
    few = [run()[0], replace(run()[-1], records=900), replace(run()[-1], records=1000)]
    assert [row.records for row in tenths(few)] == [900] * 9 + [1000]


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_a_process_is_seen_to_take_memory_files_and_threads(tmp_path):
    before = sample(os.getpid(), 0.0, 0)
    held, going_on = b"x" * (64 * MIB), Event()
    waiting = Thread(target=going_on.wait)
    waiting.start()
    with (tmp_path / "file").open("w"):
        after = sample(os.getpid(), 1.0, 10)
    going_on.set()
    waiting.join()
    assert after.memory - before.memory > 60 * MIB < len(held)
    assert (after.files - before.files, after.threads - before.threads) == (1, 1)
    assert after.cpu >= before.cpu > 0


def said(log: Path, *lines: dict[str, Any]) -> None:
    with log.open("a") as file:
        file.writelines(json.dumps({"level": "INFO", **line}) + "\n" for line in lines)


def test_records_are_counted_as_the_log_goes_on(tmp_path):
    log = tmp_path / "log"
    story = Story(log)
    said(
        log,
        {"event": "started reading"},
        {"event": "batch dispatched", "records": 10, "applied": 7, "stale": 2, "retry": 1},
    )
    assert story.read_on()
    assert story.done == 9
    with log.open("a") as file:
        file.write('{"level": "INFO", "event": "batch dispat')
    assert not story.read_on()
    with log.open("a") as file:
        file.write('ched", "records": 2, "rejected": 1, "skipped": 1, "ms": 5}\n')
    assert story.read_on()
    assert (story.done, story.outcomes["retry"]) == (11, 1)


def test_errors_of_the_container_are_kept(tmp_path):
    said(tmp_path / "log", {"event": "halted", "level": "ERROR", "reason": "no index"})
    story = Story(tmp_path / "log")
    story.read_on()
    assert story.errors == ["halted: no index"]


class Table:
    """A table that accepts half of each request, and counts the writes that create a stream record."""

    def __init__(self) -> None:
        self.items: dict[str, Any] = {}
        self.events: list[str] = []

    def batch_write_item(self, RequestItems: dict[str, list[Any]]) -> dict[str, Any]:
        ((name, changes),) = RequestItems.items()
        taken = (len(changes) + 1) // 2
        for change in changes[:taken]:
            self._take(change)
        return {"UnprocessedItems": {name: changes[taken:]} if changes[taken:] else {}}

    def _take(self, change: dict[str, Any]) -> None:
        if "DeleteRequest" in change:
            if self.items.pop(change["DeleteRequest"]["Key"]["id"]["S"], None):
                self.events.append("REMOVE")
            return
        item = change["PutRequest"]["Item"]
        if self.items.get(item["id"]["S"]) != item:
            self.events.append("MODIFY" if item["id"]["S"] in self.items else "INSERT")
        self.items[item["id"]["S"]] = item


@pytest.mark.long
def test_each_write_makes_one_record_of_every_kind():
    place, records = Table(), 3 * KEYS
    writer = Writer(place, "images", 1, records, lambda: True, Event())
    writer.run()
    assert writer.error is None
    assert len(place.events) == writer.written == records
    assert set(place.events) == {"INSERT", "MODIFY", "REMOVE"}


def test_a_writer_waits_until_the_reader_has_caught_up():
    place, stopping = Table(), Event()
    asked = []

    def may_write() -> bool:
        asked.append(len(place.events))
        return len(asked) % 2 == 0

    Writer(place, "images", 1, 100, may_write, stopping).run()
    assert asked == [0, 0, 25, 25, 50, 50, 75, 75]
