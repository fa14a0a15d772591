"""List the registered routes, their sources and their targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...model import CREATED, DELETED
from ...model.events import TABLE_EVENTS
from ...routing import BoundRoute, BucketRoute, Router, TableRoute
from ...routing.patterns import is_plain
from ...routing.router import route_name
from ...table_reads import Readable


@dataclass(frozen=True)
class Listed:
    """A registered route with actual names; a pattern stays as it is declared.

    `kind` is table or bucket. `dead_letters` are the events that become dead letters: the route has no method for
    them and does not ignore them. `routing` is True if documents have routing values. `collection` is True if a
    document is made of the items of a partition. `reads` has the tables and indexes ("table/index") that the route
    reads, and `reindexes` the routes whose documents it makes again.
    """

    route: str
    kind: str
    source: str
    where: Mapping[str, str]
    prefix: str
    suffix: str
    wants: bool
    events: Sequence[str]
    ignored: Sequence[str]
    dead_letters: Sequence[str]
    index: str
    routing: bool
    pipeline: str
    computed: Sequence[str]
    table: str
    database: str
    fetch: bool
    splits: bool
    skip_unchanged: bool
    versions: str | None
    collection: bool
    reads: Sequence[str]
    reindexes: Sequence[str]


def listed(router: Router) -> list[Listed]:
    """Return the routes in the order of registration."""
    return [_listed(bound, router) for bound in router.bound]


def _listed(bound: BoundRoute, router: Router) -> Listed:
    route = bound.route
    kind = "table" if isinstance(route, TableRoute) else "bucket"
    pattern: str = getattr(route, kind)
    expected = TABLE_EVENTS if kind == "table" else {CREATED, DELETED}
    return Listed(
        route=bound.name,
        kind=kind,
        source=router.names.actual(kind, pattern) if is_plain(pattern) else pattern,
        where=dict(route.where) if isinstance(route, TableRoute) else {},
        prefix=route.prefix if isinstance(route, BucketRoute) else "",
        suffix=route.suffix if isinstance(route, BucketRoute) else "",
        wants=type(route).wants not in (TableRoute.wants, BucketRoute.wants),  # type: ignore[attr-defined]
        events=sorted(bound.implemented),
        ignored=sorted(bound.ignored),
        dead_letters=sorted(expected - bound.implemented - bound.ignored),
        index=bound.index,
        routing=bound.placement is not None and bound.placement.by_routing,
        pipeline=bound.pipeline,
        computed=bound.computed,
        table=bound.item_table,
        database=bound.database,
        fetch=route.fetch,
        splits=bound.splits,
        skip_unchanged=bound.skips,
        versions=route.versions,
        collection=bound.collection,
        reads=[name for one in bound.readable.values() for name in _names(one)],
        reindexes=sorted(map(route_name, bound.reindexes)),
    )


def _names(read: Readable) -> list[str]:
    return [*([read.actual] if read.itself else []), *(f"{read.actual}/{index}" for index in sorted(read.indexes))]
