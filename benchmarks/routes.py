"""The cost of a record with a thousand routes, and in a batch of ten thousand."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from .contest import Contestant, Spread, contestants, ratio
from .figures import Figure
from .servers import Servers, make_index
from .sizes import Sizes
from .throughput import event_file

MANY: Final = 1000
TIMES: Final = 10
LARGE: Final = 10_000


def measure(servers: Servers, sizes: Sizes, folder: Path) -> list[Figure]:
    url = servers.instant
    small, large = 100, LARGE if sizes.cpu_batch >= 100 else 100
    events = {small: event_file(folder, small, "small"), large: event_file(folder, large, "small")}
    with contestants("ours", "ours, many routes") as (one, many):
        for each, index in ((one, "bench-one"), (many, "bench-many")):
            each.prepare(events[small], url, make_index(url, index))
        few_routes, many_routes = turns(one, many, sizes.repetitions, TIMES, TIMES)
    with contestants("ours", "ours") as (one, other):
        for each, batch in ((one, small), (other, large)):
            each.prepare(events[batch], url, make_index(url, f"bench-of-{batch}"))
        of_few, of_many = turns(one, other, sizes.repetitions, TIMES, 1)
    each_few = [seconds / small for seconds in of_few]
    each_many = [seconds / large for seconds in of_many]
    return [
        Figure(
            "CPU, 1,000 routes of 1", "small, batch 100", "ours", "x", ratio(many_routes, few_routes), "<= 1.05"
        ),
        Figure("CPU of a record", "small, batch 100", "ours", "us", Spread.of([s * 1e6 for s in each_few])),
        Figure(
            "CPU of a record", f"small, batch {large:,}", "ours", "us", Spread.of([s * 1e6 for s in each_many])
        ),
        Figure(f"CPU, batch {large:,} of 100", "small", "ours", "x", ratio(each_many, each_few), "<= 1"),
    ]


def turns(one: Contestant, other: Contestant, repetitions: int, *times: int) -> tuple[list[float], list[float]]:
    """Return CPU seconds of both for each repetition, the minimum of several runs: other load only adds time."""
    found: tuple[list[float], list[float]] = ([], [])
    for repetition in range(repetitions + 1):
        for place, each in enumerate((one, other)):
            cpu = min(each.tell({"times": times[place]})["cpu"])
            if repetition:
                found[place].append(cpu)
    return found
