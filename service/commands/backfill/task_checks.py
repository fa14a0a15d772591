"""The checks of a backfill task, made before anything that it names is opened.

A message is untrusted until it is checked: a sender to the task queue may request a backfill and nothing else. A
task names registered routes, a table that they listen to, their own index or a copy of it that is being built,
and a segment of a scan or a file under the configured export prefix. It never names a local path.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from ...checkpoints.stores import ENDED
from ...context import Context
from ...errors import DecodeError, Reject
from ...model.backfill_task import BackfillTask
from ...model.reindex_task import ReindexTask
from ...model.table_record import table_of
from ...routing import BoundRoute, Router, TableRoute
from ...sinks.opensearch.alias_targets import look
from ..tables import fills_index

SEGMENTS: Final = 1000
"""Maximum segments of one table."""

NAME: Final = 255
"""Maximum characters of the name of a table, route or index (the limit of DynamoDB and OpenSearch)."""

POSITION: Final = 20_000
"""Maximum characters of a key as JSON. A key has at most 3,072 bytes ("Constraints in Amazon DynamoDB")."""

KEY: Final = 1100
"""Maximum characters of the URI of an object. Its key has at most 1,024 bytes."""

MOST_KEYS: Final = 1000
"""Maximum keys of one reindex task."""

SEQUENCE: Final = 40
"""Maximum characters of a sequence number."""

LINES: Final = 12
"""Maximum digits of a line number."""


def check_task(task: BackfillTask, router: Router, prefix: str) -> Sequence[BoundRoute]:
    """Return the routes of a task. `prefix` is the URI under which the files of exports must be. No I/O.

    Raises Reject if the task is malformed or names anything that is not allowed.
    """
    _check_types(task)
    routes = _routes(task, router)
    if task.file:
        _check_file(task, prefix)
    elif not 0 <= task.segment < task.segments <= SEGMENTS:
        raise Reject(f"a backfill task has a segment that does not exist: segments are 0 to {SEGMENTS - 1}")
    _check_position(task, {name for bound in routes for name in bound.key})
    if task.into and not set(routes) <= set(router.owners(task.index)):
        raise Reject("a backfill task fills a copy of an index that its routes do not fill")
    return routes


def check_reindex(task: ReindexTask, router: Router) -> BoundRoute:
    """Return the route of a reindex task. No I/O.

    Raises Reject if the task is malformed, or its route is not one whose documents are made of several items.
    """
    bound = next((one for one in router.bound if one.name == task.route and one.composite), None)
    if bound is None:
        raise Reject(
            f"a reindex task is for {str(task.route)[:NAME]!r}, which this process does not have, or whose"
            " documents are made of one item: deploy the route, or correct FUNC"
        )
    if not 0 < len(task.keys) <= MOST_KEYS or not all(_names_document(key, bound) for key in task.keys):
        raise Reject(f"a reindex task of {bound.name} has keys that are not keys of its table")
    if not (task.created is None or _is_number(task.created)):
        raise Reject("a reindex task has a time that is not a number")
    if not isinstance(task.sequence, str) or len(task.sequence) > SEQUENCE:
        raise Reject(f"a reindex task has a sequence number of more than {SEQUENCE} characters")
    return bound


def _names_document(key: Any, bound: BoundRoute) -> bool:
    """True if this is a key of the route's table in DynamoDB JSON; the partition key may be enough."""
    assert isinstance(bound.route, TableRoute)
    kinds = bound.route.key
    if not isinstance(key, Mapping) or not set(key) <= set(kinds) or bound.key[0] not in key:
        return False
    if len(key) < len(kinds) and (not bound.collection or bound.parted):
        return False
    return all(
        isinstance(value, Mapping) and list(value) == [kinds[name]] and isinstance(value[kinds[name]], str)
        for name, value in key.items()
    )


def check_copy(task: BackfillTask, context: Context) -> None:
    """Check that a task fills the index of its routes, or a copy that gets the same writes.

    Raises Reject, and what opensearch-py raises.
    """
    if task.into:
        target = look(context, [task.index])[task.index]
        if task.into not in (target.live, *target.also):
            raise Reject(
                f"a backfill task fills an index that is not a copy of {task.index}: if the rebuild of"
                f" {task.index} was abandoned or has finished, nothing is lost; otherwise run --rebuild again"
            )


def prefix_of(setting: str) -> str:
    """Return the setting with one slash at its end; "" if it is empty."""
    return f"{setting.rstrip('/')}/" if setting else ""


def _check_types(task: BackfillTask) -> None:
    texts = {"table": NAME, "index": NAME, "into": NAME, "file": KEY, "export": KEY, "after": POSITION}
    for name, most in texts.items():
        value = getattr(task, name)
        if not isinstance(value, str) or len(value) > most:
            raise Reject(f"a backfill task has a value of {name} that is not a text of at most {most} characters")
    if not all(isinstance(name, str) and len(name) <= NAME for name in task.routes):
        raise Reject("a backfill task has routes that are not names")
    if type(task.segment) is not int or type(task.segments) is not int:
        raise Reject("a backfill task has a segment or segments that is not a whole number")
    if not _is_number(task.units) or task.units < 0 or not (task.time is None or _is_number(task.time)):
        raise Reject("a backfill task has units or a time that is not a number")


def _is_number(value: object) -> bool:
    """True if the value is a finite number below 1e15: `float` of a very long integer overflows."""
    return type(value) in (int, float) and abs(value) < 1e15 and math.isfinite(value)  # type: ignore[arg-type]


def _routes(task: BackfillTask, router: Router) -> Sequence[BoundRoute]:
    listening = {bound.name: bound for bound in router.listening_to("table", task.table) if fills_index(bound)}
    known = {bound.name for bound in router.bound}
    missing = [name for name in task.routes if name not in known]
    if missing or not task.routes:
        raise Reject(
            f"a backfill task is for {_listed(missing) or 'no route'}, which this process does not have"
            f" (it has {_listed(sorted(known))}): deploy the route, or correct FUNC, and run the backfill again"
        )
    strangers = [name for name in task.routes if name not in listening]
    if strangers:
        raise Reject(
            f"a backfill task is for a table that {_listed(strangers)} does not fill an index from: if an operator"
            " sent it, map the table in names as the operator does, and run the backfill again"
        )
    return [listening[name] for name in dict.fromkeys(task.routes)]


def _listed(names: Collection[str]) -> str:
    return ", ".join(list(names)[:10])


def _check_file(task: BackfillTask, prefix: str) -> None:
    if not prefix:
        raise Reject(
            "a backfill task is for a file of an export, and no export prefix is configured: set"
            " STREAMDEX_EXPORT_PREFIX=s3://BUCKET/PREFIX/ for all processes that read the task queue"
        )
    below = task.file.removeprefix(prefix)
    if below == task.file or any(part in ("", ".", "..") for part in below.split("/")):
        raise Reject(f"a backfill task is for a file that is not under the export prefix {prefix}")
    try:
        table = table_of(task.export)
    except DecodeError:
        table = ""
    if table != task.table:
        raise Reject("a backfill task is for a file of an export of another table")


def _check_position(task: BackfillTask, key: Collection[str]) -> None:
    """Check the position: a line number in a file, or a key of the table in a segment."""
    if task.after in ("", ENDED):
        return
    if task.file:
        good = task.after.isascii() and task.after.isdecimal() and len(task.after) <= LINES
    else:
        good = _is_key(task.after, key)
    if not good:
        raise Reject("a backfill task has a position that is not valid for its table or file")


def _is_key(text: str, key: Collection[str]) -> bool:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return False
    if not isinstance(found, dict) or found.keys() != set(key):
        return False
    return all(
        isinstance(typed, dict)
        and len(typed) == 1
        and all(kind in ("S", "N", "B") and isinstance(value, str) for kind, value in typed.items())
        for typed in found.values()
    )
