"""A cold start, from the start of a process to its first indexed record, compared with the peers' imports."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from .contest import COMPILED, ROOT, Spread, ratio
from .figures import Figure
from .servers import Servers, make_index
from .sizes import Sizes
from .throughput import event_file

OURS: Final = """
import json, sys
from benchmarks.application.items import Items
from service.entrypoints.lambda_handler import handler_for
with open(sys.argv[1]) as file:
    answer = handler_for(Items)(json.load(file), None)
assert answer == {"batchItemFailures": []}, answer
"""
IMPORTS: Final = "import boto3, opensearchpy"


def measure(servers: Servers, sizes: Sizes, folder: Path) -> list[Figure]:
    """Measure with a separate search server. The first start compiles the byte code and is not counted."""
    url = servers.fresh_search()
    event = event_file(folder, 1, "medium")
    lambda_like = {
        "SEARCH_URL": url,
        "STREAMDEX_NAMES": f"index/bench={make_index(url, 'bench-cold')}",
        "AWS_LAMBDA_FUNCTION_NAME": "bench",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
    }
    runs: Mapping[str, tuple[Sequence[str], Mapping[str, str]]] = {
        "ours": ((OURS, str(event)), lambda_like),
        "ours, signed (SigV4)": ((OURS, str(event)), {**lambda_like, "SEARCH_AUTH": "sigv4"}),
        IMPORTS: ((IMPORTS,), {}),
    }
    wall: dict[str, list[float]] = {name: [] for name in runs}
    cpu: dict[str, list[float]] = {name: [] for name in runs}
    for repetition in range(sizes.starts + 1):
        for name, (code, environment) in runs.items():
            seconds, worked = start(code, environment)
            if repetition:
                wall[name].append(seconds)
                cpu[name].append(worked)
    found = []
    for name in runs:
        found.append(Figure("cold start", "one record", name, "ms", Spread.of([s * 1000 for s in wall[name]])))
        found.append(Figure("cold start, CPU", "one record", name, "ms", Spread.of([s * 1000 for s in cpu[name]])))
    for name, goal in (("ours", "<= 1"), ("ours, signed (SigV4)", "")):
        found.append(Figure("of the imports", "one record", name, "x", ratio(wall[name], wall[IMPORTS]), goal))
        found.append(Figure("of the imports, CPU", "one record", name, "x", ratio(cpu[name], cpu[IMPORTS])))
    return found


def start(code: Sequence[str], environment: Mapping[str, str]) -> tuple[float, float]:
    """Run a process; return its seconds by the clock and of CPU."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", *code],
        check=True,
        cwd=ROOT,
        env={**os.environ, **COMPILED, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    seconds = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
