"""Batches end to end, compared with the limit and the peers, and the CPU time per record."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from .contest import Contestant, Spread, Times, compete, contestants, ratio
from .figures import Figure
from .servers import EMBEDDED, Servers, make_index
from .sizes import PYTHON_PEERS, Sizes
from .work import event

GOALS: Final = {100: ">= 0.90", 1000: ">= 0.95", 10_000: ">= 0.97"}
"""The goals for the share of the limit, with OpenSearch, by records of a batch."""

MOST_EMBEDDED: Final = 1000
"""The largest batch for the embedded server. Ten times as many records exceed every timeout."""

SLOW_BATCH: Final = 100
"""Records of the batch for peers that send a request per record."""


def end_to_end(servers: Servers, sizes: Sizes, folder: Path) -> list[Figure]:
    """Measure records per second. The embedded server, not made for speed, is compared only with the limit."""
    found: list[Figure] = []
    for server in servers.searches:
        url = servers.search(server)
        for batch, repetitions in sizes.batches.items():
            if server == EMBEDDED and batch > MOST_EMBEDDED:
                continue
            peers = sizes.peers if server != EMBEDDED else ()
            peers = (*peers, *(sizes.slow_peers if batch == SLOW_BATCH and peers else ()))
            names = ["ours", "limit", *peers]
            where = f"{server}, batch {batch:,}"
            with prepared(names, event_file(folder, batch, "medium"), url) as ready:
                times = compete(ready, repetitions)
            found += rates(times, batch, where)
            goal = ">= 0.95" if server == EMBEDDED else GOALS.get(batch, "")
            found.append(Figure("of the limit", where, "ours", "x", of(times, "limit"), goal))
            for name in peers:
                wanted = ">= 10" if name == "sample" else ">= 1"
                found.append(Figure("as fast as", where, name, "x", of(times, name), wanted))
    return found


def cpu(servers: Servers, sizes: Sizes, folder: Path) -> list[Figure]:
    """Measure CPU with a server that answers at once, because the client's CPU does not depend on the server."""
    found: list[Figure] = []
    url = servers.instant
    for size in sizes.sizes:
        batch = sizes.cpu_batch if size != "large" else max(sizes.cpu_batch // 10, 10)
        where = f"{size}, batch {batch:,}"
        names = ["ours", "orjson", "limit", *sizes.peers]
        with prepared(names, event_file(folder, batch, size), url) as ready:
            times = compete(ready, sizes.repetitions)
        for name, time in times.items():
            value = Spread.of([seconds / batch * 1e6 for seconds in time.cpu])
            found.append(Figure("CPU per record", where, name, "us", value))
        found.append(Figure("CPU, of the orjson limit", where, "ours", "x", shares(times, "orjson"), "<= 3"))
        for name in sizes.peers:
            goal = {"powertools": "<= 0.3333"}.get(name, "<= 0.5" if name in PYTHON_PEERS else "")
            found.append(Figure("CPU, ours of theirs", where, name, "x", shares(times, name), goal))
    return found


def event_file(folder: Path, batch: int, size: str) -> Path:
    path = folder / f"{size}-{batch}.json"
    if not path.exists():
        path.write_text(json.dumps(event(batch, size), separators=(",", ":")))
    return path


@contextmanager
def prepared(names: Sequence[str], event: Path, url: str) -> Iterator[list[Contestant]]:
    """Prepare the contestants, each with its own index."""
    with contestants(*names) as ready:
        for one in ready:
            one.prepare(event, url, make_index(url, f"bench-{one.name.replace(' ', '-')}"))
        yield ready


def rates(times: dict[str, Times], batch: int, where: str) -> list[Figure]:
    return [
        Figure("records/s", where, name, "/s", Spread.of([batch / seconds for seconds in time.wall]))
        for name, time in times.items()
    ]


def of(times: dict[str, Times], name: str, who: str = "ours") -> Spread:
    """Return the speed of streamdex, or of `who`, relative to another contestant."""
    return ratio(times[name].wall, times[who].wall)


def shares(times: dict[str, Times], name: str) -> Spread:
    """Return the CPU time of streamdex relative to another contestant."""
    return ratio(times["ours"].cpu, times[name].cpu)
