"""Explain why a search server refuses a document, or misreads one of its values, with the path of the field."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

_FIELD_TYPE: Final = re.compile(r"field \[([^\]]+)\] of type \[([^\]]+)\]")
_METADATA: Final = re.compile(r"Field \[(_\w+)\] is a metadata field")
_NOT_OBJECT: Final = re.compile(r"object mapping for \[([^\]]+)\]")


def mapping_conflict(reason: str, document: Any) -> str:
    """Describe a mapping conflict: field, type of the value, type of the mapping. Return "" for another reason.

    OpenSearch names the field and the type of its mapping, and shows the value. This text names the type of the
    value instead, because reasons are logged. OpenSearch reports a metadata field such as `_version` as a field of
    type `_version`.
    """
    found = _METADATA.search(reason)
    if found:
        return (
            f"{found[1]} is a metadata field of the index and cannot be in a document:"
            " remove it from the document, or rename it"
        )
    found = _FIELD_TYPE.search(reason)
    if found:
        return _words(found[1], found[2], document)
    found = _NOT_OBJECT.search(reason)
    return _words(found[1], "object", document) if found else ""


def _words(field: str, mapping: str, document: Any) -> str:
    kinds = sorted({kind_of(value) for value in values_at(document, field)})
    return (
        f"mapping conflict: field {field} contains {' and '.join(kinds) or 'a value'}, but is mapped as {mapping}"
    )


def values_at(document: Any, field: str) -> Iterator[Any]:
    """Yield the values at a dotted path. A list stands for each of its members, as in an index."""
    if isinstance(document, list | tuple):
        for member in document:
            yield from values_at(member, field)
    elif not field:
        yield document
    elif isinstance(document, Mapping):
        for name, value in document.items():
            if field == name:
                yield from values_at(value, "")
            elif field.startswith(f"{name}."):
                yield from values_at(value, field[len(name) + 1 :])


def kind_of(value: Any) -> str:
    """Return the JSON name of a value's type."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, Mapping):
        return "object"
    return "null" if value is None else "text"
