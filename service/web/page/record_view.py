"""One record in detail: its raw form, the writes of its route today, and the stored documents."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from ...commands.comparison import ABSENT, Comparison, Match, document_of
from ...commands.inspection import Named, ask, look_up
from ...commands.replay.rehearsal import content_of
from ...model import Record, Undecodable
from ...pipeline import Write
from ...routing import Delete, Index
from .formatting import pretty, shortened
from .page_state import State

MOST_DIFFERENCES = 100

LONGEST_VALUE = 500
"""Maximum characters shown of a value that differs."""


@dataclass(frozen=True)
class WriteView:
    """One write that the route returns today: its content as text, and its comparison with the stored document.

    `found` is None for a write that is not to an index. `verdict` is the result of the comparison as a sentence.
    """

    write: Write
    content: str
    found: Comparison | None = None
    verdict: str = ""
    same: bool = False

    @property
    def differences(self) -> list[tuple[str, str, str]]:
        """The path, wanted value and stored value of each field that differs between two documents."""
        if self.found is None or self.found.match is not Match.CHANGED:
            return []
        return [(one.path, _value(one.wanted), _value(one.held)) for one in self.found.fields[:MOST_DIFFERENCES]]


@dataclass(frozen=True)
class RecordView:
    """A record with the writes of its route, and the documents that it names in Reindex.

    `problem` is the reason if the route returns neither. `raw` is "" if the record was too large to keep.
    """

    raw: str
    problem: str
    writes: Sequence[WriteView]
    reindexes: Sequence[Named] = ()


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
    result = ask(bound, record, state.app.context, state.app.router)
    found = result.writes or result.reindexes
    problem = result.problem or ("" if found else "The route returns no writes for this record.")
    views = [write_view_of(state, write, bound.computed) for write in result.writes]
    return RecordView(raw, problem, views, result.reindexes)


def write_view_of(state: State, write: Write, computed: Collection[str]) -> WriteView:
    """Compare a write with the stored document. `computed` are the fields to leave out."""
    if not isinstance(write.action, Index | Delete):
        return WriteView(write, pretty(content_of(write)))
    stored, problem = look_up(state.app.context, write.location)
    try:
        wanted = document_of(write)
    except ValueError as error:
        wanted, problem = None, f"The document cannot be encoded as JSON: {error}"
    found = Comparison(wanted, stored, write.version, computed)
    same = not problem and found.match is Match.SAME
    return WriteView(write, "" if wanted is None else pretty(wanted), found, problem or verdict_of(found), same)


def verdict_of(found: Comparison) -> str:
    """Return the result of the comparison as a sentence."""
    if found.stored.source is None and found.expected is None:
        return "The document is not in the index, as expected."
    if found.stored.source is not None and found.is_older:
        return "The index has a newer version: this record is not the last change of the item."
    return {
        Match.MISSING: "The document is missing from the index.",
        Match.EXTRA: "The document is still in the index, although the route deletes it.",
        Match.CHANGED: "The stored document differs.",
        Match.SAME: "The stored document is identical.",
    }[found.match]


def _value(value: Any) -> str:
    return "" if value is ABSENT else shortened(pretty(value), LONGEST_VALUE)
