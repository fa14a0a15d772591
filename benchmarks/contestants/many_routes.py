"""streamdex with a thousand routes, one of which handles the records."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from service.entrypoints.lambda_handler import handler_for

from ..application.items import Items
from .ours import as_lambda


def other(number: int) -> type[Items]:
    """Create a route for another table."""
    return type(f"Items{number}", (Items,), {"table": f"other-{number}", "index": f"other-{number}"})


def prepare(event: Path, url: str, index: str) -> Callable[[], Any]:
    as_lambda(url, index)
    handler = handler_for(*(other(number) for number in range(500)), Items, *(other(n) for n in range(500, 999)))
    payload = json.loads(event.read_bytes())

    def run() -> None:
        answer = handler(payload, None)
        assert answer == {"batchItemFailures": []}, answer

    return run
