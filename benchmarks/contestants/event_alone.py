"""The parsed event alone, as a Lambda receives it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any


def prepare(event: Path, url: str, index: str) -> Callable[[], Any]:
    payload = json.loads(event.read_bytes())
    return lambda: payload
