"""Nothing but the event, as objects: what a Lambda is handed before it does anything."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any


def prepare(event: Path, url: str, index: str) -> Callable[[], Any]:
    payload = json.loads(event.read_bytes())
    return lambda: payload
