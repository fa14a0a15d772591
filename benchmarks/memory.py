"""Resident memory of a process, and of a Lambda after a large batch."""

from __future__ import annotations

from pathlib import Path

from .contest import Spread, contestants
from .figures import Figure
from .servers import Servers, make_index
from .sizes import Sizes
from .throughput import event_file

MIB = 2**20
NOW, MOST = "VmRSS", "VmHWM"
"""The Linux names of current and maximum resident memory."""


def measure(servers: Servers, sizes: Sizes, folder: Path) -> list[Figure]:
    """Measure a Lambda after a batch, relative to its idle state and to the parsed event alone."""
    url = servers.instant
    where = f"medium, batch {sizes.resident:,}"
    event = event_file(folder, sizes.resident, "medium")
    with contestants("ours", "event alone") as (ours, alone):
        ours.prepare(event_file(folder, 1, "medium"), url, make_index(url, "bench-memory"))
        ours.tell({"times": 1})
        idle = ours.tell({"memory": True})["now"]
        before = alone.tell({"memory": True})["now"]
        alone.prepare(event, url, "")
        size = alone.tell({"memory": True})["now"] - before
        ours.prepare(event, url, "bench-memory")
        ours.tell({"times": 1})
        after = ours.tell({"memory": True})
    growth = {"after it": after["now"] - idle, "at its peak": after["most"] - idle}
    figures = [
        Figure("resident, idle Lambda", "", "ours", "MiB", single(idle / MIB)),
        Figure("resident, the event alone", where, "", "MiB", single(size / MIB)),
    ]
    for when, grown in growth.items():
        figures.append(Figure(f"resident, {when}", where, "ours", "MiB", single(grown / MIB)))
        goal = "<= 2.5" if when == "after it" else ""
        figures.append(Figure(f"of the event, {when}", where, "ours", "x", single(grown / size), goal))
    return figures


def memory_of(pid: int, which: str) -> int:
    """Return current (NOW) or maximum (MOST) resident bytes of a process; 0 after it has ended.

    Do not use the figures that the system reports for ended children: they can include the memory of their parent.
    """
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{which}:")), 0)


def single(value: float) -> Spread:
    return Spread(value, value, value)
