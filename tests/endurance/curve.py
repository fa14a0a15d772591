"""The resource use of a process over time, and the check that it stays flat."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

MIB: Final = 2**20
PARTS: Final = 10

MORE_MEMORY: Final = 0.10
AND_MORE: Final = 8 * MIB
"""The increase of memory that is allowed from the first to the last tenth.

Not all freed memory returns to the system: each thread keeps the memory of its largest page, and it is random
which thread reads. With a million records, a leak of about 20 bytes per record is detected.
"""

MORE_FILES: Final = 4
"""The increase of open files that is allowed from the first to the last tenth.

Threads that first overlap late in a run open one connection each. A file left open for every page of records would
add thousands, one for every shard dozens.
"""


@dataclass(frozen=True)
class Sample:
    """The resource use after `seconds` and `records` acknowledged records: memory in bytes, CPU in seconds."""

    seconds: float
    records: int
    memory: float
    cpu: float
    files: float
    threads: float


def sample(pid: int, seconds: float, records: int) -> Sample:
    """Return the current resource use of a process, from /proc."""
    folder = Path("/proc", str(pid))
    status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
    times = (folder / "stat").read_text().rpartition(")")[2].split()  # the name before it may contain anything
    cpu = (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK")
    memory = int(status["VmRSS"].split()[0]) * 1024
    return Sample(seconds, records, memory, cpu, len(os.listdir(folder / "fd")), int(status["Threads"]))


def tenths(samples: Sequence[Sample]) -> list[Sample]:
    """Return the sample at the end of each tenth of the records.

    Its memory is the maximum within the tenth; its files and threads are medians.
    """
    rows, begin = [], 0
    for part in range(1, PARTS + 1):
        until = next(i for i, one in enumerate(samples) if one.records * PARTS >= samples[-1].records * part)
        within, end = samples[min(begin, until) : until + 1], samples[until]
        rows.append(
            Sample(
                end.seconds,
                end.records,
                max(one.memory for one in within),
                end.cpu,
                median(one.files for one in within),
                median(one.threads for one in within),
            )
        )
        begin = until + 1
    return rows


def growth(rows: Sequence[Sample]) -> list[str]:
    """Return descriptions of resources that grew more than allowed from the first to the last tenth."""
    first, last = rows[0], rows[-1]
    found = []
    if last.memory > first.memory * (1 + MORE_MEMORY) + AND_MORE:
        found.append(f"memory grew from {first.memory / MIB:.1f} to {last.memory / MIB:.1f} MiB")
    if last.files > first.files + MORE_FILES:
        found.append(f"open files grew from {first.files:g} to {last.files:g}")
    if last.threads > first.threads:
        found.append(f"threads grew from {first.threads:g} to {last.threads:g}")
    return found


def table(rows: Sequence[Sample]) -> str:
    """Return the curve as text, one line for each tenth."""
    lines = ["   records  seconds  records/s  CPU us/record  RSS MiB  files  threads"]
    before = Sample(0.0, 0, 0, 0.0, 0, 0)
    for row in rows:
        records = row.records - before.records
        rate = records / max(row.seconds - before.seconds, 0.001)
        cpu = (row.cpu - before.cpu) / max(records, 1) * 1e6
        lines.append(
            f"{row.records:10,} {row.seconds:8.0f} {rate:10.0f} {cpu:14.0f} {row.memory / MIB:8.1f}"
            f" {row.files:6g} {row.threads:8g}"
        )
        before = row
    return "\n".join(lines)
