"""A table record and an object record, and short forms of the records that unwrapping them returns."""

from __future__ import annotations

from builders import s3_record, stream_record

from service.model import CREATED, TableRecord, Undecodable
from service.sources.envelopes import unwrap


def seen(records):
    """Return for each record its event and its key, or "undecodable"."""
    return [
        "undecodable" if isinstance(record, Undecodable) else (record.event, key_of(record)) for record in records
    ]


def key_of(record):
    return record.keys["id"] if isinstance(record, TableRecord) else record.key


def identifiers(payload, identifier=""):
    return [record.identifier for record in unwrap(payload, identifier)]


CHANGE = stream_record(keys={"id": "a"})
UPLOAD = s3_record("a b.jpg")
ITEM, OBJECT = ("INSERT", "a"), (CREATED, "a b.jpg")
