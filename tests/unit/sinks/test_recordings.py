"""Recordings: they hold the dispatched records for a replay, without secrets and masked values."""

from __future__ import annotations

import base64
import gzip
import json
import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from builders import (
    as_json,
    eventbridge,
    s3_record,
    sns_notification,
    sns_record,
    sqs_message,
    stream_arn,
    stream_record,
)
from fakes import Bench, Items
from hypothesis import example, given, settings
from hypothesis import strategies as st

from service.errors import SettingsError
from service.model import ObjectRecord, Record, TableRecord, Undecodable
from service.model.outcomes import APPLIED
from service.model.serializer import typed
from service.pipeline import Dispatched, Outcome, Report, Result
from service.pipeline.task import Task
from service.settings import Settings
from service.settings.options import options_of
from service.sinks.recordings import Masks, Recorder, RecordingFile, lines_of
from service.sinks.recordings import recorder as recorder_module
from service.sinks.recordings.recording_files import whole_members
from service.sources.dynamodb_streams.shard_reader import to_record
from service.sources.envelopes import unwrap, unwrap_text

NO_MASKS = Masks()

VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.text(),
        st.integers(-(10**37), 10**37),
        st.binary(),
        st.sets(st.text(), min_size=1),
        st.sets(st.binary(), min_size=1),
        st.sets(st.integers(-99, 99), min_size=1),
    ),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=8,
)


def again(record: Record, masks: Masks = NO_MASKS) -> Record:
    """Return the record that a replay reads from the recorded line."""
    (line,) = lines_of([record], masks)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    (found,) = unwrap(json.loads(line))
    return found


def from_boto3(**images: Any) -> TableRecord:
    """Return a record in the form of `get_records`."""
    change = {
        "ApproximateCreationDateTime": datetime(2026, 11, 22, 1, 2, 3, tzinfo=UTC),
        "Keys": typed({"id": "k"}),
        **{name: typed(values) for name, values in images.items()},
        "SequenceNumber": "100000000000000000001",
        "SizeBytes": 3,
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    }
    raw = {
        "eventID": "1",
        "eventName": "MODIFY",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": change,
        "userIdentity": {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"},
    }
    found = to_record(raw, stream_arn(), "shardId-1")
    assert isinstance(found, TableRecord)
    return found


def said(record: TableRecord) -> tuple[Any, ...]:
    """Return all the data that routes and versions depend on."""
    return (
        record.event,
        record.table,
        record.source,
        record.keys,
        record.new,
        record.old,
        record.created,
        record.version,
        record.sequence_number,
    )


@example({"a": [None, {"b": [b"\0\xff", {"x", "y"}, -(10**37)]}], "ü\u2028": True})
@given(st.dictionaries(st.text(min_size=1), VALUES, max_size=3))
@settings(max_examples=30)
def test_a_record_of_the_stream_is_read_back_equal(item):
    record = from_boto3(NewImage=item, OldImage=item)
    found = again(record)
    assert isinstance(found, TableRecord)
    assert said(found) == said(record)


def test_a_line_has_the_shape_of_an_event_of_lambda():
    record = from_boto3(NewImage={"id": "k", "b": b"\0\xff", "bs": {b"\1"}})
    (line,) = lines_of([record], NO_MASKS)
    assert json.loads(line) == {
        "eventID": "1",
        "eventName": "MODIFY",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "eventSourceARN": stream_arn(),
        "dynamodb": {
            "ApproximateCreationDateTime": 1795309323,
            "Keys": {"id": {"S": "k"}},
            "NewImage": {"id": {"S": "k"}, "b": {"B": "AP8="}, "bs": {"BS": ["AQ=="]}},
            "SequenceNumber": "100000000000000000001",
            "SizeBytes": 3,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
        "userIdentity": {"principalId": "dynamodb.amazonaws.com", "type": "Service"},
    }
    assert b'"ApproximateCreationDateTime":1795309323,' in line


def test_a_fraction_of_a_second_stays():
    (record,) = unwrap(stream_record(new={"id": "k"}, created=1_700_000_000.25))
    found = again(record)
    assert isinstance(found, TableRecord)
    assert found.created == 1_700_000_000.25


@pytest.mark.parametrize(
    "payload",
    [
        s3_record("a b/ü.jpg"),
        eventbridge("a b/ü.jpg"),
        {"bucket": "images-in", "key": "a b"},
        sqs_message(sns_notification({"Records": [s3_record("k", "ObjectRemoved:Delete")]})),
        sns_record({"Records": [s3_record("k")]}),
    ],
)
def test_a_record_of_a_bucket_is_read_back_equal_whatever_it_was_wrapped_in(payload):
    (record,) = unwrap(payload)
    found = again(record)
    assert isinstance(record, ObjectRecord)
    assert isinstance(found, ObjectRecord)
    names = ("event", "name", "bucket", "key", "size", "etag", "version_id", "sequencer", "created", "version")
    assert [getattr(found, name) for name in names] == [getattr(record, name) for name in names]


@pytest.mark.parametrize(
    "payload",
    [{"eventSource": "aws:dynamodb", "dynamodb": {}}, {"eventSource": "aws:s3", "s3": {}}, {"dynamodb": {}}],
)
def test_what_cannot_be_read_is_met_again_in_the_recording(payload):
    (record,) = unwrap(payload)
    assert isinstance(record, Undecodable)
    assert isinstance(again(record), Undecodable)


@pytest.mark.parametrize("text", ["plain text", "[1, 2", '"quoted"', "7", b"\xff"])
def test_a_message_that_is_no_json_is_kept_in_a_line_of_its_own(text):
    (record,) = unwrap_text(text, "m-1")
    (line,) = lines_of([record], NO_MASKS)
    assert list(json.loads(line)) == ["undecodable"]


MASKED = {
    "S": ("secret", "***"),
    "N": (17, 0),
    "B": (b"secret", b"***"),
    "SS": ({"secret"}, ["***"]),
    "NS": ({17}, [0]),
    "BS": ({b"secret"}, [b"***"]),
    "BOOL": (True, False),
    "NULL": (None, None),
    "M": ({"a": "secret"}, {}),
    "L": (["secret"], []),
}


@pytest.mark.parametrize("tag", MASKED)
def test_a_mask_hides_a_value_of_any_type_and_keeps_its_type(tag):
    value, masked = MASKED[tag]
    record = from_boto3(NewImage={"id": "k", "x": value, "y": value}, OldImage={"id": "k", "x": value})
    (line,) = lines_of([record], Masks(["x"]))
    found = again(record, Masks(["x"]))
    assert isinstance(found, TableRecord)
    assert found.new == {"id": "k", "x": masked, "y": record.new["y"]}
    assert found.old == {"id": "k", "x": masked}
    assert list(json.loads(line)["dynamodb"]["NewImage"]["x"]) == [tag]


def test_a_mask_reaches_into_maps_and_lists_and_takes_names_with_dots_as_they_are():
    owner = {"name": "secret", "age": 3}
    record = from_boto3(NewImage={"id": "k", "owner": owner, "owners": [owner, 7], "a.b": "secret", "ab": "open"})
    found = again(record, Masks(["owner.name", "owners.name", "a.b", "absent", "id.x"]))
    assert isinstance(found, TableRecord)
    hidden = {"name": "***", "age": 3}
    assert found.new == {"id": "k", "owner": hidden, "owners": [hidden, 7], "a.b": "***", "ab": "open"}


def test_a_mask_changes_nothing_of_the_record_itself():
    record = from_boto3(NewImage={"id": "k", "owner": {"name": "secret"}})
    before = json.dumps(as_json(record.raw["dynamodb"]["NewImage"]))
    lines_of([record], Masks(["owner.name"]))
    assert json.dumps(as_json(record.raw["dynamodb"]["NewImage"])) == before


@pytest.mark.parametrize("image", ["secret", ["secret"], {"x": "secret"}, {"x": {"S": "secret", "N": "1"}}])
def test_an_image_that_is_broken_does_not_show_what_is_masked(image):
    (record,) = unwrap({**stream_record(new={"id": "k"})})
    assert isinstance(record, TableRecord)
    record.raw["dynamodb"]["NewImage"] = image
    assert b"secret" not in b"".join(lines_of([record], Masks(["x"])))


def test_with_masks_what_cannot_be_read_is_not_recorded():
    (record,) = unwrap({"eventSource": "aws:dynamodb", "dynamodb": {"NewImage": {"x": {"S": "secret"}}}})
    assert len(lines_of([record], NO_MASKS)) == 1
    assert lines_of([record], Masks(["x"])) == []


def test_a_key_attribute_cannot_be_masked():
    Masks(["title", "id.x"]).check(("id",), "table images")
    with pytest.raises(SettingsError, match="record_mask: cannot mask id: it is in the key of table images"):
        Masks(["title", "id"]).check(("id",), "table images")


@pytest.mark.parametrize("name", ["Authorization", "authorization", "X-Amz-Security-Token", "Cookie", "x-api-key"])
def test_headers_with_credentials_are_left_out_of_what_envelopes_carry(name):
    secret = {name: "hunter2"}
    payloads = [
        {"bucket": "b", "key": "k", "headers": secret, **secret},
        {**s3_record("k"), "requestParameters": {"headers": [secret]}},
        {**stream_record(new={"id": "k"}), **secret},
        {"eventSource": "aws:s3", "s3": {}, **secret},
    ]
    text = b"".join(lines_of([record for payload in payloads for record in unwrap(payload)], NO_MASKS))
    assert text.count(b"\n") == len(payloads)
    assert b"hunter2" not in text


def test_an_attribute_with_the_name_of_a_header_is_the_item_s():
    found = again(from_boto3(NewImage={"id": "k", "cookie": "oatmeal"}))
    assert isinstance(found, TableRecord)
    assert found.new == {"id": "k", "cookie": "oatmeal"}


# Files.


def contents(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


@pytest.fixture(params=["r.jsonl", "r.jsonl.gz"])
def path(request, tmp_path) -> Path:
    return tmp_path / "made" / request.param


def test_a_second_run_adds_to_the_first(path):
    for text in (b"1\n2\n", b"3\n"):
        file = RecordingFile(path)
        file.append(text)
        assert file.size == path.stat().st_size
        file.close()
    assert contents(path) == b"1\n2\n3\n"


def test_after_a_kill_at_any_byte_the_next_run_loses_no_line_that_was_whole_and_none_of_its_own(tmp_path):
    lines = [b'{"n": %d, "x": "%s"}\n' % (n, base64.b64encode(os.urandom(20))) for n in range(3)]
    whole = b"".join(lines)
    for end in range(len(whole)):
        path = tmp_path / f"{end}.jsonl"
        path.write_bytes(whole[:end])
        file = RecordingFile(path)
        file.append(b"later\n")
        file.close()
        found = path.read_bytes().splitlines(keepends=True)
        assert found[-1] == b"later\n"
        assert found[:-1][: whole[:end].count(b"\n")] == lines[: whole[:end].count(b"\n")]


def test_after_a_kill_a_compressed_file_goes_on_after_its_last_whole_batch(tmp_path):
    batches = [b'{"n": %d, "x": "%s"}\n' % (n, base64.b64encode(os.urandom(20))) for n in range(3)]
    members = [gzip.compress(batch, mtime=0) for batch in batches]
    whole = b"".join(members)
    ends = [sum(map(len, members[:n])) for n in range(4)]
    for end in range(len(whole) + 1):
        path = tmp_path / f"{end}.jsonl.gz"
        path.write_bytes(whole[:end])
        file = RecordingFile(path)
        file.append(b"later\n")
        file.close()
        kept = max(n for n in range(4) if ends[n] <= end)
        assert gzip.decompress(path.read_bytes()) == b"".join([*batches[:kept], b"later\n"])


def test_whole_members_are_found_in_a_file_of_any_size(tmp_path):
    path = tmp_path / "large.gz"
    first, second = gzip.compress(os.urandom(100_000)), gzip.compress(b"x" * 5_000_000)
    path.write_bytes(first + second + first[:50_000])
    assert whole_members(path) == len(first) + len(second)


def test_a_file_that_is_not_compressed_as_its_name_says_is_left_as_it_is(tmp_path):
    path = tmp_path / "notes.gz"
    path.write_bytes(b"notes\n")
    with pytest.raises(SettingsError, match="not a gzip file"):
        RecordingFile(path)
    assert path.read_bytes() == b"notes\n"


def test_what_is_written_in_part_because_the_disk_is_full_is_not_there(path, monkeypatch):
    file = RecordingFile(path)
    file.append(b"1\n")
    real = file._file

    class Full:
        def write(self, data: Any) -> int:
            if len(data) < 5:
                raise OSError(28, "No space left on device")
            return real.write(data[:4])

        truncate = real.truncate

    monkeypatch.setattr(file, "_file", Full())
    with pytest.raises(OSError, match="No space"):
        file.append(b"second\n")
    monkeypatch.setattr(file, "_file", real)
    file.append(b"3\n")
    file.close()
    assert contents(path) == b"1\n3\n"


def test_a_pipe_can_be_recorded_to(tmp_path):
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    file = RecordingFile(pipe)
    file.append(b"1\n")
    file.close()
    reader.join()
    assert got == [b"1\n"]


# The container's recording.


def recording_to(where: Any, **options: Any) -> Settings:
    return Settings(record_to=str(where), **options)


def dispatched(*numbers: int, undone: Sequence[int] = ()) -> Dispatched:
    """Return a batch with one record per number, each on two routes."""
    records = [next(iter(unwrap(stream_record(new={"id": str(n)}, sequence=str(n))))) for n in numbers]
    results = [Result(Outcome.RETRY) if n in undone else APPLIED for n in numbers]
    tasks = [Task(place, record, None) for place, record in enumerate(records) for _ in range(2)]
    return Dispatched("table images", Report(results), tasks, [], 0.1)


def recorded(folder: Path) -> list[int]:
    """Return the numbers in all files of a folder, in the order of the file names."""
    text = b"".join(map(contents, sorted(folder.iterdir())))
    return [int(json.loads(line)["dynamodb"]["SequenceNumber"]) for line in text.splitlines()]


@pytest.mark.parametrize(
    ("where", "name"),
    [
        ("rec", "rec/records-00000001.jsonl"),
        ("rec/app.jsonl", "rec/app-00000001.jsonl"),
        ("rec/app.jsonl.gz", "rec/app-00000001.jsonl.gz"),
    ],
)
def test_what_is_dispatched_is_recorded_once_in_its_order(tmp_path, where, name):
    recorder = Recorder(recording_to(tmp_path / where), NO_MASKS)
    recorder.dispatched(dispatched(3, 1, 2))
    recorder.dispatched(dispatched(4))
    recorder.close()
    assert (tmp_path / name).exists()
    assert recorded(tmp_path / "rec") == [3, 1, 2, 4]


def test_what_comes_again_is_recorded_when_it_is_done(tmp_path):
    recorder = Recorder(recording_to(tmp_path), NO_MASKS)
    recorder.dispatched(dispatched(1, 2, 3, undone=[2, 3]))
    recorder.dispatched(dispatched(2, 3))
    recorder.close()
    assert recorded(tmp_path) == [1, 2, 3]


def test_a_file_that_is_full_is_followed_by_another_and_the_oldest_go(tmp_path):
    recorder = Recorder(recording_to(tmp_path, record_bytes=1024, record_files=3), NO_MASKS)
    for n in range(20):
        recorder.dispatched(dispatched(n))
    recorder.close()
    files = sorted(path.name for path in tmp_path.iterdir())
    assert len(files) == 3
    assert all(path.stat().st_size < 2048 for path in tmp_path.iterdir())
    found = recorded(tmp_path)
    assert found == list(range(found[0], 20))
    assert len(found) >= 5


def test_a_restart_goes_on_with_the_last_file(tmp_path):
    for n in range(2):
        recorder = Recorder(recording_to(tmp_path), NO_MASKS)
        recorder.dispatched(dispatched(n))
        recorder.close()
    assert recorded(tmp_path) == [0, 1]
    assert len(list(tmp_path.iterdir())) == 1


def test_files_of_others_in_the_folder_are_left_alone(tmp_path):
    for name in ("records-1.jsonl", "other-00000001.jsonl", "records-00000001.jsonl.old"):
        (tmp_path / name).write_text("mine")
    recorder = Recorder(recording_to(tmp_path, record_bytes=1024, record_files=1), NO_MASKS)
    for n in range(10):
        recorder.dispatched(dispatched(n))
    recorder.close()
    assert sum(path.read_text() == "mine" for path in tmp_path.iterdir()) == 3


def test_what_is_told_of_a_record_that_cannot_be_recorded_quotes_nothing_of_it(tmp_path, caplog, monkeypatch):
    def failing(records: Any, masks: Any) -> Any:
        raise ValueError("value-indigo")

    monkeypatch.setattr(recorder_module, "lines_of", failing)
    recorder = Recorder(recording_to(tmp_path), NO_MASKS)
    recorder.dispatched(dispatched(1))
    assert [record.reason for record in caplog.records] == ["ValueError"]


def test_a_recording_that_cannot_be_written_stops_nothing_and_is_told_once(tmp_path, caplog):
    folder = tmp_path / "rec"
    folder.write_text("a file stands in the way")
    recorder = Recorder(recording_to(folder), NO_MASKS)
    for n in range(3):
        recorder.dispatched(dispatched(n))
    folder.unlink()
    recorder.dispatched(dispatched(3))
    recorder.close()
    assert recorded(folder) == [3]
    assert recorder.missing == 3
    told = [(record.levelname, record.message, record.missing) for record in caplog.records]
    assert told == [("WARNING", "could not write recording", 1), ("WARNING", "recording incomplete", 3)]
    assert "File exists" in caplog.records[0].reason


def test_a_recorder_that_fails_does_not_change_the_outcome_of_a_batch(tmp_path):
    folder = tmp_path / "rec"
    folder.write_text("a file stands in the way")
    bench = Bench(Items())
    bench.dispatcher._observer = Recorder(recording_to(folder), NO_MASKS)
    assert bench.outcomes(stream_record(new={"id": "a"})) == ["APPLIED"]


def test_several_threads_record_without_mixing_their_lines(tmp_path):
    recorder = Recorder(recording_to(tmp_path, record_bytes=4096, record_files=1000), NO_MASKS)

    def work(first: int) -> None:
        for n in range(first, first + 50):
            recorder.dispatched(dispatched(n))

    threads = [Thread(target=work, args=(first,)) for first in (0, 100, 200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    recorder.close()
    found = recorded(tmp_path)
    for first in (0, 100, 200):
        assert [n for n in found if first <= n < first + 50] == list(range(first, first + 50))


def test_no_secret_of_the_settings_gets_into_a_recording(tmp_path):
    secrets = {option.name: f"hunter2-{option.name}" for option in options_of(Settings) if option.declared.secret}
    assert len(secrets) >= 4
    made = replace(recording_to(tmp_path), search_url="http://admin:hunter2-url@127.0.0.1:9200", **secrets)
    recorder = Recorder(made, NO_MASKS)
    recorder.dispatched(dispatched(1, 2))
    recorder.close()
    assert recorded(tmp_path) == [1, 2]
    assert b"hunter2" not in b"".join(map(contents, tmp_path.iterdir()))
