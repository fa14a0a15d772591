"""`python -m benchmarks`: run the benchmarks, print tables, and write JSON and plots to `benchmarks/results`."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from . import backfill, cold_start, container, memory, routes, throughput, unchanged
from .contest import TEMPORARY
from .figures import Figure, table
from .machine import machine
from .plots import draw
from .servers import Servers
from .sizes import FULL, SHORT, TINY, Sizes

RESULTS: Final = Path(__file__).parent / "results"

MEASURES: Final[dict[str, Callable[[Servers, Sizes, Path], list[Figure]]]] = {
    "throughput": throughput.end_to_end,
    "cpu": throughput.cpu,
    "cold start": cold_start.measure,
    "routes": routes.measure,
    "unchanged": unchanged.measure,
    "memory": memory.measure,
    "backlog": container.backlog,
    "latency": container.latency,
    "backfill": backfill.measure,
}


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--size", choices=("tiny", "short", "full"), default="short")
    parser.add_argument(
        "--only", choices=tuple(MEASURES), action="append", help="run only this benchmark (repeatable)"
    )
    parser.add_argument("--without-real", action="store_true", help="use only the embedded servers")
    parser.add_argument("--into", type=Path, default=RESULTS, help="the output folder")
    chosen = parser.parse_args(arguments)
    sizes = {"tiny": TINY, "short": SHORT, "full": FULL}[chosen.size]
    figures: list[Figure] = []
    found: dict[str, Any] = {"machine": machine(), "size": chosen.size, "began": now()}
    print(table([], found["machine"]))
    with Servers(real=not chosen.without_real) as servers, workplace() as folder:
        for name in chosen.only or MEASURES:
            new = MEASURES[name](servers, sizes, folder)
            print(f"\n{name} (load {os.getloadavg()[0]:.1f})\n{table(new)}", flush=True)
            figures += new
            keep(chosen.into, {**found, "ended": now(), "figures": [one.as_json() for one in figures]})
    draw(figures, chosen.into)
    return 0


def keep(folder: Path, found: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{found['size']}.json").write_text(json.dumps(found, indent=1) + "\n")


@contextmanager
def workplace() -> Iterator[Path]:
    TEMPORARY.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=TEMPORARY, prefix="bench-") as name:
        yield Path(name)


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
