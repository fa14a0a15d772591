"""Dead letters: each holds the whole record, is stored once per record and route, and is never lost silently."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from boto3.dynamodb.types import Binary
from builders import s3_record, stream_arn, stream_record
from fakes import raising, records
from hypothesis import example, given
from hypothesis import strategies as st

from service.commands.dead_letters.selection import records_of
from service.context import Context
from service.errors import DecodeError, Halt, SettingsError
from service.model import Record, TableRecord, Undecodable
from service.pipeline import DeadLetter, Outcome, Result
from service.settings import Settings
from service.sinks.dead_letters import (
    DeadLetterBucket,
    DeadLetterFolder,
    DeadLetterQueue,
    StoredDeadLetter,
    make_dead_letter_store,
)
from service.sinks.dead_letters.dead_letter import letter_id, portable, unseal
from service.sinks.dead_letters.queue_store import allowed

WHY = Result(Outcome.REJECTED, "no image", 400)
LETTERS = [stream_record(new={"id": key}, sequence=key) for key in "abc"]
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def stored(folder) -> list[dict]:
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]


def test_a_letter_keeps_the_record_the_route_the_reason_and_the_time(tmp_path):
    raw = stream_record(new={"id": "a"})
    (record,) = records(raw)
    DeadLetterFolder(tmp_path / "new", lambda: NOW).store([DeadLetter(record, "images:Images", WHY)])
    (letter,) = stored(tmp_path / "new")
    assert letter["record"] == raw
    assert letter["route"] == "images:Images"
    assert (letter["reason"], letter["status"]) == ("no image", 400)
    assert letter["time"] == "2026-11-23T12:00:00+00:00"
    assert letter["format"] == 1


def test_the_settings_name_a_store_and_a_bucket_for_large_letters():
    def store(large: str) -> DeadLetterQueue:
        settings = Settings(dead_letters="sqs://letters", dead_letters_large=large)
        return make_dead_letter_store(Context(settings))

    assert isinstance(make_dead_letter_store(Context(Settings(dead_letters="s3://b/p"))), DeadLetterBucket)
    assert store("")._large is None
    bucket = store("s3://the-bucket/the/prefix")._large
    assert (bucket._bucket, bucket._prefix) == ("the-bucket", "the/prefix/")
    with pytest.raises(SettingsError, match="dead_letters_large must be"):
        store("a-folder")


def test_a_letter_is_read_as_it_was_stored(tmp_path):
    (record,) = records(stream_record(new={"id": "a"}, sequence="7"))
    folder = DeadLetterFolder(tmp_path, lambda: NOW)
    folder.store([DeadLetter(record, "images:Images", WHY)])
    assert list(folder.read()) == [
        StoredDeadLetter(
            id=letter_id(record, "images:Images"),
            time="2026-11-23T12:00:00+00:00",
            route="images:Images",
            reason="no image",
            status=400,
            source=record.source,
            identifier="7",
            record=record.raw,
        )
    ]


@pytest.mark.parametrize("missing", ["format", "id", "route", "record"])
def test_a_letter_without_a_part_that_every_letter_has_is_refused(missing):
    letter = {"format": 1, "id": "a" * 32, "route": "images:Images", "record": {}}
    assert unseal(json.dumps(letter)) == StoredDeadLetter("a" * 32, "", "images:Images", "", None, "", "", {})
    with pytest.raises(DecodeError, match="missing"):
        unseal(json.dumps({name: value for name, value in letter.items() if name != missing}))


def test_a_letter_of_another_format_is_refused():
    letter = {"format": 2, "id": "a" * 32, "route": "images:Images", "record": {}}
    with pytest.raises(DecodeError, match="format 2"):
        unseal(json.dumps(letter))


def test_a_record_delivered_again_is_kept_once_for_each_route(tmp_path):
    folder = DeadLetterFolder(tmp_path)
    for _ in range(2):
        for route in ("one", "two"):
            (record,) = records(stream_record(new={"id": "a"}))
            folder.store([DeadLetter(record, route, WHY)])
    assert sorted(letter["route"] for letter in stored(tmp_path)) == ["one", "two"]


def test_records_of_two_streams_with_one_number_are_two_letters():
    one, other = records(stream_record(table="a", new={}), stream_record(table="b", new={}))
    assert letter_id(one, "r") != letter_id(other, "r")


def test_two_objects_are_two_letters():
    one, other = records(s3_record("a"), s3_record("b"))
    assert letter_id(one, "r") != letter_id(other, "r")


def test_a_record_from_boto3_is_kept_in_the_form_that_lambda_gives(tmp_path):
    image = {"b": {"B": b"\0\1"}, "c": {"B": Binary(b"\2")}}
    change = {"Keys": {"id": {"S": "a"}}, "NewImage": image, "ApproximateCreationDateTime": NOW}
    record = TableRecord({"eventName": "INSERT", "dynamodb": change}, source=stream_arn())
    DeadLetterFolder(tmp_path).store([DeadLetter(record, "r", WHY)])
    (letter,) = stored(tmp_path)
    assert letter["record"]["dynamodb"]["NewImage"] == {"b": {"B": "AAE="}, "c": {"B": "Ag=="}}
    assert letter["record"]["dynamodb"]["ApproximateCreationDateTime"] == NOW.timestamp()
    assert letter["source"] == stream_arn()


def test_a_folder_that_cannot_be_written_halts_with_the_remedy(tmp_path):
    (tmp_path / "file").write_text("in the way")
    (record,) = records(stream_record(new={"id": "a"}))
    with pytest.raises(Halt, match="STREAMDEX_DEAD_LETTERS"):
        DeadLetterFolder(tmp_path / "file" / "letters").store([DeadLetter(record, "r", WHY)])


def test_no_half_letter_is_left_behind(tmp_path):
    (record,) = records(stream_record(new={"id": "a"}))
    DeadLetterFolder(tmp_path).store([DeadLetter(record, "r", WHY)])
    assert [path.suffix for path in tmp_path.iterdir()] == [".json"]


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(anything)
@example(-(2**63))
@example(-(2**63) - 1)
@example(2**64 - 1)
@example(2**64)
def test_whatever_came_can_be_kept(value):
    json.loads(portable({"record": value}))


def test_halves_of_surrogate_pairs_long_integers_and_endless_nesting_can_be_kept():
    nested: list = []
    for _ in range(300):
        nested = [nested]
    letter = DeadLetter(Undecodable({"\ud800": "\udfff", "n": 2**80, "deep": nested}, "why\ud800"), "r", WHY)
    json.loads(portable({"record": letter.record.raw, "reason": letter.record.reason}))


def test_even_what_cannot_be_written_down_stops_no_letter():
    endless: list = []
    endless.append(endless)
    deep: list = []
    for _ in range(50_000):
        deep = [deep]
    for value in (endless, deep, object()):
        json.loads(portable({"record": value}))


def test_a_message_holds_no_character_that_sqs_refuses():
    text = allowed(json.dumps("a\ufffe\uffffb", ensure_ascii=False).encode()).decode()
    assert not {"\ufffe", "\uffff"} & set(text)
    assert json.loads(text) == "a\ufffe\uffffb"


class Sent:
    """A queue with the message limits of SQS ("SendMessage", SQS API Reference). It delivers a message once."""

    exceptions = SimpleNamespace(QueueDoesNotExist=KeyError)

    def __init__(self) -> None:
        self.bodies: list[str] = []
        self.deleted: list[str] = []

    def get_queue_url(self, QueueName):
        return {"QueueUrl": "u"}

    def send_message(self, QueueUrl, MessageBody):
        assert len(MessageBody.encode()) <= 262_144
        assert re.fullmatch("[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]+", MessageBody)
        self.bodies.append(MessageBody)

    def receive_message(self, **_):
        new, self.bodies = self.bodies, []
        return {"Messages": [{"MessageId": "m", "ReceiptHandle": body, "Body": body} for body in new]}

    def delete_message_batch(self, QueueUrl, Entries):
        self.deleted += [entry["ReceiptHandle"] for entry in Entries]

    def change_message_visibility_batch(self, **_):
        pass


def kept_in_queue(record: Record, reason: str = "bad") -> StoredDeadLetter:
    """Store a dead letter in a queue without a bucket for large ones, and read it back."""
    queue = DeadLetterQueue(Context(sqs=Sent()), "q", None)
    queue.store([DeadLetter(record, "r", Result(Outcome.REJECTED, reason))])
    (kept,) = queue.read()
    return kept


@pytest.mark.parametrize("character", ["\uffff", "\ufffe", "\U0001ffff", "\x01", "\x7f", '"', "é", "x"])
@pytest.mark.parametrize("size", [1, 43_000, 65_000, 86_000, 130_000, 260_000, 400_000])
def test_every_letter_fits_into_a_message_and_says_what_was_cut(character, size):
    raw = stream_record(keys={"id": "a"}, new={"id": "a", "text": character * size}, old={"id": "a"})
    (record,) = records(raw)
    kept = kept_in_queue(record)
    assert kept.record["dynamodb"]["Keys"] == raw["dynamodb"]["Keys"]
    if kept.cut:
        assert size > 40_000
        assert "NewImage" not in kept.record["dynamodb"]
        assert "without its images" in kept.cut
    else:
        assert kept.record == raw
    (again,) = records_of(kept)
    assert (again.keys, again.sequence_number) == (record.keys, record.sequence_number)


def test_a_letter_that_is_cut_keeps_the_object_that_it_is_of():
    raw = s3_record("a b") | {"more": "x" * 300_000}
    (record,) = records(raw)
    (again,) = records_of(kept_in_queue(record))
    assert (again.bucket, again.key) == (record.bucket, "a b")


@pytest.mark.parametrize("text", ["x" * 300_000, "\uffff" * 300_000, '"' * 300_000, {"a": ["\x01"] * 300_000}])
def test_of_what_cannot_be_read_the_beginning_is_kept(text):
    kept = kept_in_queue(Undecodable(text, "no JSON", "queue q", "m-1"), "\x01" * 300_000)
    assert len(kept.record) == len(kept.reason) == 4096
    assert (kept.source, kept.identifier) == ("queue q", "m-1")
    assert "only the beginning" in kept.cut


def test_keys_that_no_table_has_are_cut_too():
    (record,) = records(stream_record(keys={"id": "k" * 300_000}, new={"id": "a"}))
    assert "only the beginning" in kept_in_queue(record).cut


def test_a_letter_that_outgrows_a_message_when_it_is_escaped_goes_to_the_bucket():
    stored: list[bytes] = []
    s3 = SimpleNamespace(put_object=lambda Body, **_: stored.append(Body))
    sqs = Sent()
    (record,) = records(stream_record(new={"id": "a", "text": "\uffff" * 80_000}))
    queue = DeadLetterQueue(Context(sqs=sqs, s3=s3), "q", DeadLetterBucket(Context(s3=s3), "b"))
    queue.store([DeadLetter(record, "r", WHY)])
    assert len(stored[0]) < 262_144
    assert "pointer" in sqs.bodies[0]


def test_a_pointer_whose_object_is_gone_ends_no_look_at_the_letters(caplog):
    class NoSuchKey(Exception):
        pass

    answers = iter(
        [
            {
                "Messages": [
                    {
                        "Body": '{"pointer": "0123456789abcdef0123456789abcdef.json"}',
                        "MessageId": "m",
                        "ReceiptHandle": "r",
                    }
                ]
            }
        ]
    )
    sqs = SimpleNamespace(
        get_queue_url=lambda QueueName: {"QueueUrl": "http://x/q"},
        receive_message=lambda **_: next(answers, {}),
        exceptions=SimpleNamespace(QueueDoesNotExist=KeyError),
    )
    s3 = SimpleNamespace(get_object=raising(NoSuchKey()), exceptions=SimpleNamespace(NoSuchKey=NoSuchKey))
    context = Context(sqs=sqs, s3=s3)
    assert list(DeadLetterQueue(context, "q", DeadLetterBucket(context, "b", "")).read()) == []
    assert "the message points to no dead letter" in caplog.text


def test_a_number_that_is_no_valid_unicode_is_kept(tmp_path):
    (record,) = records(stream_record(new={"id": "a"}, sequence="\ud800"))
    DeadLetterFolder(tmp_path).store([DeadLetter(record, "r", WHY)])
    (letter,) = stored(tmp_path)
    assert letter["identifier"] == "\\ud800"


def test_letters_are_found_by_how_their_ids_begin(tmp_path):
    folder = DeadLetterFolder(tmp_path)
    for key in "abcdefgh":
        (record,) = records(stream_record(new={"id": key}, sequence=key))
        folder.store([DeadLetter(record, "r", WHY)])
    ids = [kept.id for kept in folder.read()]
    assert [kept.id for kept in folder.read(ids[3])] == [ids[3]]
    assert [kept.id for kept in folder.read(ids[3][:1])] == [name for name in ids if name[0] == ids[3][0]]
    for odd in ("../", "*", "[a-z]", "/"):
        assert list(folder.read(odd)) == []


def test_a_letter_that_somebody_removes_meanwhile_is_left_out(tmp_path):
    folder = DeadLetterFolder(tmp_path)
    for key in "ab":
        (record,) = records(stream_record(new={"id": key}, sequence=key))
        folder.store([DeadLetter(record, "r", WHY)])
    looking = folder.read()
    first = next(looking)
    for other in DeadLetterFolder(tmp_path).read():
        if other.id != first.id:
            folder.remove(other)
    assert list(looking) == []


def test_who_stops_looking_through_a_queue_gives_back_all_that_came(tmp_path):
    made: list[str] = []
    DeadLetterFolder(tmp_path).store([DeadLetter(record, "r", WHY) for record in records(*LETTERS)])
    bodies = [path.read_text() for path in sorted(tmp_path.glob("*.json"))]
    messages = [{"MessageId": f"m{n}", "ReceiptHandle": f"r{n}", "Body": body} for n, body in enumerate(bodies)]
    sqs = SimpleNamespace(
        get_queue_url=lambda QueueName: {"QueueUrl": "u"},
        receive_message=lambda **_: {"Messages": messages},
        change_message_visibility_batch=lambda Entries, **_: made.extend(e["ReceiptHandle"] for e in Entries),
    )
    looking = DeadLetterQueue(Context(sqs=sqs), "q", None).read()
    next(looking)
    looking.close()
    assert sorted(made) == ["r0", "r1", "r2"]
