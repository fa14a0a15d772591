"""The sizes of a run: a few records for the tests, about ten minutes, or everything."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """Parameters of a run.

    `batches` maps the records of a batch to its repetitions, and `sizes` are record sizes. `backlog` are the
    records of the container's backlog, `items` the items of the backfill, `probes` the writes that are timed
    one by one.
    """

    batches: dict[int, int]
    sizes: tuple[str, ...]
    cpu_batch: int
    repetitions: int
    peers: tuple[str, ...]
    slow_peers: tuple[str, ...]
    starts: int
    resident: int
    backlog: int
    items: int
    probes: int


PYTHON_PEERS = ("powertools", "amplify")

TINY = Sizes({20: 2}, ("small",), 20, 2, (), (), 2, 50, 60, 60, 5)
SHORT = Sizes(
    {100: 11, 1000: 5},
    ("small", "medium", "large"),
    300,
    9,
    (*PYTHON_PEERS, "npm bulk"),
    ("sample",),
    7,
    10_000,
    10_000,
    20_000,
    40,
)
FULL = Sizes(
    {100: 25, 1000: 15, 10_000: 7},
    ("small", "medium", "large"),
    1000,
    15,
    (*PYTHON_PEERS, "npm bulk"),
    ("sample", "npm"),
    15,
    10_000,
    50_000,
    1_000_000,
    300,
)
