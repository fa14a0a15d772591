"""Changes of which nine in ten touch nothing that is indexed, with `skip_unchanged` and without."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

from .contest import Spread, compete
from .figures import Figure
from .servers import EMBEDDED, Servers
from .sizes import Sizes
from .throughput import of, prepared, rates
from .work import touching

SKIPPING = "skipping"


def measure(servers: Servers, sizes: Sizes, folder: Path) -> list[Figure]:
    """Count the bulk actions, and measure records per second.

    The embedded server is not made for speed, so it is not used to compare with the peer.
    """
    found: list[Figure] = []
    peers = [name for name in sizes.peers if name == "powertools"]
    for batch, repetitions in sizes.batches.items():
        path = folder / f"touching-{batch}.json"
        path.write_text(json.dumps(touching(batch, "medium"), separators=(",", ":")))
        names = [SKIPPING, "ours", *peers]
        found += [
            Figure("bulk actions", f"batch {batch:,}", name, "", Spread.of([actions]))
            for name, actions in actions_of(names, path, servers.instant).items()
        ]
        for server in servers.searches:
            who = names if server != EMBEDDED else names[:2]
            where = f"{server}, batch {batch:,}"
            with prepared(who, path, servers.search(server)) as ready:
                times = compete(ready, repetitions)
            found += rates(times, batch, where)
            for name in who[1:]:
                goal = ">= 1" if server != EMBEDDED else ""
                found.append(Figure("skipping is as fast as", where, name, "x", of(times, name, SKIPPING), goal))
    return found


def actions_of(names: list[str], event: Path, url: str) -> dict[str, float]:
    """Return the bulk actions that each contestant sends for the event. `url` is the server of `answering`."""
    found = {}
    for name in names:
        with prepared([name], event, url) as (one,):
            before = received(url)
            one.tell({"times": 1})
            found[name] = float(received(url) - before)
    return found


def received(url: str) -> int:
    """Return the number of actions that the server of `answering` has accepted."""
    with urllib.request.urlopen(f"{url}/_actions", timeout=10) as answer:
        return int(json.load(answer)["actions"])
