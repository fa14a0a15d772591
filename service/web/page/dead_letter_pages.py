"""The dead letters with their reasons, and the redrive of one dead letter."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from flask import Blueprint, abort, render_template, request

from ...commands.dead_letters.redrive import redrive
from ...commands.dead_letters.selection import Filter, records_of
from ...commands.inspection import words_of
from ...errors import StreamdexError, Unreachable
from ...model import Record, Undecodable
from ...sinks.dead_letters import StoredDeadLetter
from ...telemetry.recent import subject_of
from .page_state import State
from .record_view import record_view_of
from .sign_in import check_form

PAGE_SIZE: Final = 50

MAX_READ: Final = 2000
"""Maximum dead letters read for one list."""

MAX_SECONDS: Final = 5.0
"""Approximate maximum seconds for reading one list."""

_ID: Final = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Row:
    """A row of the list. `time` is in Unix seconds, None if the dead letter has no valid time."""

    letter: StoredDeadLetter
    subject: str
    event: str
    time: float | None


@dataclass(frozen=True)
class Listing:
    """The dead letters found, newest first. `complete` is False if a limit ended the reading early."""

    rows: Sequence[Row]
    complete: bool


def views(state: State) -> Blueprint:
    pages = Blueprint("dead_letters", __name__, url_prefix="/letters")

    @pages.get("")
    def listing() -> str:
        wanted = {name: request.args.get(name, "")[:200] for name in ("route", "reason")}
        number = max(request.args.get("page", 1, int), 1)
        with locked_store(state):
            found = read_rows(state, Filter(**wanted))
        rows = found.rows[(number - 1) * PAGE_SIZE : number * PAGE_SIZE]
        last = max((len(found.rows) + PAGE_SIZE - 1) // PAGE_SIZE, 1)
        routes = sorted({*state.routes, wanted["route"], *(row.letter.route for row in found.rows)} - {""})
        return render_template(
            "dead_letters.html", found=found, rows=rows, wanted=wanted, number=number, last=last, routes=routes
        )

    @pages.get("/<name>")
    def detail(name: str) -> str:
        found = find(state, name)
        (record, *_) = [*records_of(found), None]
        view = record_view_of(state, record, found.route)
        return render_template("dead_letter.html", row=row_of(found), view=view, bound=state.route(found.route))

    @pages.get("/<name>/redrive")
    def confirm(name: str) -> str:
        check_setting(state)
        return render_template("redrive.html", row=row_of(find(state, name)))

    @pages.post("/<name>/redrive")
    def deliver(name: str) -> str:
        check_setting(state)
        check_form(state)
        row = row_of(find(state, name))
        with locked_store(state):
            redriven = redrive(state.app.letters, Filter(letter=name), state.app.dispatcher_of)
        if redriven.stopped is not None and not redriven.ends:
            raise redriven.stopped
        return render_template("redriven.html", row=row, ends=sorted(redriven.ends), gone=redriven.complete)

    return pages


def check_setting(state: State) -> None:
    if not state.app.settings.page_redrive:
        abort(403, "Redrive from the page is disabled. Set STREAMDEX_PAGE_REDRIVE=true to enable it.")


@contextmanager
def locked_store(state: State) -> Iterator[None]:
    """Hold the lock on dead letters during the block. Raises Unreachable or Halt if the store cannot be read."""
    with state.dead_letter_lock:
        try:
            yield
        except StreamdexError:
            raise
        except Exception as error:
            operation = f"dead letters in {state.app.settings.dead_letters}"
            raise Unreachable(words_of(error, operation)) from error


def read_rows(state: State, which: Filter) -> Listing:
    """Read the selected dead letters, at most MAX_READ of them and for about MAX_SECONDS."""
    until = time.monotonic() + MAX_SECONDS
    rows: list[Row] = []
    complete = True
    with closing(state.app.letters.read(which.letter)) as found:
        for count, kept in enumerate(found):
            if count == MAX_READ or time.monotonic() > until:
                complete = False
                break
            if which.takes(kept):
                rows.append(replace(row_of(kept), letter=replace(kept, record=None)))
    return Listing(sorted(rows, key=lambda row: row.letter.time, reverse=True), complete)


def find(state: State, name: str) -> StoredDeadLetter:
    """Return one dead letter. Aborts with status 404 if the store does not have it."""
    if not _ID.fullmatch(name):
        abort(404)
    with locked_store(state), closing(state.app.letters.read(name)) as found:
        kept = next((kept for kept in found if kept.id == name), None)
    return kept or abort(404, "This dead letter does not exist. It was redriven successfully, or deleted.")


def row_of(kept: StoredDeadLetter) -> Row:
    record: Record = next(iter(records_of(kept)), Undecodable(kept.record, "", kept.source, kept.identifier))
    event, subject = subject_of(record)
    try:
        at = datetime.fromisoformat(kept.time).timestamp()
    except ValueError:
        at = None
    return Row(kept, subject, event, at)
