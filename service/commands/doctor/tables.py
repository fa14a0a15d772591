"""Check the tables of routes: keys, streams and stream views, and the secondary indexes that routes read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import CodeType
from typing import Any, Final

from ...routing import BoundRoute, TableRoute
from ...routing.patterns import is_plain
from .findings import ERROR, WARNING, Finding, missing
from .patient import DoctorContext

NEW: Final = frozenset({"NEW_IMAGE", "NEW_AND_OLD_IMAGES"})
OLD: Final = frozenset({"OLD_IMAGE", "NEW_AND_OLD_IMAGES"})
"""The stream views that hold the new image, and those that hold the old image."""

ACTIVE: Final = "ACTIVE"
READY: Final = (ACTIVE, "UPDATING")
"""The states of a secondary index that can be read. UPDATING changes only its capacity."""

ENABLE: Final = (
    "aws dynamodb update-table --table-name {table}"
    " --stream-specification StreamEnabled=true,StreamViewType=NEW_AND_OLD_IMAGES"
)
RENEW: Final = (
    "disable the stream, and enable it with NEW_AND_OLD_IMAGES (this creates a new stream: run a backfill for the"
    " changes in between)"
)


def patterns(patient: DoctorContext) -> list[str]:
    """Return the patterns of tables that routes listen to."""
    tables = [b.route.table for b in patient.router.bound if isinstance(b.route, TableRoute)]
    return [table for table in dict.fromkeys(tables) if not is_plain(table)]


def check_pattern(patient: DoctorContext, pattern: str) -> Iterator[Finding]:
    if not patient.matching(pattern):
        remedy = "create a matching table, map a matching name to one in STREAMDEX_NAMES, or correct the pattern"
        yield Finding("table", f"tables {pattern}", "no table matches", remedy, WARNING)


def check_listened(patient: DoctorContext, table: str) -> Iterator[Finding]:
    routes, description = patient.tables[table], patient.described(table)
    if description is None:
        yield missing("table", f"table {table}", "the region")
        return
    for bound in routes:
        yield from _key(table, description, bound)
    stream = description.get("StreamSpecification") or {}
    if stream.get("StreamEnabled"):
        for bound in routes:
            yield from _view(table, stream.get("StreamViewType", ""), bound)
    elif any(is_plain(getattr(bound.route, "table", "")) for bound in routes):  # a pattern skips such a table
        yield Finding("stream", f"table {table}", "its stream is not enabled", ENABLE.format(table=table))


def check_written(patient: DoctorContext, table: str) -> Iterator[Finding]:
    if patient.described(table) is None:
        yield missing("table", f"table {table}", "the region")


def check_read(patient: DoctorContext, table: str) -> Iterator[Finding]:
    """Check that a table and its secondary indexes can be read. Any projection has the keys of the items."""
    description = patient.described(table)
    if description is None:
        yield missing("table", f"table {table}", "the region")
        return
    found = indexes_of(description)
    for index in sorted(patient.router.readable[table].indexes):
        routes = " and ".join(readers_of(patient, table, index))
        if index not in found:
            problem = f"it has no secondary index {index}, which {routes} reads"
            remedy = f"create the index (aws dynamodb update-table --table-name {table} …), or correct `reads`"
            yield Finding("index", f"table {table}", problem, remedy)
        elif found[index].get("IndexStatus", ACTIVE) not in READY:
            problem = f"its secondary index {index}, which {routes} reads, is {found[index]['IndexStatus']}"
            remedy = "wait until it is ACTIVE"
            yield Finding("index", f"table {table}", problem, remedy)


def readers_of(patient: DoctorContext, table: str, index: str) -> list[str]:
    """Return the names of the routes that read an index of a table."""
    return [
        bound.name
        for bound in patient.router.bound
        if any(one.actual == table and index in one.indexes for one in bound.readable.values())
    ]


def indexes_of(description: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the secondary indexes of a table by their names. Local ones have no IndexStatus."""
    kinds = ("GlobalSecondaryIndexes", "LocalSecondaryIndexes")
    return {index["IndexName"]: index for kind in kinds for index in description.get(kind) or ()}


def key_of(description: Mapping[str, Any]) -> dict[str, str]:
    """Return the key attributes of a table with their types, the partition key first."""
    types = {part["AttributeName"]: part["AttributeType"] for part in description["AttributeDefinitions"]}
    schema = sorted(description["KeySchema"], key=lambda part: part["KeyType"])  # HASH, then RANGE
    return {part["AttributeName"]: types[part["AttributeName"]] for part in schema}


def _key(table: str, description: Mapping[str, Any], bound: BoundRoute) -> Iterator[Finding]:
    declared, found = dict(getattr(bound.route, "key", {})), key_of(description)
    if list(declared.items()) != list(found.items()):
        problem = (
            f"its key is {in_words(found)}, but {bound.name} declares {in_words(declared)}: records would be"
            " rejected, or their documents would have wrong ids"
        )
        yield Finding("key", f"table {table}", problem, f"declare key: ClassVar = {found}")


def in_words(key: Mapping[str, str]) -> str:
    return ", ".join(f"{name} ({kind})" for name, kind in key.items())


def _view(table: str, view: str, bound: BoundRoute) -> Iterator[Finding]:
    """Report images that a route uses and the stream does not hold.

    For documents, a missing new image is read from the table. The route's own methods get None.
    """
    if bound.reindexes and view not in OLD:
        problem = (
            f"its stream holds {view or 'no images'}: {bound.name} cannot name the documents that an item belonged"
            " to before a change, and they are not made again"
        )
        yield Finding("view", f"table {table}", problem, RENEW, WARNING)
    if view not in NEW and bound.batched and not bound.fetch:
        problem = f"its stream holds {view or 'no images'}: the service reads each item of {bound.name}"
        yield Finding("view", f"table {table}", problem, RENEW, WARNING)
    if bound.skips and view not in NEW & OLD:
        problem = f"its stream holds {view or 'no images'}: skip_unchanged of {bound.name} needs both images"
        yield Finding("view", f"table {table}", problem, RENEW, WARNING)
    if bound.splits and view not in NEW & OLD:
        problem = (
            f"its stream holds {view or 'no images'}: documents that {bound.name} has to delete may be missed"
        )
        yield Finding("view", f"table {table}", problem, RENEW, ERROR)
    for image, views in (("new", NEW), ("old", OLD)):
        if view in views or (image == "old" and bound.reindexes):
            continue
        methods = [name for name in _methods(bound, image) if _reads(bound, name, image)]
        if methods:
            called = " and ".join(f"{name}()" for name in methods)
            problem = f"its stream holds {view or 'no images'}: record.{image} is None in {called} of {bound.name}"
            yield Finding("view", f"table {table}", problem, RENEW, ERROR if image == "new" else WARNING)


def _methods(bound: BoundRoute, image: str) -> Sequence[str]:
    """Return the methods that may need the image. With `fetch`, insert and modify always get the new image."""
    if image == "old":
        return "modify", "remove", "wants"
    return ("wants",) if bound.fetch else ("insert", "modify", "wants")


def _reads(bound: BoundRoute, method: str, attribute: str) -> bool:
    """True if a method that the route overrides names the attribute in its code."""
    own = getattr(type(bound.route), method)
    code = getattr(own, "__code__", None)
    return own is not getattr(TableRoute, method) and code is not None and _names(code, attribute)


def _names(code: CodeType, attribute: str) -> bool:
    inner = [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return attribute in code.co_names or any(_names(part, attribute) for part in inner)
