"""One record in detail: its raw form, the writes of its route today, and the stored documents."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from ...commands.inspection import ABSENT, Difference, Held, ask, differences, document_of, look_up
from ...commands.replay.rehearsal import content_of
from ...model import Record, Undecodable
from ...pipeline import Write
from ...routing import Delete, Index
from ...routing.computed_fields import without
from .formatting import pretty, shortened
from .page_state import State

MOST_DIFFERENCES = 100

LONGEST_VALUE = 500
"""Maximum characters shown of a value that differs."""


@dataclass(frozen=True)
class Comparison:
    """One write that the route returns today, compared with the stored document.

    `wanted` and `document` are the new and the stored document as text; `held` is the stored document.
    `differences` holds path, wanted value and stored value of each field that differs.
    """

    action: str
    target: str
    id: str
    version: int | None
    wanted: str
    held: Held | None
    document: str
    verdict: str
    same: bool
    differences: Sequence[tuple[str, str, str]]


@dataclass(frozen=True)
class RecordView:
    """A record with its comparisons.

    `problem` is the reason if the route returns no writes. `raw` is "" if the record was too large to keep.
    """

    raw: str
    problem: str
    comparisons: Sequence[Comparison]


def record_view_of(state: State, record: Record | None, route: str) -> RecordView:
    """Call the route again and compare its writes with the index. Writes nothing."""
    if record is None:
        return RecordView(
            "", "The record is too large for the page to keep, so its route cannot be called again.", []
        )
    raw = pretty(record.raw)
    if isinstance(record, Undecodable):
        return RecordView(raw, f"The record cannot be decoded: {record.reason}", [])
    bound = state.route(route)
    if bound is None:
        reason = f"Route {route} is not registered." if route else "No route handles this record."
        return RecordView(raw, reason, [])
    result = ask(bound, record, state.app.context)
    problem = result.problem or ("" if result.writes else "The route returns no writes for this record.")
    return RecordView(raw, problem, [comparison_of(state, write, bound.computed) for write in result.writes])


def comparison_of(state: State, write: Write, computed: Collection[str]) -> Comparison:
    """Compare a write with the stored document. `computed` are the fields to leave out."""
    action = write.action
    if not isinstance(action, Index | Delete):
        wanted = pretty(content_of(write))
        return Comparison(write.kind, write.target, "", None, wanted, None, "", "", False, [])
    held = look_up(state.app.context, write.location)
    try:
        wanted = document_of(write)
    except ValueError as error:
        return _compared(write, held, f"The document cannot be encoded as JSON: {error}", None, [])
    there = without(held.document or {}, computed)
    found = list(islice(differences(without(wanted or {}, computed), there), MOST_DIFFERENCES))
    return _compared(write, held, verdict_of(write, wanted, held, found), wanted, found)


def verdict_of(write: Write, wanted: Any, held: Held, found: Sequence[Difference]) -> str:
    """Return the result of the comparison as a sentence."""
    if held.problem:
        return held.problem
    newer = held.version is not None and write.version is not None and held.version > write.version
    if held.document is None:
        return (
            "The document is not in the index, as expected."
            if wanted is None
            else "The document is missing from the index."
        )
    if newer:
        return "The index has a newer version: this record is not the last change of the item."
    if wanted is None:
        return "The document is still in the index, although the route deletes it."
    return "The stored document differs." if found else "The stored document is identical."


def _compared(write: Write, held: Held, verdict: str, wanted: Any, found: Sequence[Difference]) -> Comparison:
    same = not held.problem and (held.document is None) == (wanted is None) and not found
    both = wanted is not None and held.document is not None
    return Comparison(
        action=write.kind,
        target=write.target,
        id=write.id,
        version=write.version,
        wanted="" if wanted is None else pretty(wanted),
        held=held,
        document="" if held.document is None else pretty(held.document),
        verdict=verdict,
        same=same,
        differences=[(one.path, _value(one.wanted), _value(one.held)) for one in found] if both else [],
    )


def _value(value: Any) -> str:
    return "" if value is ABSENT else shortened(pretty(value), LONGEST_VALUE)
