"""Dead letters hold the whole record, once for each record and route, and are never lost silently."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from boto3.dynamodb.types import Binary
from builders import s3_record, stream_arn, stream_record
from fakes import raising, records
from hypothesis import given
from hypothesis import strategies as st

from service.context import Context
from service.dispatch import Letter, Outcome, Result
from service.errors import Halt
from service.records import TableRecord, Undecodable
from service.sinks.letters import LetterBucket, LetterFolder, LetterQueue
from service.sinks.letters.envelope import letter_id, portable
from service.sinks.letters.queue import allowed

WHY = Result(Outcome.REJECTED, "no image", 400)
LETTERS = [stream_record(new={"id": key}, sequence=key) for key in "abc"]
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def stored(folder) -> list[dict]:
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]


def test_a_letter_keeps_the_record_the_route_the_reason_and_the_time(tmp_path):
    raw = stream_record(new={"id": "a"})
    (record,) = records(raw)
    LetterFolder(tmp_path / "new", lambda: NOW).store([Letter(record, "images:Images", WHY)])
    (letter,) = stored(tmp_path / "new")
    assert letter["record"] == raw
    assert letter["route"] == "images:Images"
    assert (letter["reason"], letter["status"]) == ("no image", 400)
    assert letter["time"] == "2026-11-23T12:00:00+00:00"
    assert letter["format"] == 1


def test_a_record_delivered_again_is_kept_once_for_each_route(tmp_path):
    folder = LetterFolder(tmp_path)
    for _ in range(2):
        for route in ("one", "two"):
            (record,) = records(stream_record(new={"id": "a"}))
            folder.store([Letter(record, route, WHY)])
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
    LetterFolder(tmp_path).store([Letter(record, "r", WHY)])
    (letter,) = stored(tmp_path)
    assert letter["record"]["dynamodb"]["NewImage"] == {"b": {"B": "AAE="}, "c": {"B": "Ag=="}}
    assert letter["record"]["dynamodb"]["ApproximateCreationDateTime"] == NOW.timestamp()
    assert letter["source"] == stream_arn()


def test_a_folder_that_cannot_be_written_halts_with_the_remedy(tmp_path):
    (tmp_path / "file").write_text("in the way")
    (record,) = records(stream_record(new={"id": "a"}))
    with pytest.raises(Halt, match="STREAMDEX_DEAD_LETTERS"):
        LetterFolder(tmp_path / "file" / "letters").store([Letter(record, "r", WHY)])


def test_no_half_letter_is_left_behind(tmp_path):
    (record,) = records(stream_record(new={"id": "a"}))
    LetterFolder(tmp_path).store([Letter(record, "r", WHY)])
    assert [path.suffix for path in tmp_path.iterdir()] == [".json"]


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(anything)
def test_whatever_came_can_be_kept(value):
    json.loads(portable({"record": value}))


def test_halves_of_surrogate_pairs_long_integers_and_endless_nesting_can_be_kept():
    nested: list = []
    for _ in range(300):
        nested = [nested]
    letter = Letter(Undecodable({"\ud800": "\udfff", "n": 2**80, "deep": nested}, "why\ud800"), "r", WHY)
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
    text = allowed(json.dumps("a\ufffe\uffffb", ensure_ascii=False))
    assert not {"\ufffe", "\uffff"} & set(text)
    assert json.loads(text) == "a\ufffe\uffffb"


def test_a_pointer_whose_object_is_gone_ends_no_look_at_the_letters(caplog):
    class NoSuchKey(Exception):
        pass

    answers = iter([{"Messages": [{"Body": '{"pointer": "x.json"}', "MessageId": "m", "ReceiptHandle": "r"}]}])
    sqs = SimpleNamespace(
        get_queue_url=lambda QueueName: {"QueueUrl": "http://x/q"},
        receive_message=lambda **_: next(answers, {}),
        exceptions=SimpleNamespace(QueueDoesNotExist=KeyError),
    )
    s3 = SimpleNamespace(get_object=raising(NoSuchKey()), exceptions=SimpleNamespace(NoSuchKey=NoSuchKey))
    context = Context(sqs=sqs, s3=s3)
    assert list(LetterQueue(context, "q", LetterBucket(context, "b", "")).letters()) == []
    assert "its object is gone" in caplog.text


def test_a_number_that_is_no_valid_unicode_is_kept(tmp_path):
    (record,) = records(stream_record(new={"id": "a"}, sequence="\ud800"))
    LetterFolder(tmp_path).store([Letter(record, "r", WHY)])
    (letter,) = stored(tmp_path)
    assert letter["identifier"] == "\\ud800"


def test_letters_are_found_by_how_their_ids_begin(tmp_path):
    folder = LetterFolder(tmp_path)
    for key in "abcdefgh":
        (record,) = records(stream_record(new={"id": key}, sequence=key))
        folder.store([Letter(record, "r", WHY)])
    ids = [kept.id for kept in folder.letters()]
    assert [kept.id for kept in folder.letters(ids[3])] == [ids[3]]
    assert [kept.id for kept in folder.letters(ids[3][:1])] == [name for name in ids if name[0] == ids[3][0]]
    for odd in ("../", "*", "[a-z]", "/"):
        assert list(folder.letters(odd)) == []


def test_a_letter_that_somebody_removes_meanwhile_is_left_out(tmp_path):
    folder = LetterFolder(tmp_path)
    for key in "ab":
        (record,) = records(stream_record(new={"id": key}, sequence=key))
        folder.store([Letter(record, "r", WHY)])
    looking = folder.letters()
    first = next(looking)
    for other in LetterFolder(tmp_path).letters():
        if other.id != first.id:
            folder.remove(other)
    assert list(looking) == []


def test_who_stops_looking_through_a_queue_gives_back_all_that_came(tmp_path):
    made: list[str] = []
    LetterFolder(tmp_path).store([Letter(record, "r", WHY) for record in records(*LETTERS)])
    bodies = [path.read_text() for path in sorted(tmp_path.glob("*.json"))]
    messages = [{"MessageId": f"m{n}", "ReceiptHandle": f"r{n}", "Body": body} for n, body in enumerate(bodies)]
    sqs = SimpleNamespace(
        get_queue_url=lambda QueueName: {"QueueUrl": "u"},
        receive_message=lambda **_: {"Messages": messages},
        change_message_visibility=lambda ReceiptHandle, **_: made.append(ReceiptHandle),
    )
    looking = LetterQueue(Context(sqs=sqs), "q", None).letters()
    next(looking)
    looking.close()
    assert sorted(made) == ["r0", "r1", "r2"]
