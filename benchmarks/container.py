"""The container, compared with bare loops: reading a backlog, and the time from a write to its search result."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles
from typing import Any, Final

from .clients import aws_client, fill, make_table
from .contest import ROOT, TEMPORARY, Spread, compete, contestants, ratio
from .figures import Figure
from .memory import MIB, NOW, memory_of, single
from .servers import EMBEDDED, REAL, Servers, ask, make_index
from .sizes import Sizes
from .throughput import rates
from .work import TABLE

BLOCKS: Final = 4
"""The number of alternating measurements of each of the two."""

PATIENCE: Final = 60.0
LOOK: Final = 0.005
"""Seconds between two searches for a write."""


def backlog(servers: Servers, sizes: Sizes, folder: Path) -> list[Figure]:
    url = servers.search(REAL if servers.real else EMBEDDED)
    dynamodb = aws_client(servers.aws, "dynamodb")
    make_table(dynamodb)
    fill(dynamodb, sizes.backlog, "medium")
    place = folder / "backlog.json"
    place.write_text(json.dumps({"aws": servers.aws, "records": sizes.backlog}))
    where = f"{sizes.backlog:,} medium records"
    with contestants("container", "bare loop") as ready:
        for one in ready:
            one.prepare(place, url, make_index(url, f"bench-{one.name.replace(' ', '-')}"))
        times = compete(ready, max(sizes.repetitions // 3, 2))
    of_loop = ratio(times["bare loop"].wall, times["container"].wall)
    cpu = ratio(times["container"].cpu, times["bare loop"].cpu)
    return [
        *rates(times, sizes.backlog, where),
        Figure("of the bare loop", where, "container", "x", of_loop, ">= 0.90"),
        Figure("CPU, of the bare loop", where, "container", "x", cpu),
    ]


def latency(servers: Servers, sizes: Sizes, folder: Path) -> list[Figure]:
    """Measure the seconds from the response to a write until a search finds it, and the container's memory.

    Both use the embedded servers.
    """
    aws, url = servers.embedded_aws, servers.fresh_search()
    dynamodb = aws_client(aws, "dynamodb")
    make_table(dynamodb)
    chance = random.Random(1)
    seconds: dict[str, list[float]] = {"container": [], "bare loop": []}
    resident: dict[str, int] = {}
    for _ in range(BLOCKS):
        for name, found in seconds.items():
            index = make_index(url, f"bench-{name.replace(' ', '-')}")
            with reading(name, aws, url, index) as process:
                probe(dynamodb, f"{url}/{index}", chance)  # wait until it reads
                found += [probe(dynamodb, f"{url}/{index}", chance) for _ in range(sizes.probes // BLOCKS + 1)]
                resident[name] = memory_of(process.pid, NOW)
    figures = [
        Figure("resident, idle", "embedded", name, "MiB", single(size / MIB)) for name, size in resident.items()
    ]
    for part, at in (("p50", 49), ("p99", 98)):
        ours, bare = (quantiles(each, n=100, method="inclusive")[at] * 1000 for each in seconds.values())
        figures += [
            Figure(f"write to searchable, {part}", "embedded", "container", "ms", Spread.of([ours])),
            Figure(f"write to searchable, {part}", "embedded", "bare loop", "ms", Spread.of([bare])),
            Figure(f"of the bare loop, {part}", "embedded", "container", "x", Spread.of([ours / bare]), "<= 1.2"),
        ]
    return figures


def probe(dynamodb: Any, index: str, chance: random.Random) -> float:
    """Write an item after a random delay; return the seconds until a search finds it."""
    time.sleep(chance.uniform(0.1, 0.6))
    name = f"probe-{chance.getrandbits(64):x}"
    dynamodb.put_item(TableName=TABLE, Item={"id": {"S": name}, "title": {"S": name}})
    began = time.monotonic()
    while not (ask("GET", f"{index}/_search?q=id:%22{name}%22") or {"hits": {"hits": []}})["hits"]["hits"]:
        assert time.monotonic() - began < PATIENCE, f"no search found {name} within {PATIENCE:.0f} s"
        time.sleep(LOOK)
    return time.monotonic() - began


@contextmanager
def reading(name: str, aws: str, url: str, index: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run one of the two as a process that reads the stream from its beginning."""
    command = {
        "container": [sys.executable, "-m", "service", "run"],
        "bare loop": [sys.executable, "-m", "benchmarks.polling", aws, url, index],
    }[name]
    with tempfile.TemporaryDirectory(dir=TEMPORARY) as folder, (TEMPORARY / "bench-latency.log").open("wb") as log:
        environment = {
            "PYTHONPATH": str(ROOT),
            "STREAMDEX_ROUTES": "benchmarks.application",
            "SEARCH_URL": url,
            "STREAMDEX_NAMES": f"index/bench={index}",
            "AWS_ENDPOINT_URL": aws,
            "STREAMDEX_START_AT": "TRIM_HORIZON",
            "STREAMDEX_PAGE_PORT": "0",
        }
        process = subprocess.Popen(command, cwd=folder, env={**os.environ, **environment}, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(30)
