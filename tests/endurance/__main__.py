"""`python -m tests.endurance`: send many records through the container, on DynamoDB Local and OpenSearch.

The run fails if memory, open files or threads grow, or if the index differs from the table at the end. It prints
the curve, and writes it with every sample to build/endurance.json. The container logs to build/endurance.log.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from threading import Event
from types import FrameType
from typing import Final, NoReturn

from infra.shim.provision import provision
from infra.shim.terminal import in_foreground
from routes.images import Images
from service.bootstrap.application import App
from service.settings import Settings
from tests.embedded.deployments import aws_client
from tests.real.servers import OPENSEARCH, dynamodb_local, search_server

from .comparison import differences
from .container import Container, Failed
from .curve import MIB, Sample, growth, sample, table, tenths
from .writer import Writer

BUILD: Final = Path("build").resolve()
WRITERS: Final = 2
AHEAD: Final = 5_000
"""Maximum number of written records that the container has not read yet: enough for full pages."""

EVERY: Final = 1.0
"""Seconds between two samples."""

TOLD: Final = 30
"""Number of samples between two progress reports."""

PATIENCE: Final = 120.0
"""Seconds without a record after which the run fails."""

QUIET: Final = 3.0
"""Seconds without a record after which the run is complete."""


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.endurance", description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument(
        "--rollover",
        type=float,
        default=0.0,
        help="seconds that a shard lives (four hours without it); DynamoDB Local gets slower with each",
    )
    chosen = parser.parse_args(arguments)
    if not Path("/proc/self/status").exists():
        print("endurance: needs Linux, for it reads /proc", file=sys.stderr)
        return 2
    BUILD.mkdir(exist_ok=True)
    with in_foreground():
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, leave)
        try:
            return report(*endure(chosen.records, chosen.rollover))
        except Failed as failed:
            print(f"endurance: {failed}", file=sys.stderr)
            return 1


def leave(number: int, frame: FrameType | None) -> NoReturn:
    """End the run and the processes that it started. Further signals do not interrupt this."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    raise SystemExit(128 + number)


def endure(records: int, rollover: float) -> tuple[list[Sample], dict[str, int], list[str]]:
    """Return samples of the container while it reads `records` records, their outcomes, and the problems found."""
    with (
        search_server(OPENSEARCH, heap="1g") as search_url,
        dynamodb_local(rollover) as aws_url,
        tempfile.TemporaryDirectory(dir=BUILD, prefix="endurance-") as folder,
    ):
        settings = replace(Settings(), search_url=search_url, aws_endpoint_url_dynamodb=aws_url)
        with App(settings, [Images()]) as app:
            provision(app)
        with started(Container(Path(folder), BUILD / "endurance.log", aws_url, search_url)) as container:
            container.wait_until_it_reads()
            with writing(container, aws_url, records) as writers:
                samples = follow(container, writers, records)
            code = container.stop()
            container.story.read_on()
        dynamodb = aws_client(aws_url, "dynamodb")
        items, problems = differences(dynamodb, Images.table, search_url, Images.index)
        print(f"the index was compared with {items:,} items of the table")
        if code:
            problems.append(f"the container ended with code {code}")
        return samples, dict(container.story.outcomes), [*problems, *container.story.errors[:5]]


@contextmanager
def started(container: Container) -> Iterator[Container]:
    try:
        yield container
    finally:
        container.kill()
        container.wait()


@contextmanager
def writing(container: Container, aws_url: str, records: int) -> Iterator[list[Writer]]:
    """Yield threads that write `records` records, and stop them when the block ends."""
    stopping = Event()
    writers: list[Writer] = []

    def may_write() -> bool:
        return sum(writer.written for writer in writers) - container.story.done < AHEAD

    for number in range(WRITERS):
        share = records * (number + 1) // WRITERS - records * number // WRITERS
        client = aws_client(aws_url, "dynamodb")
        writers.append(Writer(client, Images.table, number, share, may_write, stopping))
    for writer in writers:
        writer.start()
    try:
        yield writers
    finally:
        stopping.set()
        for writer in writers:
            writer.join()


def follow(container: Container, writers: Sequence[Writer], records: int) -> list[Sample]:
    """Return samples until all records are acknowledged and no more arrive. Raises Failed without progress."""
    samples: list[Sample] = []
    began = moved = time.monotonic()
    while True:
        now = time.monotonic()
        if container.story.read_on():
            moved = now
        for error in filter(None, [writer.error for writer in writers]):
            raise Failed(f"the writer failed: {error}") from error
        if now - moved > PATIENCE:
            raise Failed(f"nothing for {PATIENCE:.0f} s, after {container.story.done:,} of {records:,} records")
        if samples and samples[-1].records >= records:
            if now - moved > QUIET:
                return samples
        elif now - began >= len(samples) * EVERY or container.story.done >= records:
            container.check()
            samples.append(sample(container.pid, now - began, container.story.done))
            if len(samples) % TOLD == 0:
                print(f"{samples[-1].records:,} records, {samples[-1].memory / MIB:.1f} MiB", flush=True)
        time.sleep(0.1)


def report(samples: Sequence[Sample], outcomes: dict[str, int], problems: list[str]) -> int:
    """Print the curve, write it to build/endurance.json, and return the exit code."""
    rows = tenths(samples)
    problems = [*problems, *growth(rows)]
    kept = {
        "outcomes": outcomes,
        "problems": problems,
        "tenths": [asdict(row) for row in rows],
        "samples": [asdict(one) for one in samples],
    }
    (BUILD / "endurance.json").write_text(json.dumps(kept, indent=1) + "\n")
    print(table(rows))
    print("  ".join(f"{name}={count:,}" for name, count in outcomes.items()))
    for problem in problems:
        print(f"endurance: {problem}", file=sys.stderr)
    print("not flat, or not right" if problems else "flat, and the index is the table")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
