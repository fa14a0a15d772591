"""Run contestants alternately on the same work, so that other load on the machine affects all of them alike."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
PEERS: Final = ROOT / "build" / "bench"
"""The folder in which `make bench` installs the peers."""

TEMPORARY: Final = ROOT / "build"

COMPILED: Final = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(TEMPORARY / "bench-pyc")}
"""Lets processes that are timed from their start use cached byte code of all packages."""

COMMANDS: Final[Mapping[str, tuple[Sequence[str], Mapping[str, str]]]] = {
    **{
        name: ([sys.executable, "-m", "benchmarks.runner", module], {})
        for name, module in (
            ("ours", "ours"),
            ("ours, many routes", "many_routes"),
            ("skipping", "skipping"),
            ("event alone", "event_alone"),
            ("container", "container"),
            ("bare loop", "bare_loop"),
            ("limit", "limit"),
            ("orjson", "orjson_limit"),
        )
    },
    **{
        name: ([str(PEERS / "venv" / "bin" / "python"), "-m", "benchmarks.runner", name], {})
        for name in ("sample", "powertools", "amplify")
    },
    "npm": (["node", str(ROOT / "benchmarks" / "contestants" / "npm.mjs")], {"PEERS": str(PEERS)}),
    "npm bulk": (
        ["node", str(ROOT / "benchmarks" / "contestants" / "npm.mjs")],
        {"PEERS": str(PEERS), "BULK": "1"},
    ),
}


class Contestant:
    """A process that executes commands of `runner.py`'s protocol."""

    def __init__(self, name: str):
        command, environment = COMMANDS[name]
        self.name = name
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(TEMPORARY / f"bench-{name.replace(' ', '-')}.log").open("wb"),
            text=True,
            cwd=ROOT,
            env={
                **os.environ,
                "AWS_REGION": "us-east-1",
                "AWS_ACCESS_KEY_ID": "bench",
                "AWS_SECRET_ACCESS_KEY": "bench",
                **environment,
                "NODE_NO_WARNINGS": "1",
                "AWS_SDK_JS_SUPPRESS_MAINTENANCE_MODE_MESSAGE": "1",
            },
        )

    def tell(self, order: Mapping[str, Any]) -> Any:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self.name} exited: see build/bench-{self.name.replace(' ', '-')}.log")
        return json.loads(answer)

    def prepare(self, event: Path, url: str, index: str) -> None:
        self.tell({"event": str(event), "url": url, "index": index})

    def close(self) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()


@contextmanager
def contestants(*names: str) -> Iterator[list[Contestant]]:
    with ExitStack() as stack:
        found = []
        for name in names:
            found.append(Contestant(name))
            stack.callback(found[-1].close)
        yield found


@dataclass
class Times:
    """Seconds of each repetition, by the clock and of CPU."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)


def compete(contestants: Sequence[Contestant], repetitions: int, times: int = 1) -> dict[str, Times]:
    """Measure all contestants in each repetition, each time with another one first; return their times."""
    found = {one.name: Times() for one in contestants}
    for one in contestants:
        one.tell({"times": 1})  # warm up
    for repetition in range(repetitions):
        first = repetition % len(contestants)
        for one in (*contestants[first:], *contestants[:first]):
            answer = one.tell({"times": times})
            found[one.name].wall.append(median(answer["wall"]))
            found[one.name].cpu.append(median(answer["cpu"]))
    return found


@dataclass(frozen=True)
class Spread:
    """The median of a figure, and its lower and upper quartile."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        if len(values) < 2:
            return cls(values[0], values[0], values[0])
        low, _, high = quantiles(values, n=4, method="inclusive")
        return cls(median(values), low, high)


def ratio(over: Sequence[float], under: Sequence[float]) -> Spread:
    """Return the ratio of two contestants' figures, computed for each repetition."""
    return Spread.of([one / other for one, other in zip(over, under, strict=True)])
