"""The overview: the flow from sources through routes to indices, and the latest records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from flask import Blueprint, render_template

from ...commands.dead_letters.redrive import REDRIVEN
from ...pipeline import Lag, Outcome
from ...routing import BoundRoute, BucketRoute
from ...telemetry.flow import WINDOW, Strand
from .page_state import State

SHOWN = 8
"""Number of latest records on the overview."""


@dataclass(frozen=True)
class RouteFlow:
    """A route that receives records of a source ("" for records without a route), and its counts."""

    route: str
    bound: BoundRoute | None
    strand: Strand

    @property
    def curve(self) -> str:
        """Return the SVG path of the last minute: a bar per second, in a box of width WINDOW and height 1."""
        most = max(self.strand.seconds, default=0)
        bars = ((at, count / most) for at, count in enumerate(self.strand.seconds) if count)
        return "".join(f"M{at} 1h.8v-{share:.3f}h-.8z" for at, share in bars)


@dataclass(frozen=True)
class SourceFlow:
    """A source and its routes. `trouble` is the reason if the source is not OK, otherwise ""."""

    kind: str
    name: str
    trouble: str
    lag: Lag
    branches: Sequence[RouteFlow]

    @property
    def rate(self) -> float:
        return sum(branch.strand.rate for branch in self.branches)


@dataclass(frozen=True)
class Totals:
    """The sums over all sources: counts since the start, records per second, and the maximum lag in seconds."""

    counts: Counter[Outcome]
    letters: int
    rate: float
    behind: float


def views(state: State) -> Blueprint:
    pages = Blueprint("line", __name__)

    @pages.get("/")
    def overview() -> str:
        springs = list(springs_of(state))
        return render_template(
            "overview.html",
            springs=springs,
            totals=totals_of(springs),
            latest=state.recent.records()[:SHOWN],
            window=WINDOW,
        )

    return pages


def springs_of(state: State) -> Iterator[SourceFlow]:
    """Yield the sources, then the redriven dead letters as a source of their own."""
    strands = state.flow.strands()
    troubles = state.health.reasons()
    for source in state.health.read():
        kind, _, name = source.name.partition(" ")
        branches = branches_of(state, source.name, [strand for strand in strands if strand.source == source.name])
        yield SourceFlow(kind, name, troubles.get(source.name, ""), source.lag(), branches)
    again = [strand for strand in strands if strand.source == REDRIVEN]
    if again:
        yield SourceFlow("again", REDRIVEN, "", Lag(), branches_of(state, REDRIVEN, again))


def branches_of(state: State, source: str, strands: Sequence[Strand]) -> list[RouteFlow]:
    """Return the routes of a source.

    A table has the routes that listen to it. A queue has the routes that received its records, or all bucket
    routes before the first record.
    """
    kind, _, name = source.partition(" ")
    by_route = {strand.route: strand for strand in strands}
    bound = state.app.router.listening_to("table", name) if kind == "table" else []
    if kind == "queue" and not strands:
        bound = [one for one in state.app.router.bound if isinstance(one.route, BucketRoute)]
    names = [name for name in state.routes if name in by_route or name in {one.name for one in bound}]
    idle = Strand(source, "", Counter(), 0, [0] * WINDOW, 0.0)
    return [
        RouteFlow(name, state.route(name), by_route.get(name, idle))
        for name in [*names, *([""] if "" in by_route else [])]
    ]


def totals_of(springs: Sequence[SourceFlow]) -> Totals:
    counts: Counter[Outcome] = Counter()
    letters, rate = 0, 0.0
    for spring in springs:
        for branch in spring.branches:
            counts += branch.strand.counts
            letters += branch.strand.letters
            rate += branch.strand.rate
    return Totals(counts, letters, rate, max((spring.lag.unread for spring in springs), default=0.0))
