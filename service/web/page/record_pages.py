"""The latest records, and the details of one record."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Blueprint, abort, render_template, request

from ...pipeline import Outcome
from ...sinks.dead_letters.dead_letter import letter_id, portable
from ...telemetry.recent import Seen
from .page_state import State
from .record_view import record_view_of

SHOWN = 200


def views(state: State) -> Blueprint:
    pages = Blueprint("records", __name__, url_prefix="/records")

    @pages.get("")
    def latest() -> str:
        wanted = {name: request.args.get(name, "")[:200] for name in ("outcome", "route", "text")}
        found = list(matching(state, **wanted))
        return render_template("records.html", found=found[:SHOWN], count=len(found), wanted=wanted)

    @pages.get("/<name>")
    def one(name: str) -> str:
        seen = state.recent.find(name)
        if seen is None:
            abort(
                404,
                "This record is no longer kept. The page keeps only the latest records. The item is not affected.",
            )
        dead_letter = ""
        if seen.result.outcome is Outcome.REJECTED and seen.record is not None:
            dead_letter = letter_id(seen.record, seen.route)
        view = record_view_of(state, seen.record, seen.route)
        return render_template(
            "record.html", seen=seen, view=view, dead_letter=dead_letter, bound=state.route(seen.route)
        )

    return pages


def matching(state: State, outcome: str, route: str, text: str) -> Iterator[Seen]:
    """Yield the records that match the filter, newest first. `text` may be in any field or the raw record."""
    for seen in state.recent.records():
        fits = outcome in ("", seen.result.outcome.name.lower()) and route in ("", seen.route)
        if fits and (not text or text.lower() in all_text(seen)):
            yield seen


def all_text(seen: Seen) -> str:
    text = " ".join((seen.key, seen.event, seen.source, seen.route, seen.result.reason))
    raw = portable(seen.record.raw).decode() if seen.record is not None else ""
    return f"{text} {raw}".lower()
