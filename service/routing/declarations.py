"""Checks of route classes at startup, before the first record."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from ..errors import DeclarationError
from ..model.events import INSERT, MODIFY, OBJECT_FAMILIES, REMOVE, TABLE_EVENTS
from .document_ids import PARENT
from .index_names import FORBIDDEN, is_index_name, is_index_pattern
from .patterns import is_plain, overlap
from .routes import (
    METHODS,
    BucketRoute,
    CollectionRoute,
    Route,
    TableRoute,
    does_something,
    has_document,
    has_sort_prefix,
    is_composite,
    makes_sub_documents,
    places_by_index,
    places_by_routing,
    written_events,
)

KEY_TYPES = ("S", "N", "B")


def check_declaration(route: Any) -> None:
    """Check the declaration of one route. Raises DeclarationError with the remedy if the route cannot work."""
    name = full_name(route)
    if not isinstance(route, TableRoute | BucketRoute):
        raise DeclarationError(f"{name} is not a route. Derive it from TableRoute or BucketRoute.")
    _check_fields(name, route)
    if isinstance(route, TableRoute):
        _check_table(name, route)
        _check_composite(name, route)
    elif not isinstance(route.bucket, str) or not route.bucket:
        raise DeclarationError(f'Route {name} does not declare a bucket. Add `bucket: ClassVar = "the-bucket"`.')
    _check_reads(name, route)
    _check_targets(name, route)
    if not does_something(type(route)):
        wanted = "document()" if isinstance(route, TableRoute) else "created() or deleted()"
        raise DeclarationError(f"Route {name} has no method that returns actions. Implement {wanted}.")
    if isinstance(route, TableRoute) and has_document(type(route)) and not route.index:
        raise DeclarationError(f'Route {name} has document() but no index. Add `index: ClassVar = "the-index"`.')
    if isinstance(route.ignore, str):
        raise DeclarationError(f"{name}.ignore must be a collection of events, such as ({route.ignore!r},).")
    known = TABLE_EVENTS if isinstance(route, TableRoute) else OBJECT_FAMILIES
    strangers = sorted(set(route.ignore) - known)
    if strangers:
        raise DeclarationError(
            f"{name}.ignore contains the unknown event {', '.join(strangers)}."
            f" Valid events: {', '.join(sorted(known))}."
        )
    handled = written_events(type(route)).intersection(route.ignore)
    if handled:
        raise DeclarationError(
            f"Route {name} ignores {', '.join(sorted(handled))} but has a method for it. Remove one of the two."
        )
    if getattr(route, "skip_unchanged", False):
        _check_skipping(name, route)
    _check_splitting(name, route)


def _check_fields(name: str, route: Any) -> None:
    fields = [n for n, value in vars(type(route)).items() if isinstance(value, dataclasses.Field)]
    if fields:
        raise DeclarationError(
            f"{name}.{fields[0]} is a setting, but the class is not a dataclass."
            " Add @dataclass(frozen=True) to it."
        )


def _check_targets(name: str, route: Any) -> None:
    if not isinstance(route.index, str) or not (is_index_name(route.index) or "*" in route.index):
        raise DeclarationError(
            f"{name}.index must be a valid index name: lower case, at most 255 bytes, without spaces and without"
            f" any of {FORBIDDEN}, not beginning with - _ or +"
        )
    _check_placement(name, route)
    if route.versions not in ("external", None):
        raise DeclarationError(f"{name}.versions must be 'external', or None for an index without versions")
    _check_index(name, route)
    if route.writes and not is_target(route.writes):
        raise DeclarationError(f"{name}.writes must be {{'table': 'the-table'}} or {{'database': 'sql'}}")
    if not (route.index or route.writes or route.reindexes):
        raise DeclarationError(
            f"Route {name} has no target. Declare index, or writes = {{'table': 'the-table'}} or"
            " {'database': 'sql'}, or reindexes."
        )


def _check_skipping(name: str, route: Any) -> None:
    """Check that equal documents of two images mean that there is nothing to write."""
    kind = type(route)
    if not isinstance(route, TableRoute):
        why = "an object has no images to compare. Declare it in a TableRoute"
    elif is_composite(kind):
        why = "its documents are made of several items, and a record has images of one. Declare no reads"
    elif kind.documents is not TableRoute.documents:
        why = "its documents() may look up other data. Implement document() instead"
    elif own := [METHODS[event] for event in written_events(kind) if event != REMOVE]:
        why = f"it has its own {' and '.join(sorted(own))}(). Implement document() instead"
    elif route.fetch or route.versions is None:
        why = "every record is re-read, so no images are compared. Use neither fetch nor versions = None"
    elif ignored := {INSERT, MODIFY}.intersection(route.ignore):
        names = " and ".join(sorted(ignored))
        why = f"it ignores {names}, so the index may not have the old document. Remove {names} from ignore"
    else:
        return
    raise DeclarationError(f"Route {name} declares skip_unchanged, but {why}, or remove skip_unchanged.")


def _check_splitting(name: str, route: TableRoute | BucketRoute) -> None:
    """Check that records can find the sub-documents that an item no longer has."""
    if not isinstance(route, TableRoute) or not makes_sub_documents(type(route)):
        return
    kind = type(route)
    if is_composite(kind):
        why = "its documents are made of several items. Use neither reads nor CollectionRoute"
    elif kind.document is not TableRoute.document or kind.documents is not TableRoute.documents:
        why = "it has document() or documents(), too. Keep one of them"
    elif own := [METHODS[event] for event in written_events(kind)]:
        why = f"it has its own {' and '.join(sorted(own))}(). Remove it"
    elif kind.wants is not TableRoute.wants:
        why = "it has wants(), so that changes would be missed. Return {} for an item without documents"
    elif route.ignore:
        why = f"it ignores {' and '.join(sorted(route.ignore))}, so that documents would be left. Remove ignore"
    elif route.versions is None:
        why = "its index has no versions. Use versions = 'external'"
    elif PARENT in (route.mapping.get("properties") or {}):
        why = f"its mapping declares the field {PARENT}, which the service declares. Remove it"
    else:
        return
    raise DeclarationError(f"Route {name} has documents_of(), but {why}.")


def is_target(writes: Any) -> bool:
    """True if `writes` names a target: one DynamoDB table, or the SQL database of the settings."""
    return dict(writes) == {"database": "sql"} or (set(writes) == {"table"} and is_plain(writes["table"]))


def _check_index(name: str, route: Any) -> None:
    if not isinstance(route.mapping, Mapping):
        raise DeclarationError(f"{name}.mapping must be a dict with the mappings of the index")
    if not isinstance(route.index_settings, Mapping):
        raise DeclarationError(f"{name}.index_settings must be a dict with the settings of the index")
    aliases = route.aliases
    if isinstance(aliases, str) or not all(isinstance(a, str) and a and is_index_name(a) for a in aliases):
        raise DeclarationError(f"{name}.aliases must be a collection of valid index names")
    if (route.index_settings or route.aliases) and not route.index:
        raise DeclarationError(f"Route {name} declares index_settings or aliases but no index. Declare index.")


def _check_placement(name: str, route: Any) -> None:
    """Check an index pattern and the methods that place documents."""
    by_index, by_routing = places_by_index(type(route)), places_by_routing(type(route))
    if "*" in route.index and not is_index_pattern(route.index):
        raise DeclarationError(
            f"{name}.index is {route.index!r}: an index pattern must be a valid index name with one * that is not"
            " its first character, and must not end like the names that the service makes (-000001, --also, --new,"
            " --old)"
        )
    if "*" in route.index and not by_index:
        raise DeclarationError(
            f"{name}.index is the pattern {route.index!r}, but the route does not name the index of a document."
            " Implement index_of(keys), or declare one index."
        )
    if by_index and "*" not in route.index:
        raise DeclarationError(
            f"{name} has index_of(), but its index is no pattern. Declare a pattern that all its indices match,"
            ' such as `index: ClassVar = "reviews-*"`.'
        )
    if by_routing and not route.index:
        raise DeclarationError(f"{name} has routing_of(), but no index. Declare index, or remove routing_of().")
    required = route.mapping.get("_routing") if isinstance(route.mapping, Mapping) else None
    if isinstance(required, Mapping) and required.get("required") and not by_routing:
        raise DeclarationError(
            f"{name}.mapping requires a routing value. Implement routing_of(keys), or remove _routing."
        )


def _check_table(name: str, route: Any) -> None:
    if not isinstance(route.table, str) or not route.table:
        raise DeclarationError(f'Route {name} does not declare a table. Add `table: ClassVar = "the-table"`.')
    key = route.key
    if not isinstance(key, Mapping) or not 1 <= len(key) <= 2 or not set(key.values()) <= set(KEY_TYPES):
        raise DeclarationError(
            f"{name}.key must map the table's key attributes to their types (S, N or B), such as {{'id': 'S'}} or"
            " {'PK': 'S', 'SK': 'N'}"
        )
    strangers = set(route.where) - set(key)
    if strangers:
        raise DeclarationError(
            f"{name}.where tests {', '.join(sorted(strangers))}, which is not a key attribute. The record of a"
            " deleted item may contain only the key. Use wants(record) for other attributes."
        )


def _check_reads(name: str, route: Any) -> None:
    """Check `reads` and `reindexes`."""
    for attribute in ("reads", "reindexes"):
        if isinstance(getattr(route, attribute), str | type):
            raise DeclarationError(f"{name}.{attribute} must be a tuple: add a comma after a single member")
    for one in route.reads:
        table, slash, index = one.partition("/") if isinstance(one, str) else ("", "", "")
        if not table or not is_plain(table) or bool(slash) != bool(index):
            raise DeclarationError(f'{name}.reads has {one!r}, which is neither a "table" nor a "table/index"')
    for kind in route.reindexes:
        if not isinstance(kind, type) or not issubclass(kind, TableRoute) or not is_composite(kind):
            raise DeclarationError(
                f"{name}.reindexes has {getattr(kind, '__name__', kind)}, which is neither a CollectionRoute nor a"
                " TableRoute with an index and `reads`: only their documents are made of several items"
            )
        if not is_plain(kind.table):
            raise DeclarationError(
                f"{name}.reindexes has {kind.__name__}, whose table contains *. Name one table."
            )


def _check_composite(name: str, route: TableRoute) -> None:
    """Check a route if its documents are made of several items."""
    if not is_composite(type(route)):
        return
    if route.writes:
        raise DeclarationError(
            f"Route {name} makes documents of several items, and declares writes. Move them to another route."
        )
    if type(route).wants is not TableRoute.wants:
        raise DeclarationError(
            f"Route {name} makes documents of several items, and has wants(). Return None from document() for an"
            " item that has no document."
        )
    if not isinstance(route, CollectionRoute):
        return
    if len(route.key) != 2:
        raise DeclarationError(f"{name} is a CollectionRoute: declare a key of partition key and sort key")
    _, sort = route.key
    if sort in route.where:
        raise DeclarationError(
            f"{name}.where tests the sort key, but a CollectionRoute gets all items of a partition. Override"
            " sort_prefix() to select a part of it."
        )
    if has_sort_prefix(type(route)) and route.key[sort] != "S":
        raise DeclarationError(f"{name}.sort_prefix() needs a sort key of type S")
    events = sorted(written_events(type(route)))
    if events:
        raise DeclarationError(
            f"{name} is a CollectionRoute and has its own method for {', '.join(events)}. Implement document()."
            " Return other actions from another route."
        )


def check_clashes(routes: Sequence[Route]) -> None:
    """Raise DeclarationError if a route is registered twice, or two could write the same document."""
    alike: dict[type[Route], list[Route]] = {}
    for route in routes:
        twins = alike.setdefault(type(route), [])
        if any(not dataclasses.is_dataclass(type(route)) or twin == route for twin in twins):
            raise DeclarationError(f"Route {full_name(route)} is registered twice. Remove one of the two.")
        twins.append(route)
    by_index: dict[str, list[Route]] = {}
    for route in routes:
        if route.index:
            by_index.setdefault(route.index, []).append(route)
    for index, neighbours in by_index.items():
        _check_split_index(index, neighbours)
        for one, other in combinations(neighbours, 2):
            if could_meet(one, other):
                raise DeclarationError(
                    f"{full_name(one)} and {full_name(other)} could write the same document of index {index!r}."
                    " Give one of them another index, or separate their items by `where` (tables) or by `prefix`"
                    " and `suffix` (buckets)."
                )


def _check_split_index(index: str, routes: Sequence[Route]) -> None:
    """Raise DeclarationError if only some routes of an index have sub-documents: their ids could be equal."""
    by_kind = {makes_sub_documents(type(route)): route for route in routes}
    if len(by_kind) == 2:
        raise DeclarationError(
            f"{full_name(by_kind[True])} has documents_of() and {full_name(by_kind[False])} has not, and both"
            f" write index {index!r}. Give one of them another index."
        )


def could_meet(one: Route, other: Route) -> bool:
    """True if two routes of the same index can produce the same document id."""
    if isinstance(one, TableRoute) and isinstance(other, TableRoute):
        return _tables_meet(one, other)
    if isinstance(one, BucketRoute) and isinstance(other, BucketRoute):
        return _buckets_meet(one, other)
    return True  # an item and an object can have the same document id


def _tables_meet(one: TableRoute, other: TableRoute) -> bool:
    if one.table != other.table and (is_plain(one.table) or is_plain(other.table)):
        return True  # an id without the table's name can equal any other id
    if not overlap(one.table, other.table):
        return False
    shared = set(one.where) & set(other.where)
    return all(overlap(one.where[attribute], other.where[attribute]) for attribute in shared)


def _buckets_meet(one: BucketRoute, other: BucketRoute) -> bool:
    if one.bucket != other.bucket and (is_plain(one.bucket) or is_plain(other.bucket)):
        return True
    if not overlap(one.bucket, other.bucket):
        return False
    # Prefix and suffix may share characters of a short key, so each is compared on its own.
    prefixes = one.prefix.startswith(other.prefix) or other.prefix.startswith(one.prefix)
    suffixes = one.suffix.endswith(other.suffix) or other.suffix.endswith(one.suffix)
    return prefixes and suffixes


def full_name(route: Route) -> str:
    return class_name(type(route))


def class_name(kind: type[Route]) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"
