"""Masks of recordings: they hide the values of attributes and keep their types."""

from __future__ import annotations

import json

import pytest
from builders import as_json, stream_record
from recording_contents import NO_MASKS, again, from_boto3

from service.errors import SettingsError
from service.model import TableRecord
from service.sinks.recordings import Masks, lines_of
from service.sources.envelopes import unwrap

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
