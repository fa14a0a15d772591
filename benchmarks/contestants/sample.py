"""AWS's documented sample: one request per record, with the image in DynamoDB JSON as the document.

It follows "Loading streaming data from Amazon DynamoDB" (Amazon OpenSearch Service Developer Guide). The original
signs each request; no contestant does so here.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests


def prepare(event: Path, url: str, index: str) -> Callable[[], Any]:
    documents = f"{url}/{index}/_doc/"
    payload = json.loads(event.read_bytes())

    def handler(event: dict[str, Any]) -> str:
        for record in event["Records"]:
            where = documents + record["dynamodb"]["Keys"]["id"]["S"]
            if record["eventName"] == "REMOVE":
                requests.delete(where, timeout=60)
            else:
                requests.put(where, json=record["dynamodb"]["NewImage"], timeout=60).raise_for_status()
        return f"{len(event['Records'])} records processed."

    return lambda: handler(payload)
