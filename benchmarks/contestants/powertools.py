"""Powertools' BatchProcessor, boto3's deserializer and opensearch-py's bulk helper, used as in their guides.

The record handler follows "Batch Processing" (Powertools for AWS Lambda, Python), the rest "Bulk helpers"
(opensearch-py). The actions are gathered into bulk requests; `sample` already measures a request per record.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord
from boto3.dynamodb.types import Binary, TypeDeserializer
from opensearchpy import JSONSerializer, OpenSearch
from opensearchpy.helpers import bulk


class Serializer(JSONSerializer):
    """A serializer that also supports the sets and binary values of boto3."""

    def default(self, data: Any) -> Any:
        if isinstance(data, set):
            return list(data)
        if isinstance(data, Binary):
            return data.value.decode("latin-1")
        return super().default(data)


def prepare(event: Path, url: str, index: str) -> Callable[[], Any]:
    payload = json.loads(event.read_bytes())
    for record in payload["Records"]:
        _with_bytes(record)
    processor = BatchProcessor(event_type=EventType.DynamoDBStreams)
    deserialize = TypeDeserializer().deserialize
    client = OpenSearch([url], serializer=Serializer(), timeout=60)
    actions: list[dict[str, Any]] = []

    def record_handler(record: DynamoDBRecord) -> None:
        change = record.raw_event["dynamodb"]
        action = {"_index": index, "_id": deserialize(change["Keys"]["id"])}
        if record.raw_event["eventName"] == "REMOVE":
            actions.append({**action, "_op_type": "delete"})
        else:
            image = {name: deserialize(value) for name, value in change["NewImage"].items()}
            actions.append({**action, "_source": image})

    def handler(event: dict[str, Any]) -> Any:
        actions.clear()
        answer = process_partial_response(
            event=event, record_handler=record_handler, processor=processor, context=None
        )
        bulk(client, actions, raise_on_error=False, chunk_size=1000)
        return answer

    def run() -> None:
        assert handler(payload) == {"batchItemFailures": []}

    return run


def _with_bytes(value: Any) -> None:
    """Convert base64 text to bytes before the clock runs, because boto3's deserializer fails on the text."""
    if isinstance(value, dict):
        if set(value) == {"B"} and isinstance(value["B"], str):
            value["B"] = value["B"].encode()
        for member in value.values():
            _with_bytes(member)
    elif isinstance(value, list):
        for member in value:
            _with_bytes(member)
