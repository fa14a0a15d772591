"""The contents of recordings: recorded lines, and the records that a replay reads from them."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from builders import stream_arn

from service.model import Record, TableRecord
from service.model.serializer import typed
from service.sinks.recordings import Masks, lines_of
from service.sources.dynamodb_streams.shard_reader import to_record
from service.sources.envelopes import unwrap

NO_MASKS = Masks()


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


def contents(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
