"""Lines of a recording. `replay` reads each line back to an equal record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson

from ...model import ObjectRecord, Record, TableRecord
from ...model.table_record import to_seconds
from ..dead_letters.dead_letter import portable
from .masks import Masks

CREDENTIALS: Final = frozenset(
    {"authorization", "cookie", "proxy-authorization", "set-cookie", "x-amz-security-token", "x-api-key"}
)
"""Headers that envelopes may carry around a record, in lower case."""


def lines_of(records: Iterable[Record], masks: Masks) -> list[bytes]:
    """Return the lines of records. With masks, undecodable records are omitted: they cannot be masked."""
    found = []
    for record in records:
        if isinstance(record, TableRecord):
            found.append(_line(as_in_an_event(record, masks)))
        elif isinstance(record, ObjectRecord):
            found.append(_line(without_credentials(record.raw)))
        elif not masks.paths:
            found.append(_line(_whole(without_credentials(record.raw), record.source)))
    return found


def as_in_an_event(record: TableRecord, masks: Masks) -> dict[str, Any]:
    """Return a stream record as a Lambda event has it, whatever its source ("Using Lambda with DynamoDB")."""
    change = dict(record.raw["dynamodb"])
    created = to_seconds(change.get("ApproximateCreationDateTime"))
    if created is not None:
        change["ApproximateCreationDateTime"] = int(created) if created.is_integer() else created
    for name in ("NewImage", "OldImage") if masks.paths else ():
        if change.get(name) is not None:
            change[name] = masks.masked(change[name])
    found = {name: part for name, part in record.raw.items() if name.lower() not in CREDENTIALS}
    identity = found.get("userIdentity")
    if isinstance(identity, Mapping):
        found["userIdentity"] = {name[:1].lower() + name[1:]: said for name, said in identity.items()}
    return {"eventSource": "aws:dynamodb", **found, "eventSourceARN": record.source, "dynamodb": change}


def without_credentials(value: Any) -> Any:
    if isinstance(value, Mapping):
        kept = {name: part for name, part in value.items() if str(name).lower() not in CREDENTIALS}
        return {name: without_credentials(part) for name, part in kept.items()}
    if isinstance(value, list | tuple):
        return [without_credentials(member) for member in value]
    return value


def _whole(raw: Any, source: str) -> Any:
    """Return an undecodable payload in a form that replay cannot mistake for a whole file, and reports again."""
    if isinstance(raw, Mapping):
        return {"eventSourceARN": source, **raw} if "dynamodb" in raw and source else raw
    return {"undecodable": raw}


def _line(value: Any) -> bytes:
    return portable(value, orjson.OPT_APPEND_NEWLINE)
