"""Derive the resources that routes need, by their logical names: tables, buckets, queues, streams."""

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
"""Deployed resources by logical name: {"images": {"name": …, "arn": …}}."""

EVENTS: Final = {CREATED: ["s3:ObjectCreated:*"], DELETED: ["s3:ObjectRemoved:*", "s3:LifecycleExpiration:*"]}
"""The S3 notification types of each event. S3 has no type s3:*, and deletions by a lifecycle rule have their own
type ("Event notification types and destinations", S3 User Guide)."""

PLAIN_KEY: Final = re.compile(r"[A-Za-z0-9/_.-]*")
"""The characters that need no escaping in a notification filter."""


def used_by(routes: Iterable[Route]) -> Iterator[tuple[str, str]]:
    """Yield the tables and buckets of routes by logical name: ("table", "images")."""
    for route in routes:
        if isinstance(route, TableRoute):
            yield "table", route.table
        if isinstance(route, BucketRoute):
            yield "bucket", route.bucket
        if "table" in route.writes:
            yield "table", route.writes["table"]
        for table in route.reads:
            yield "table", table.partition("/")[0]


def names_for(routes: Iterable[Route], names: Mapping[str, str]) -> dict[str, str]:
    """Return the names that routes use, and those of all queues: a Lambda's variables hold at most 4 KB."""
    used = list(used_by(routes))

    def is_used(key: str) -> bool:
        kind, _, logical = key.partition("/")
        return kind == "queue" or any(kind == of and matches(pattern, logical) for of, pattern in used)

    return {key: actual for key, actual in names.items() if is_used(key)}


def tables_to_make(routes: Iterable[Route]) -> dict[str, dict[str, Any]]:
    """Return the tables of routes with their keys. Patterns are left out, because they name no single table."""
    listening = [route for route in routes if isinstance(route, TableRoute) and is_plain(route.table)]
    return {route.table: key_of(route.key) for route in listening}


def key_of(key: Mapping[str, str]) -> dict[str, Any]:
    """Return a key in the format of the Terraform variable; the partition key comes first."""
    names = [*key, None]
    return {"hash_key": names[0], "range_key": names[1], "attributes": dict(key)}


def buckets_to_make(routes: Iterable[Route]) -> list[str]:
    return sorted({r.bucket for r in routes if isinstance(r, BucketRoute) and is_plain(r.bucket)})


def check_made(router: Router, tables: Made, buckets: Made) -> None:
    """Raise SettingsError if a table or bucket of a route is not deployed."""
    known = {"table": tables, "bucket": buckets}
    for kind, pattern in used_by(bound.route for bound in router.bound):
        if not any(matches(pattern, name) for name in known[kind]):
            raise SettingsError(
                f"no {kind} {pattern!r} is deployed. Run make deploy TARGET=data first. If no route declares it,"
                f" add it to more_{kind}s or existing_{kind}s"
            )


def streams_of(router: Router, tables: Made) -> dict[str, dict[str, Any]]:
    """Return the streams of the routes' tables, with the filters that the routes permit."""
    found = {}
    for name, table in tables.items():
        routes = [bound.route for bound in router.bound if isinstance(bound.route, TableRoute)]
        listening = [route for route in routes if matches(route.table, name)]
        if listening:
            found[name] = {"arn": table["stream_arn"], "filters": filters_of(listening)}
    return found


def notifications_of(router: Router, buckets: Made) -> dict[str, dict[str, Any]]:
    """Return the buckets of routes, with the notifications that the routes need."""
    found = {}
    for name, bucket in buckets.items():
        routes = [bound.route for bound in router.bound if isinstance(bound.route, BucketRoute)]
        listening = [route for route in routes if matches(route.bucket, name)]
        if listening:
            found[name] = {"name": bucket["name"], "arn": bucket["arn"], **notification_for(listening)}
    return found


def notification_for(routes: Sequence[BucketRoute]) -> dict[str, Any]:
    """Return event types, prefix and suffix that cover all events that these routes do not ignore."""
    events = [
        kind for event, kinds in EVENTS.items() if any(event not in r.ignore for r in routes) for kind in kinds
    ]
    prefix = common([route.prefix for route in routes])
    suffix = common([route.suffix[::-1] for route in routes])[::-1]
    return {"events": events, "prefix": prefix or None, "suffix": suffix or None}


def common(texts: Sequence[str]) -> str:
    """Return the common prefix of texts, up to the first character that a filter would need escaped."""
    found = PLAIN_KEY.match(min(texts))
    assert found
    alike = [one == other for one, other in zip(found[0], max(texts), strict=False)]
    return found[0][: [*alike, False].index(False)]


def queues_of(router: Router, buckets: Made) -> dict[str, dict[str, Any]]:
    """Return a queue for each module of bucket routes, so that functions can divide the modules.

    Its name is pending-MODULE, such as pending-worker.
    """
    found: dict[str, set[str]] = {}
    for bound in router.bound:
        if isinstance(bound.route, BucketRoute):
            listening = {name for name in buckets if matches(bound.route.bucket, name)}
            found.setdefault(queue_for(bound.name), set()).update(listening)
    return {name: {"buckets": sorted(of_module)} for name, of_module in found.items()}


def queue_for(route: str) -> str:
    """Return the queue of a route's module. The route's name is module:Class."""
    return f"pending-{route.partition(':')[0]}"
