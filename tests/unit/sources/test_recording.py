"""Recordings: all records are read, in order and in batches, and an invalid line does not stop the reader."""

from __future__ import annotations

import gzip
import io
import json
import os
import tracemalloc
from threading import Thread
from types import SimpleNamespace

import pytest
from builders import lambda_event, s3_record, sqs_message, stream_record

from service.context import Context
from service.errors import SettingsError
from service.model import Undecodable
from service.sources.files import recording
from service.sources.files.locations import Disk
from service.sources.files.recording import Recording, Recordings

RECORDS = [stream_record(new={"id": name}, sequence=str(n)) for n, name in enumerate("abcde")]


def opened(path, **options) -> Recording:
    return Recording(Disk().at(str(path)), **options)


def names(recording):
    return [record.identifier for record in recording.records()]


def found(*wheres) -> list[str]:
    """Return the identifiers of the records in these files."""
    return [name for one in Recordings([str(w) for w in wheres], Context()).read() for name in names(one)]


def write(path, *raws, pack: bool = False):
    """Write a file of JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(raw) + "\n" for raw in raws).encode()
    path.write_bytes(gzip.compress(text) if pack else text)
    return path


def test_json_lines_of_records_and_of_events_are_read_alike(tmp_path):
    path = tmp_path / "r.jsonl"
    lines = [RECORDS[0], lambda_event(*RECORDS[1:3]), sqs_message(lambda_event(s3_record("k")), "m-1")]
    path.write_text("\n\n".join(map(json.dumps, lines)) + "\n")
    assert names(opened(path)) == ["0", "1", "2", "m-1"]


@pytest.mark.parametrize("indent", [None, 2])
def test_a_lambda_event_file_is_read_however_it_is_laid_out(tmp_path, indent):
    path = tmp_path / "event.json"
    path.write_text(json.dumps(lambda_event(*RECORDS), indent=indent))
    assert names(opened(path)) == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("layout", ["[\n{}\n]", '{"Records": [\n{}\n]}'])
def test_an_event_with_a_record_on_a_line_of_its_own_is_still_one_event(tmp_path, layout):
    path = tmp_path / "event.json"
    path.write_text(layout.replace("{}", json.dumps(RECORDS[3])))
    assert names(opened(path)) == ["3"]


def test_an_event_file_that_is_cut_off_is_one_record_that_cannot_be_read(tmp_path):
    path = tmp_path / "event.json"
    path.write_text(json.dumps(lambda_event(*RECORDS), indent=2)[:-5])
    (broken,) = opened(path).records()
    assert "event.json:1: not JSON" in broken.reason


def test_batches_are_bounded(tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_text("\n".join(map(json.dumps, RECORDS)))
    assert [len(batch.delivery.records) for batch in opened(path, size=2)] == [2, 2, 1]


@pytest.mark.parametrize("bad", ["{not json}", '{"half": ', "[1, 2", "plain text"])
def test_a_line_that_is_not_json_is_named_by_file_and_line_and_the_rest_is_read(tmp_path, bad):
    path = tmp_path / "r.jsonl"
    path.write_text("\n".join([json.dumps(RECORDS[0]), bad, json.dumps(RECORDS[1])]))
    first, broken, last = opened(path).records()
    assert (first.identifier, last.identifier) == ("0", "1")
    assert isinstance(broken, Undecodable)
    assert "r.jsonl:2" in broken.reason
    assert broken.raw == bad + "\n"


def test_a_first_line_that_is_not_json_does_not_hide_the_others(tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_text("\n".join(["{broken}", *map(json.dumps, RECORDS)]))
    broken, *rest = opened(path).records()
    assert isinstance(broken, Undecodable)
    assert len(rest) == len(RECORDS)


def test_an_unknown_source_is_named_by_file_and_line(tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_text(json.dumps({"eventSource": "aws:kinesis", "kinesis": {}}))
    (unknown,) = opened(path).records()
    assert "r.jsonl:1" in unknown.reason
    assert "unknown payload" in unknown.reason


def test_an_empty_file_has_no_batches(tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_text("\n")
    assert list(opened(path)) == []


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SettingsError, match=r"absent\.jsonl"):
        found(tmp_path / "absent.jsonl")


def test_a_first_line_that_was_cut_off_does_not_hide_the_others(tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_text("\n".join(['{"eventID": "1", "dynamodb": {"Keys"', *map(json.dumps, RECORDS[:3])]))
    broken, *rest = opened(path).records()
    assert isinstance(broken, Undecodable)
    assert [record.identifier for record in rest] == ["0", "1", "2"]


def test_a_pipe_is_read_whole(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    text = "\n".join(json.dumps(RECORDS[0]) for _ in range(2000))
    writer = Thread(target=path.write_text, args=(text,))
    writer.start()
    assert len(list(opened(path).records())) == 2000
    writer.join()


def test_a_record_that_cannot_be_read_is_named_by_its_line(tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_text(json.dumps(RECORDS[0]) + "\n" + json.dumps({"dynamodb": {}}))
    _, broken = opened(path).records()
    assert broken.identifier == "r.jsonl:2"
    assert broken.reason.startswith("r.jsonl:2: ")
    assert broken.source == "recording r.jsonl"


def test_a_compressed_file_is_known_by_its_first_bytes_whatever_its_name(tmp_path):
    assert names(opened(write(tmp_path / "r.jsonl", *RECORDS, pack=True))) == ["0", "1", "2", "3", "4"]


def test_compressed_files_one_after_the_other_are_one_file(tmp_path):
    path = write(tmp_path / "r.jsonl.gz", *RECORDS[:2], pack=True)
    path.write_bytes(path.read_bytes() + gzip.compress(json.dumps(RECORDS[2]).encode()))
    assert names(opened(path)) == ["0", "1", "2"]


@pytest.mark.parametrize(
    "harm", [lambda data: data[:-20], lambda data: data[:-8] + b"\0" * 8, lambda data: data[:200]]
)
def test_a_compressed_file_that_is_cut_off_or_broken_is_read_as_far_as_it_goes_and_told(tmp_path, harm):
    path = tmp_path / "r.jsonl.gz"
    raws = [stream_record(new={"id": os.urandom(20).hex()}, sequence=str(n)) for n in range(20)]
    path.write_bytes(harm(gzip.compress("\n".join(map(json.dumps, raws)).encode())))
    *read, last = opened(path).records()
    good = [record.identifier for record in read if not isinstance(record, Undecodable)]
    assert good == [str(n) for n in range(len(good))]
    assert isinstance(last, Undecodable)
    assert "r.jsonl.gz: the rest cannot be decompressed" in last.reason


def test_the_files_of_a_folder_are_read_in_the_order_of_their_paths_and_the_hidden_ones_are_not(tmp_path):
    write(tmp_path / "b.jsonl", RECORDS[1])
    write(tmp_path / "a" / "2.jsonl.gz", RECORDS[0], pack=True)
    for hidden in (".unfinished", "_started", "manifest-files.json"):
        write(tmp_path / hidden, RECORDS[2])
    (tmp_path / "event.json").write_text(json.dumps(lambda_event(RECORDS[3]), indent=2))
    assert found(tmp_path) == ["0", "1", "3"]


def test_a_folder_without_files_has_no_records(tmp_path):
    assert found(tmp_path) == []


def test_a_minus_is_standard_input(monkeypatch):
    text = "\n".join(map(json.dumps, RECORDS)).encode()
    stdin = SimpleNamespace(buffer=io.BufferedReader(io.BytesIO(text)))
    monkeypatch.setattr("sys.stdin", stdin)
    assert found("-") == ["0", "1", "2", "3", "4"]


def test_the_bytes_of_all_files_are_known_before_they_are_read_but_not_those_of_a_pipe(tmp_path):
    path = write(tmp_path / "r.jsonl", *RECORDS)
    told: list[int] = []
    both = Recordings([str(path), str(path)], Context())
    assert sum(len(list(one.records())) for one in both.read(told.append)) == 10
    assert both.size() == sum(told) == 2 * path.stat().st_size
    assert Recordings([str(path), "-"], Context()).size() is None


def test_another_kind_of_address_is_refused():
    with pytest.raises(SettingsError, match="s3://BUCKET/PATH"):
        found("https://example.com/r.jsonl")


def test_large_records_make_small_batches(tmp_path, monkeypatch):
    monkeypatch.setattr(recording, "_BATCH_BYTES", 1000)
    path = write(tmp_path / "r.jsonl", *[stream_record(new={"id": "x" * 600}, sequence=str(n)) for n in range(4)])
    assert [len(batch.delivery.records) for batch in opened(path)] == [1, 1, 1, 1]


def test_the_records_of_one_large_event_are_a_batch(tmp_path, monkeypatch):
    monkeypatch.setattr(recording, "_BATCH_BYTES", 1000)
    path = write(tmp_path / "event.json", lambda_event(*RECORDS))
    assert [len(batch.delivery.records) for batch in opened(path)] == [1, 4]


def test_memory_does_not_grow_with_the_file(tmp_path):
    path = write(tmp_path / "r.jsonl", *[stream_record(new={"id": "k", "text": "x" * 4000})] * 3000)
    tracemalloc.start()
    try:
        assert sum(len(batch.delivery.records) for batch in opened(path, size=50)) == 3000
        assert tracemalloc.get_traced_memory()[1] < path.stat().st_size / 4
    finally:
        tracemalloc.stop()
