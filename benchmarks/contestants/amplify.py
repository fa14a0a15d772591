"""Amplify's streaming function, rebuilt from its description.

A boto3 deserializer returns binary values as text and numbers as floats. Each record becomes two lines of JSON,
and the event one bulk request over botocore's session. Sources: issues 4695 and 4913 (amplify-cli) and 11989
(amplify-js), which describe its steps. The original signs its requests; no contestant does so here.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from boto3.dynamodb.types import TypeDeserializer
from botocore.awsrequest import AWSRequest
from botocore.httpsession import URLLib3Session

logger = logging.getLogger(__name__)


class StreamDeserializer(TypeDeserializer):
    """A deserializer that returns numbers as floats, sets unchanged, and binary values as their base64 text."""

    def _deserialize_n(self, value: Any) -> Any:
        return float(value)

    def _deserialize_b(self, value: Any) -> Any:
        return value


class Encoder(json.JSONEncoder):
    def default(self, o: Any) -> Any:
        return list(o) if isinstance(o, set) else super().default(o)


def prepare(event: Path, url: str, index: str) -> Callable[[], Any]:
    payload = json.loads(event.read_bytes())

    def handler(event: dict[str, Any]) -> None:
        logger.debug("event: %s", event)
        deserializer = StreamDeserializer()
        lines: list[str] = []
        for record in event["Records"]:
            logger.debug("record: %s", record)
            change = record["dynamodb"]
            keys = change["Keys"]
            document_id = "|".join(str(deserializer.deserialize(keys[name])) for name in sorted(keys))
            moment = datetime.now(UTC).isoformat()
            removed = record["eventName"].upper() == "REMOVE"
            image = deserializer.deserialize({"M": change["OldImage" if removed else "NewImage"]})
            image |= {"@timestamp": moment, "@SequenceNumber": change["SequenceNumber"]}
            action = {"_index": index, "_id": document_id}
            if removed:
                lines.append(json.dumps({"delete": action}))
            else:
                lines.append(json.dumps({"index": action}))
                lines.append(json.dumps(image, cls=Encoder))
        lines.append("")
        request = AWSRequest(
            "POST", f"{url}/_bulk", data="\n".join(lines).encode(), headers={"Content-Type": "application/json"}
        )
        answer = URLLib3Session(timeout=60).send(request.prepare())
        assert answer.status_code == 200, answer.text[:500]
        failed = [item for item in json.loads(answer.text)["items"] if next(iter(item.values()))["status"] >= 400]
        logger.debug("failed: %s", failed)

    return lambda: handler(payload)
