"""A backfill, compared with a bare scan that posts pre-serialised bodies, and its maximum memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from .clients import aws_client, fill, make_table
from .contest import COMPILED, ROOT, TEMPORARY, Spread, ratio
from .contestants.limit import HEADERS, pool_of
from .figures import Figure
from .memory import MIB, MOST, memory_of, single
from .servers import EMBEDDED, REAL, Servers, make_index
from .sizes import Sizes
from .work import TABLE

REPETITIONS: Final = 3
LOOK: Final = 0.02
"""Seconds between two readings of its memory."""


def measure(servers: Servers, sizes: Sizes, folder: Path) -> list[Figure]:
    url = servers.search(REAL if servers.real else EMBEDDED)
    dynamodb = aws_client(servers.aws, "dynamodb")
    make_table(dynamodb)
    fill(dynamodb, sizes.items, "small")
    bodies = folder / "bodies"
    write_bodies(servers.aws, bodies)
    seconds: dict[str, list[float]] = {"ours": [], "bare scan": []}
    most = 0.0
    for _ in range(REPETITIONS if sizes.items <= 100_000 else 1):
        index = make_index(url, "bench-scan")
        began = time.perf_counter()
        bare_scan(servers.aws, url, index, bodies)
        seconds["bare scan"].append(time.perf_counter() - began)
        index = make_index(url, "bench-backfill")
        spent, peak = ours(servers.aws, url, index, folder)
        seconds["ours"].append(spent)
        most = max(most, peak)
    where = f"{sizes.items:,} small items"
    rates = {name: Spread.of([sizes.items / each for each in found]) for name, found in seconds.items()}
    return [
        *(Figure("items/s", where, name, "/s", rate) for name, rate in rates.items()),
        Figure("of the bare scan", where, "ours", "x", ratio(seconds["bare scan"], seconds["ours"]), ">= 0.85"),
        Figure("most memory", where, "ours", "MiB", single(most / MIB), "<= 150"),
    ]


def ours(aws: str, url: str, index: str, folder: Path) -> tuple[float, float]:
    """Run the command; return its duration in seconds and its maximum resident memory in bytes."""
    environment = {
        "PYTHONPATH": str(ROOT),
        "STREAMDEX_ROUTES": "benchmarks.application",
        "SEARCH_URL": url,
        "STREAMDEX_NAMES": f"index/bench={index}",
        "AWS_ENDPOINT_URL": aws,
    }
    began = time.perf_counter()
    with (TEMPORARY / "bench-backfill.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "service", "backfill", "--json", "--restart"],
            cwd=folder,
            env={**os.environ, **COMPILED, **environment},
            stdout=log,
            stderr=log,
        )
        most = 0
        while process.poll() is None:
            most = max(most, memory_of(process.pid, MOST))
            time.sleep(LOOK)
    assert process.returncode == 0, "the backfill failed: see build/bench-backfill.log"
    return time.perf_counter() - began, most


def write_bodies(aws: str, file: Path) -> None:
    """Write one body for each page of a scan, each preceded by its length."""
    from service.model.dynamodb_json import read_item
    from service.pipeline.document_json import dump

    version = {"version": 1 << 60, "version_type": "external_gte"}
    with file.open("wb") as out:
        for page in pages(aws):
            items = map(read_item, page)
            lines = [
                b"%b\n%b\n" % (json.dumps({"index": {"_id": item["id"], **version}}).encode(), dump(item))
                for item in items
            ]
            body = b"".join(lines)
            out.write(len(body).to_bytes(8, "big") + body)


def bare_scan(aws: str, url: str, index: str, bodies: Path) -> None:
    """Scan the table, and post the body of each page."""
    pool = pool_of(url)
    with bodies.open("rb") as ready:
        for _ in pages(aws):
            body = ready.read(int.from_bytes(ready.read(8), "big"))
            answer = pool.request("POST", f"/{index}/_bulk", body=body, headers=HEADERS)
            assert answer.status == 200, answer.data[:500]


def pages(aws: str) -> Iterator[list[Any]]:
    """Yield the pages of a consistent scan."""
    paginator = aws_client(aws, "dynamodb").get_paginator("scan")
    settings = {"PageSize": 1000}
    for page in paginator.paginate(TableName=TABLE, ConsistentRead=True, PaginationConfig=settings):
        if page["Items"]:  # the last page may be empty
            yield page["Items"]
