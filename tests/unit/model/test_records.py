"""Records of tables, from boto3 and from Lambda events."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from builders import stream_arn, stream_record
from hypothesis import given
from hypothesis import strategies as st

from service.errors import DecodeError
from service.model import TableRecord, table_record
from service.model.versions import stream_version

ITEM = {"id": "sunset", "size": 3, "raw": b"\x00\xff"}


def boto3_record(event="INSERT", created=None, **change):
    """Return a record as boto3's get_records returns it: no ARN, a datetime, bytes."""
    created = created or datetime(2026, 11, 22, tzinfo=UTC)
    return {
        "eventID": "e",
        "eventName": event,
        "dynamodb": {
            "ApproximateCreationDateTime": created,
            "Keys": {"id": {"S": "sunset"}},
            "SequenceNumber": "700000000000000000001",
            **change,
        },
    }


def test_a_record_of_a_lambda_event_is_read():
    record = TableRecord(stream_record("MODIFY", keys={"id": "sunset"}, new=ITEM, old={"id": "sunset"}))
    assert (record.event, record.table, record.source) == ("MODIFY", "images", stream_arn("images"))
    assert (record.keys, record.new, record.old) == ({"id": "sunset"}, ITEM, {"id": "sunset"})
    assert record.sequence_number == record.identifier == "100000000000000000001"
    assert record.sequence == 100000000000000000001
    assert record.created == 1_700_000_000
    assert record.version == stream_version(1_700_000_000, 100000000000000000001)


def test_a_record_of_boto3_is_read():
    image = {"id": {"S": "sunset"}, "size": {"N": "3"}, "raw": {"B": b"\x00\xff"}}
    record = TableRecord(boto3_record(NewImage=image), source=stream_arn("photos"))
    assert (record.event, record.table, record.source) == ("INSERT", "photos", stream_arn("photos"))
    assert (record.keys, record.new, record.old) == ({"id": "sunset"}, ITEM, None)
    assert record.created == datetime(2026, 11, 22, tzinfo=UTC).timestamp()
    assert record.version == stream_version(record.created, 700000000000000000001)


def test_one_change_has_one_version_in_both_shapes():
    raw = stream_record(created=1_700_000_000, sequence="700000000000000000001")
    other = boto3_record(created=datetime.fromtimestamp(1_700_000_000, UTC))
    assert TableRecord(raw).version == TableRecord(other, source=stream_arn()).version


def test_the_stream_that_the_record_says_beats_the_one_it_was_read_from():
    assert TableRecord(stream_record(table="said"), source=stream_arn("read")).table == "said"


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:dynamodb:eu-west-1:123456789012:table/My_table-1.x/stream/2026-11-22T00:00:00.000",
        "arn:aws-cn:dynamodb:cn-north-1:123456789012:table/My_table-1.x/stream/x",
        "arn:aws:dynamodb:ddblocal:000000000000:table/My_table-1.x/stream/x",
        "arn:aws:dynamodb:eu-west-1:123456789012:table/My_table-1.x",
    ],
)
def test_the_table_is_named_by_the_arn_of_its_stream(arn):
    assert table_record.table_of(arn) == "My_table-1.x"


@pytest.mark.parametrize("arn", ["", "images", "arn:aws:sqs:us-east-1:0:queue", "arn:aws:dynamodb:x:0:table/"])
def test_a_record_that_does_not_say_its_table_is_an_error(arn):
    with pytest.raises(DecodeError, match="eventSourceARN"):
        TableRecord(boto3_record(), source=arn)


def test_images_are_read_only_when_they_are_asked_for_and_then_once(monkeypatch):
    read = []

    def counting(image):
        read.append(image)
        return dict(image)

    monkeypatch.setattr(table_record, "read_item", counting)
    record = TableRecord(stream_record("MODIFY", new={"id": "k", "n": 1}, old={"id": "k"}))
    assert read == []
    first, again = record.new, record.new
    assert first is again
    assert read == [record.raw["dynamodb"]["NewImage"]]


def test_an_image_that_cannot_be_read_harms_only_who_asks_for_it():
    raw = stream_record("MODIFY", new={"id": "k"}, old={"id": "k"})
    raw["dynamodb"]["OldImage"]["size"] = {"N": "hunter2"}
    record = TableRecord(raw)
    assert record.new == {"id": "k"}
    with pytest.raises(DecodeError, match=r"^OldImage\.size: ") as caught:
        _ = record.old
    assert "hunter2" not in str(caught.value)


def test_an_image_that_the_view_leaves_out_is_none_and_an_empty_one_is_empty():
    record = TableRecord(stream_record("MODIFY", keys={"id": "k"}, new={}))
    assert (record.new, record.old) == ({}, None)


def test_the_record_as_it_came_is_kept_and_not_changed():
    raw = stream_record(new=ITEM)
    record = TableRecord(raw)
    assert record.new == ITEM
    assert record.raw is raw
    assert raw == stream_record(new=ITEM)


@pytest.mark.parametrize(
    "identity",
    [
        {"principalId": "dynamodb.amazonaws.com", "type": "Service"},
        {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"},
    ],
    ids=["Lambda", "boto3"],
)
def test_a_removal_by_time_to_live_is_marked_in_both_spellings(identity):
    assert TableRecord(stream_record("REMOVE", old=ITEM, userIdentity=identity)).expired
    assert not TableRecord(stream_record("MODIFY", new=ITEM, userIdentity=identity)).expired


@pytest.mark.parametrize(
    "identity", [None, {}, {"principalId": "AIDA"}, {"principalId": None}, "dynamodb.amazonaws.com", ["x"], 1]
)
def test_any_other_removal_is_not_marked(identity):
    assert not TableRecord(stream_record("REMOVE", old=ITEM, userIdentity=identity)).expired
    assert not TableRecord(stream_record("REMOVE", old=ITEM)).expired


def test_two_records_of_one_item_have_one_subject_in_whatever_order_its_key_is_written():
    one = TableRecord(stream_record(keys={"PK": "a", "SK": 1}))
    other = TableRecord(stream_record("REMOVE", keys={"SK": 1, "PK": "a"}))
    assert one.subject == other.subject
    for stranger in ({"PK": "a", "SK": "1"}, {"PK": "b", "SK": 1}):
        assert TableRecord(stream_record(keys=stranger)).subject != one.subject
    assert TableRecord(stream_record(table="other", keys={"PK": "a", "SK": 1})).subject != one.subject


def test_the_identifier_is_what_the_source_says_also_when_that_is_nothing():
    assert TableRecord(stream_record(), identifier="m-1").identifier == "m-1"
    assert TableRecord(stream_record(), identifier="").identifier == ""


@pytest.mark.parametrize("number", ["", "x1", "-1", "1.5", "\uff11", "9" * 41, None, 5])
def test_a_sequence_number_that_is_none_counts_as_missing(number):
    raw = stream_record()
    raw["dynamodb"]["SequenceNumber"] = number
    assert TableRecord(raw).sequence is None


def without(*path):
    raw = stream_record()
    inner = raw
    for name in path[:-1]:
        inner = inner[name]
    del inner[path[-1]]
    return raw


@pytest.mark.parametrize("path", [("eventName",), ("dynamodb",), ("dynamodb", "Keys"), ("eventSourceARN",)])
def test_a_record_without_a_part_that_it_needs_is_an_error_that_names_it(path):
    with pytest.raises(DecodeError, match=path[-1]):
        TableRecord(without(*path))


@pytest.mark.parametrize("path", [("dynamodb", "SequenceNumber"), ("dynamodb", "ApproximateCreationDateTime")])
def test_a_record_without_number_or_time_can_be_read_all_the_same(path):
    record = TableRecord(without(*path))
    assert record.sequence is None or record.created is None


junk = st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.lists(st.text(), max_size=2)


@given(st.sampled_from(["eventName", "dynamodb", "eventSourceARN"]), junk | st.dictionaries(st.text(), junk))
def test_junk_in_the_place_of_a_part_is_a_record_or_a_decode_error(part, value):
    try:
        record = TableRecord({**stream_record(), part: value}, source=stream_arn())
        assert isinstance(record.event, str)
    except DecodeError:
        return


@given(st.sampled_from(["Keys", "NewImage", "SequenceNumber"]), junk | st.dictionaries(st.text(), junk))
def test_junk_in_the_place_of_a_change_is_a_record_or_a_decode_error(part, value):
    raw = stream_record(new=ITEM)
    raw["dynamodb"][part] = value
    try:
        record = TableRecord(raw)
        assert isinstance(record.keys, dict)
        assert record.new is None or isinstance(record.new, dict)
    except DecodeError:
        return
