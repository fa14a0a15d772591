"""The limit: post the same documents as pre-serialised bulk bodies over one connection of the same kind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from urllib3 import HTTPConnectionPool, Timeout
from urllib3.util import parse_url

from ..capture import bodies_of

HEADERS = {"content-type": "application/json"}


def prepare(event: Path, url: str, index: str) -> Callable[[], Any]:
    bodies = bodies_of(json.loads(event.read_bytes()), index)
    pool = pool_of(url)

    def run() -> None:
        for body in bodies:
            answer = pool.request("POST", "/_bulk", body=body, headers=HEADERS)
            assert answer.status == 200, answer.data[:500]

    return run


def pool_of(url: str) -> HTTPConnectionPool:
    """Return a pool of one persistent connection."""
    where = parse_url(url)
    return HTTPConnectionPool(str(where.host), where.port, maxsize=1, timeout=Timeout(60))
