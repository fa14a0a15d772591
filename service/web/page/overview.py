"""The overview: the flow from sources through routes to indices, and the latest records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from flask import Blueprint, render_template

from ...commands.dead_letters.redrive import REDRIVEN
from ...pipeline import Lag, Outcome
from ...routing import BoundRoute, BucketRoute
from ...telemetry.flow import WINDOW, RouteCounts
from .page_state import State

SHOWN = 8
"""Number of latest records on the overview."""


@dataclass(frozen=True)
class RouteFlow:
    """A route that receives records of a source ("" for records without a route), and its counts."""

    route: str
    bound: BoundRoute | None
    counts: RouteCounts

    @property
    def curve(self) -> str:
        """Return the SVG path of the last minute: a bar per second, in a box of width WINDOW and height 1."""
        most = max(self.counts.seconds, default=0)
        bars = ((at, count / most) for at, count in enumerate(self.counts.seconds) if count)
        return "".join(f"M{at} 1h.8v-{share:.3f}h-.8z" for at, share in bars)


@dataclass(frozen=True)
class SourceFlow:
    """A source and its routes. `trouble` is the reason if the source is not OK, otherwise ""."""

    kind: str
    name: str
    trouble: str
    lag: Lag
    routes: Sequence[RouteFlow]

    @property
    def rate(self) -> float:
        return sum(flow.counts.rate for flow in self.routes)


@dataclass(frozen=True)
class Totals:
    """The sums over all sources: counts since the start, records per second, and the highest lag in seconds."""

    outcomes: Counter[Outcome]
    dead_letters: int
    rate: float
    lag: float


def views(state: State) -> Blueprint:
    pages = Blueprint("overview", __name__)

    @pages.get("/")
    def overview() -> str:
        sources = list(source_flows(state))
        return render_template(
            "overview.html",
            sources=sources,
            totals=totals_of(sources),
            latest=state.recent.records()[:SHOWN],
            window=WINDOW,
        )

    return pages


def source_flows(state: State) -> Iterator[SourceFlow]:
    """Yield the sources, then the redriven dead letters as a source of their own."""
    counts = state.flow.counts()
    troubles = state.health.reasons()
    for source in state.health.sources():
        kind, _, name = source.name.partition(" ")
        routes = route_flows(state, source.name, [one for one in counts if one.source == source.name])
        yield SourceFlow(kind, name, troubles.get(source.name, ""), source.lag(), routes)
    redriven = [one for one in counts if one.source == REDRIVEN]
    if redriven:
        yield SourceFlow("redriven", REDRIVEN, "", Lag(), route_flows(state, REDRIVEN, redriven))


def route_flows(state: State, source: str, counts: Sequence[RouteCounts]) -> list[RouteFlow]:
    """Return the routes of a source.

    A table has the routes that listen to it. A queue has the routes that received its records, or all bucket
    routes before the first record.
    """
    kind, _, name = source.partition(" ")
    by_route = {one.route: one for one in counts}
    bound = state.app.router.listening_to("table", name) if kind == "table" else []
    if kind == "queue" and not counts:
        bound = [one for one in state.app.router.bound if isinstance(one.route, BucketRoute)]
    names = [name for name in state.routes if name in by_route or name in {one.name for one in bound}]
    idle = RouteCounts(source, "", Counter(), 0, [0] * WINDOW, 0.0)
    return [
        RouteFlow(name, state.route(name), by_route.get(name, idle))
        for name in [*names, *([""] if "" in by_route else [])]
    ]


def totals_of(sources: Sequence[SourceFlow]) -> Totals:
    outcomes: Counter[Outcome] = Counter()
    dead_letters, rate = 0, 0.0
    for source in sources:
        for flow in source.routes:
            outcomes += flow.counts.outcomes
            dead_letters += flow.counts.dead_letters
            rate += flow.counts.rate
    return Totals(outcomes, dead_letters, rate, max((source.lag.unread for source in sources), default=0.0))
