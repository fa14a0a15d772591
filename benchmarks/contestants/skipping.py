"""streamdex with a route that skips unchanged documents, which leave out the attribute `seen`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from service import Document, Item
from service.entrypoints.lambda_handler import handler_for

from ..application.items import Items
from .ours import as_lambda


class Quiet(Items):
    """Items without the attribute that nearly every change touches."""

    skip_unchanged: ClassVar = True

    def document(self, item: Item) -> Document:
        del item["seen"]
        return item


def prepare(event: Path, url: str, index: str) -> Callable[[], Any]:
    as_lambda(url, index)
    handler = handler_for(Quiet)
    payload = json.loads(event.read_bytes())

    def run() -> None:
        answer = handler(payload, None)
        assert answer == {"batchItemFailures": []}, answer

    return run
