"""What a process uses while it works, and whether that stays flat."""

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
"""How much more the last tenth may use than the first. What is freed is not all given back: each thread keeps for
itself what the largest page took of it, and which thread reads is chance. Of a million records about 20 bytes each
have to be kept to be found."""

MORE_FILES: Final = 4
"""Threads that may meet for the first time late in a run, and then open a connection each. What is left open with
every page of records is thousands, with every shard dozens."""


@dataclass(frozen=True)
class Sample:
    """At so many seconds, with so many records done: bytes of memory, CPU seconds, open files, threads."""

    seconds: float
    records: int
    memory: float
    cpu: float
    files: float
    threads: float


def sample(pid: int, seconds: float, records: int) -> Sample:
    """What a process uses now, as Linux tells in /proc."""
    folder = Path("/proc", str(pid))
    status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
    times = (folder / "stat").read_text().rpartition(")")[2].split()  # the name before it may hold anything
    cpu = (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK")
    memory = int(status["VmRSS"].split()[0]) * 1024
    return Sample(seconds, records, memory, cpu, len(os.listdir(folder / "fd")), int(status["Threads"]))


def tenths(samples: Sequence[Sample]) -> list[Sample]:
    """Where each tenth of the records ended, with the most memory within it, and medians of files and threads."""
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
    """What the last tenth uses more of than the first, beyond what is allowed, in words."""
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
    """The curve for a person, a line for each tenth."""
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
