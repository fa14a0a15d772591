"""streamdex: the Lambda handler on the whole event, with versions, outcomes and metrics. Nothing is disabled."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from service.entrypoints.lambda_handler import handler_for

from ..application.items import Items


def as_lambda(url: str, index: str) -> None:
    """Set the environment variables of a Lambda function in this process."""
    os.environ |= {
        "SEARCH_URL": url,
        "STREAMDEX_NAMES": f"index/bench={index}",
        "AWS_LAMBDA_FUNCTION_NAME": "bench",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
    }


def prepare(event: Path, url: str, index: str) -> Callable[[], Any]:
    as_lambda(url, index)
    handler = handler_for(Items)
    payload = json.loads(event.read_bytes())

    def run() -> None:
        answer = handler(payload, None)
        assert answer == {"batchItemFailures": []}, answer

    return run
