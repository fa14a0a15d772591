"""What routes need to have deployed, by the names that they use: tables, buckets, queues, streams."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from service.errors import SettingsError
from service.model import CREATED, DELETED
from service.routing import BucketRoute, Route, Router, TableRoute
from service.routing.patterns import is_plain, matches

from .filters import filters_of

Made: TypeAlias = Mapping[str, Mapping[str, Any]]
"""What is deployed, by logical names: {"images": {"name": …, "arn": …}}."""

EVENTS: Final = {CREATED: ["s3:ObjectCreated:*"], DELETED: ["s3:ObjectRemoved:*", "s3:LifecycleExpiration:*"]}
"""The types of notifications that tell of an event: S3 has no s3:*, and tells apart what a lifecycle rule deletes
("Event notification types and destinations", S3 User Guide)."""

PLAIN_KEY: Final = re.compile(r"[A-Za-z0-9/_.-]*")
"""What a filter of notifications takes as it is; other characters would have to be escaped."""


def used_by(routes: Iterable[Route]) -> Iterator[tuple[str, str]]:
    """The tables and buckets of routes, as they call them: ("table", "images")."""
    for route in routes:
        if isinstance(route, TableRoute):
            yield "table", route.table
        if isinstance(route, BucketRoute):
            yield "bucket", route.bucket
        if "table" in route.writes:
            yield "table", route.writes["table"]


def names_for(routes: Iterable[Route], names: Mapping[str, str]) -> dict[str, str]:
    """Those of the names that routes use, and all of queues: the variables of a Lambda hold 4 KB at most."""
    used = list(used_by(routes))

    def is_used(key: str) -> bool:
        kind, _, logical = key.partition("/")
        return kind == "queue" or any(kind == of and matches(pattern, logical) for of, pattern in used)

    return {key: actual for key, actual in names.items() if is_used(key)}


def tables_to_make(routes: Iterable[Route]) -> dict[str, dict[str, Any]]:
    """The tables that routes listen to, with their keys; those with a pattern for a name are not ours to name."""
    listening = [route for route in routes if isinstance(route, TableRoute) and is_plain(route.table)]
    return {route.table: key_of(route.key) for route in listening}


def key_of(key: Mapping[str, str]) -> dict[str, Any]:
    """A key as Terraform has it, the partition key first."""
    names = [*key, None]
    return {"hash_key": names[0], "range_key": names[1], "attributes": dict(key)}


def buckets_to_make(routes: Iterable[Route]) -> list[str]:
    return sorted({r.bucket for r in routes if isinstance(r, BucketRoute) and is_plain(r.bucket)})


def check_made(router: Router, tables: Made, buckets: Made) -> None:
    """Raises SettingsError for a table or bucket of a route that is not deployed."""
    known = {"table": tables, "bucket": buckets}
    for kind, pattern in used_by(bound.route for bound in router.bound):
        if not any(matches(pattern, name) for name in known[kind]):
            raise SettingsError(
                f"no {kind} {pattern!r} is deployed: make deploy TARGET=data first, with more_{kind}s or"
                f" existing_{kind}s for what no route describes"
            )


def streams_of(router: Router, tables: Made) -> dict[str, dict[str, Any]]:
    """The streams that routes listen to, with the filters that they allow."""
    found = {}
    for name, table in tables.items():
        routes = [bound.route for bound in router.bound if isinstance(bound.route, TableRoute)]
        listening = [route for route in routes if matches(route.table, name)]
        if listening:
            found[name] = {"arn": table["stream_arn"], "filters": filters_of(listening)}
    return found


def notifications_of(router: Router, buckets: Made) -> dict[str, dict[str, Any]]:
    """The buckets that routes listen to, and what they have to be told of."""
    found = {}
    for name, bucket in buckets.items():
        routes = [bound.route for bound in router.bound if isinstance(bound.route, BucketRoute)]
        listening = [route for route in routes if matches(route.bucket, name)]
        if listening:
            found[name] = {"name": bucket["name"], "arn": bucket["arn"], **notification_for(listening)}
    return found


def notification_for(routes: Sequence[BucketRoute]) -> dict[str, Any]:
    """Event types and affixes that cover all that these routes do not ignore."""
    events = [
        kind for event, kinds in EVENTS.items() if any(event not in r.ignore for r in routes) for kind in kinds
    ]
    prefix = common([route.prefix for route in routes])
    suffix = common([route.suffix[::-1] for route in routes])[::-1]
    return {"events": events, "prefix": prefix or None, "suffix": suffix or None}


def common(texts: Sequence[str]) -> str:
    """What all texts begin with, as far as a filter takes it as it is."""
    found = PLAIN_KEY.match(min(texts))
    assert found
    alike = [one == other for one, other in zip(found[0], max(texts), strict=False)]
    return found[0][: [*alike, False].index(False)]


def queues_of(router: Router, buckets: Made) -> dict[str, dict[str, Any]]:
    """A queue for each module of routes that listens to buckets, so that each function can have some modules.

    Its name is pending-MODULE, as in pending-worker.
    """
    found: dict[str, set[str]] = {}
    for bound in router.bound:
        if isinstance(bound.route, BucketRoute):
            listening = {name for name in buckets if matches(bound.route.bucket, name)}
            found.setdefault(queue_for(bound.name), set()).update(listening)
    return {name: {"buckets": sorted(of_module)} for name, of_module in found.items()}


def queue_for(route: str) -> str:
    """The queue of the module of a route, which is named module:Class."""
    return f"pending-{route.partition(':')[0]}"
