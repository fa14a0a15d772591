"""Log lines: one event per line, as text or JSON, whatever the key of an item contains."""

from __future__ import annotations

import json
import logging

import pytest
from builders import s3_record, stream_record
from fakes import records

from service.model import Undecodable
from service.pipeline import DeadLetter, Dispatched, Outcome, Report, Result, Task
from service.settings import Settings
from service.telemetry.logs import LoggingObserver, request, set_up_logs

APPLIED = Result(Outcome.APPLIED)
REJECTED = Result(Outcome.REJECTED, "no image")


def lines(capsys, form: str, results, letters=()) -> list[str]:
    set_up_logs(Settings(log_format=form))
    LoggingObserver().dispatched(Dispatched("table images", Report(results), [], letters, 0.0123))
    return capsys.readouterr().err.splitlines()


def test_a_batch_is_one_readable_line(capsys):
    (line,) = lines(capsys, "text", [APPLIED, APPLIED, Result(Outcome.STALE)])
    assert line.endswith("batch dispatched  source=table images  records=3  applied=2  stale=1  ms=12")


def test_a_batch_is_one_json_object(capsys):
    (line,) = lines(capsys, "json", [APPLIED])
    assert json.loads(line) | {"time": 0} == {
        "time": 0,
        "level": "INFO",
        "event": "batch dispatched",
        "source": "table images",
        "records": 1,
        "applied": 1,
        "ms": 12,
    }


def test_auto_is_json_where_nobody_looks_on(capsys):
    json.loads(lines(capsys, "auto", [APPLIED])[0])


def test_each_dead_letter_is_an_error_that_names_its_record(capsys):
    table, upload = records(stream_record(new={"id": "a"}), s3_record("b"))
    undecodable = Undecodable({}, "odd", "queue q", "m-1")
    letters = [DeadLetter(record, "images:Images", REJECTED) for record in (table, upload, undecodable)]
    _, *log_text = map(json.loads, lines(capsys, "json", [REJECTED] * 3, letters))
    assert [line["level"] for line in log_text] == ["ERROR"] * 3
    assert [line["event"] for line in log_text] == ["record moved to dead letters"] * 3
    assert log_text[0]["table"] == "images"
    assert (log_text[1]["bucket"], log_text[1]["key"]) == ("images-in", "b")
    assert log_text[2]["identifier"] == "m-1"


def lines_of(capsys, *raws, **details) -> list[dict]:
    """Log a batch in which each record becomes a dead letter, and return the lines."""
    tasks = [Task(position, record, None, results=[REJECTED]) for position, record in enumerate(records(*raws))]
    for task in tasks:
        for name, value in details.items():
            setattr(task.record, name, value)
    letters = [DeadLetter(task.record, "r", REJECTED) for task in tasks]
    set_up_logs(Settings(log_format="json"))
    LoggingObserver().dispatched(Dispatched("table images", Report([REJECTED] * len(tasks)), tasks, letters, 0))
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_batch_of_a_shard_names_it_and_its_first_and_last_sequence_number(capsys):
    raws = [stream_record(new={"id": name}, sequence=name) for name in ("11", "12", "13")]
    batch, *log_text = lines_of(capsys, *raws, shard="shard-1")
    assert (batch["shard"], batch["first"], batch["last"]) == ("shard-1", "11", "13")
    assert [(line["shard"], line["sequence"]) for line in log_text] == [
        ("shard-1", name) for name in ("11", "12", "13")
    ]


def test_a_shard_that_nobody_names_and_the_order_of_a_queue_are_left_out(capsys):
    batch, letter = lines_of(capsys, stream_record(new={"id": "a"}, sequence="11"))
    assert (batch["first"], batch["last"], letter["sequence"]) == ("11", "11", "11")
    assert not {"shard"} & {*batch, *letter}
    batch, letter = lines_of(capsys, stream_record(new={"id": "a"}, sequence="11"), ordered=False)
    assert not {"first", "last", "shard"} & set(batch)


def test_a_line_says_which_request_it_is_of_as_long_as_that_lasts(capsys):
    for form in ("text", "json"):
        set_up_logs(Settings(log_format=form))
        with request("r-1"):
            logging.getLogger("service.x").info("within")
        logging.getLogger("service.x").info("after")
        within, after = capsys.readouterr().err.splitlines()
        assert "r-1" in within
        assert "request_id" not in after


def failed(name: str, result: Result) -> Task:
    (record,) = records(stream_record(new={"id": name}, sequence=f"1{name}"))
    return Task(0, record, None, results=[result])


def test_what_has_to_come_again_is_a_warning_with_each_reason_once_and_names_its_first_record(capsys):
    busy, behind = Result(Outcome.RETRY, "busy"), Result(Outcome.BLOCKED, "behind")
    tasks = [failed("1", APPLIED), failed("2", busy), failed("3", busy), failed("4", behind)]
    set_up_logs(Settings(log_format="json"))
    LoggingObserver().dispatched(Dispatched("t", Report([task.result for task in tasks]), tasks, [], 0))
    _, *log_text = map(json.loads, capsys.readouterr().err.splitlines())
    assert [(line["level"], line["reason"], line["table"], line["sequence"]) for line in log_text] == [
        ("WARNING", "busy", "images", "12"),
        ("WARNING", "behind", "images", "14"),
    ]


@pytest.mark.parametrize(("level", "words"), [("INFO", "Retry"), ("DEBUG", "the words of a route")])
def test_a_try_that_follows_names_the_first_record_and_quotes_its_route_at_debug_alone(capsys, level, words):
    task = failed("7", Result(Outcome.RETRY, "the words of a route", log_text="Retry"))
    set_up_logs(Settings(log_format="json", log_level=level))
    LoggingObserver().retrying([task, task], 0.25)
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["tasks"], line["sequence"], line["reason"]) == ("retrying", 2, "17", words)


def test_a_hostile_key_cannot_begin_a_line_of_its_own(capsys):
    (upload,) = records(s3_record("a\nERROR all is lost\x1b[31m"))
    log_text = lines(capsys, "text", [REJECTED], [DeadLetter(upload, "r", REJECTED)])
    assert len(log_text) == 2
    assert "\x1b" not in log_text[1]


def test_setting_up_twice_does_not_tell_everything_twice(capsys):
    set_up_logs(Settings(log_format="text"))
    assert len(lines(capsys, "text", [APPLIED])) == 1


def test_the_level_is_a_setting(capsys):
    set_up_logs(Settings(log_level="ERROR", log_format="text"))
    LoggingObserver().dispatched(Dispatched("t", Report([APPLIED]), [], [], 0))
    assert capsys.readouterr().err == ""


def test_an_error_with_its_traceback_is_told_in_both_forms(capsys):
    for form in ("text", "json"):
        set_up_logs(Settings(log_format=form))
        logging.getLogger("service.x").error("failed", exc_info=ValueError("surprise"))
        assert "ValueError: surprise" in capsys.readouterr().err
