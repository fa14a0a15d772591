"""The CPU limit: orjson parses the event and dumps each document once, without a server."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from service.model.dynamodb_json import read_item
from service.pipeline.document_json import dump


def prepare(event: Path, url: str, index: str) -> Callable[[], Any]:
    text = event.read_bytes()
    images = [record["dynamodb"].get("NewImage") for record in json.loads(text)["Records"]]
    documents = [orjson.loads(dump(read_item(image))) for image in images if image]
    images.clear()
    gc.disable()  # the minimum cost includes no search for cycles

    def run() -> None:
        orjson.loads(text)
        for document in documents:
            orjson.dumps(document)

    return run
