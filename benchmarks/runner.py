"""`python -m benchmarks.runner NAME`: run one contestant in a process that executes commands from standard input.

Each command and each response is a line of JSON. {"event": file, "url": …, "index": …} prepares the contestant.
{"times": n} runs it n times and returns the seconds of each run, by the clock and of CPU. {"memory": true} returns
current and maximum resident bytes.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def main(name: str) -> None:
    answers = os.fdopen(os.dup(1), "w")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)  # discards the log lines of handlers
    run: Callable[[], Any] = dict
    for line in sys.stdin:
        order = json.loads(line)
        answer: dict[str, Any] = {}
        if "event" in order:
            contestant = importlib.import_module(f"benchmarks.contestants.{name}")
            run = contestant.prepare(Path(order["event"]), order["url"], order["index"])
        elif "times" in order:
            answer = timed(run, order["times"])
        elif "memory" in order:
            answer = memory()
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def timed(run: Callable[[], Any], times: int) -> dict[str, list[float]]:
    wall, cpu = [], []
    for _ in range(times):
        began, worked = time.perf_counter(), time.process_time()
        run()
        cpu.append(time.process_time() - worked)
        wall.append(time.perf_counter() - began)
    return {"wall": wall, "cpu": cpu}


def memory() -> dict[str, int]:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "now": pages * resource.getpagesize(),
        "most": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


if __name__ == "__main__":
    main(sys.argv[1])
