"""A recording is read whole, in order and in batches, and a bad line stops nothing."""

from __future__ import annotations

import json
import os
from threading import Thread

import pytest
from builders import lambda_event, s3_record, sqs_message, stream_record

from service.errors import SettingsError
from service.records import Undecodable
from service.sources.recording import Recording

RECORDS = [stream_record(new={"id": name}, sequence=str(n)) for n, name in enumerate("abcde")]


def names(recording):
    return [record.identifier for record in recording.records()]


def test_json_lines_of_records_and_of_events_are_read_alike(tmp_path):
    path = tmp_path / "r.jsonl"
    lines = [RECORDS[0], lambda_event(*RECORDS[1:3]), sqs_message(lambda_event(s3_record("k")), "m-1")]
    path.write_text("\n\n".join(map(json.dumps, lines)) + "\n")
    assert names(Recording(path)) == ["0", "1", "2", "m-1"]


@pytest.mark.parametrize("indent", [None, 2])
def test_a_lambda_event_file_is_read_however_it_is_laid_out(tmp_path, indent):
    path = tmp_path / "event.json"
    path.write_text(json.dumps(lambda_event(*RECORDS), indent=indent))
    assert names(Recording(path)) == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("layout", ["[\n{}\n]", '{"Records": [\n{}\n]}'])
def test_an_event_with_a_record_on_a_line_of_its_own_is_still_one_event(tmp_path, layout):
    path = tmp_path / "event.json"
    path.write_text(layout.replace("{}", json.dumps(RECORDS[3])))
    assert names(Recording(path)) == ["3"]


def test_an_event_file_that_is_cut_off_is_one_record_that_cannot_be_read(tmp_path):
    path = tmp_path / "event.json"
    path.write_text(json.dumps(lambda_event(*RECORDS), indent=2)[:-5])
    (broken,) = Recording(path).records()
    assert "event.json:1: not JSON" in broken.reason


def test_batches_are_bounded(tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_text("\n".join(map(json.dumps, RECORDS)))
    assert [len(batch.records) for batch in Recording(path, size=2)] == [2, 2, 1]


@pytest.mark.parametrize("bad", ["{not json}", '{"half": ', "[1, 2", "plain text"])
def test_a_line_that_is_not_json_is_named_by_file_and_line_and_the_rest_is_read(tmp_path, bad):
    path = tmp_path / "r.jsonl"
    path.write_text("\n".join([json.dumps(RECORDS[0]), bad, json.dumps(RECORDS[1])]))
    first, broken, last = Recording(path).records()
    assert (first.identifier, last.identifier) == ("0", "1")
    assert isinstance(broken, Undecodable)
    assert "r.jsonl:2" in broken.reason
    assert broken.raw == bad + "\n"


def test_a_first_line_that_is_not_json_does_not_hide_the_others(tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_text("\n".join(["{broken}", *map(json.dumps, RECORDS)]))
    broken, *rest = Recording(path).records()
    assert isinstance(broken, Undecodable)
    assert len(rest) == len(RECORDS)


def test_an_unknown_source_is_named_by_file_and_line(tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_text(json.dumps({"eventSource": "aws:kinesis", "kinesis": {}}))
    (unknown,) = Recording(path).records()
    assert "r.jsonl:1" in unknown.reason
    assert "nothing known" in unknown.reason


def test_an_empty_file_has_no_batches(tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_text("\n")
    assert list(Recording(path)) == []


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SettingsError, match=r"absent\.jsonl"):
        list(Recording(tmp_path / "absent.jsonl"))


def test_a_first_line_that_was_cut_off_does_not_hide_the_others(tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_text("\n".join(['{"eventID": "1", "dynamodb": {"Keys"', *map(json.dumps, RECORDS[:3])]))
    broken, *rest = Recording(path).records()
    assert isinstance(broken, Undecodable)
    assert [record.identifier for record in rest] == ["0", "1", "2"]


def test_a_pipe_is_read_whole(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    text = "\n".join(json.dumps(RECORDS[0]) for _ in range(2000))
    writer = Thread(target=path.write_text, args=(text,))
    writer.start()
    assert len(list(Recording(path).records())) == 2000
    writer.join()


def test_a_record_that_cannot_be_read_is_named_by_its_line(tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_text(json.dumps(RECORDS[0]) + "\n" + json.dumps({"dynamodb": {}}))
    _, broken = Recording(path).records()
    assert broken.identifier == "r.jsonl:2"
    assert broken.reason.startswith("r.jsonl:2: ")
    assert broken.source == "recording r.jsonl"
