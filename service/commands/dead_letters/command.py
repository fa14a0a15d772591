"""The command `dead-letters`: list, show, redrive or purge dead letters."""

from __future__ import annotations

import json
import sys

from ...bootstrap.application import App
from ...bootstrap.selection import Chosen
from ...errors import SettingsError
from ..command import Command, Output, counted, print_result
from ..confirmation import Consent
from . import redrive, selection
from .selection import Filter, RedriveOptions


def dead_letters(chosen: Chosen) -> int:
    (action,) = chosen.configuration.operands
    which = chosen.configuration.build(Filter)
    as_json = chosen.configuration.build(Output).json
    with App(chosen.settings, chosen.routes) as app:
        if action == "list":
            for dead_letter in selection.chosen(app.letters, which):
                summary = {name: value for name, value in vars(dead_letter).items() if name != "record"}
                print_result(
                    chosen,
                    summary,
                    f"{dead_letter.id}  {dead_letter.time}  {dead_letter.route or '-'}  {dead_letter.reason}",
                )
        elif action == "show":
            for dead_letter in selection.chosen(app.letters, which):
                print(json.dumps(vars(dead_letter), indent=None if as_json else 2))
        elif action == "redrive":
            return deliver_again(chosen, app, which)
        elif action == "purge":
            return purge(chosen, app, which)
        else:
            raise SettingsError(f"unknown action {action!r}: use list, show, redrive or purge")
    return 0


def deliver_again(chosen: Chosen, app: App, which: Filter) -> int:
    """Deliver the selected dead letters again, print their outcomes, and return the exit code."""
    queue = chosen.configuration.build(RedriveOptions).queue
    if queue:
        messages = app.dead_letters_of(queue)
        redriven = redrive.redrive_queue(messages, app.loader_of(app.router.bound, reread=True))
    else:
        redriven = redrive.redrive(app.letters, which, app.dispatcher_of)
    words = ", ".join(f"{count} {name}" for name, count in sorted(redriven.ends.items()))
    print_result(
        chosen, redriven.ends, words or ("no dead letter was delivered" if redriven.stopped else "no dead letters")
    )
    place = f"the dead-letter queue of {queue}" if queue else chosen.settings.dead_letters
    if redriven.stopped is None:
        if redriven.staying and not queue:
            print(f"{counted(redriven.staying, 'dead letter')} remaining in {place}", file=sys.stderr)
        return 0 if redriven.complete else 1
    remaining = None if queue else app.letters.count()
    rest = "the remaining dead letters" if remaining is None else f"about {counted(remaining, 'dead letter')}"
    print(
        f"redrive stopped: {redriven.stopped}. {place} still holds {rest}: run the redrive again later",
        file=sys.stderr,
    )
    return redriven.stopped.exit_code


def purge(chosen: Chosen, app: App, which: Filter) -> int:
    """Delete the selected dead letters after the operator has confirmed their number. Return the exit code."""
    found = selection.survey(app.letters, which)
    routes = ", ".join(f"{route or 'no route'} {count:,}" for route, count in sorted(found.routes.items()))
    deletes = f"{counted(found.count, 'dead letter')} from {found.first} to {found.last} ({routes})"
    if found.count and not chosen.configuration.build(Consent).given(deletes):
        print_result(chosen, {"removed": 0}, "not confirmed: no dead letter was deleted")
        return 1
    removed = selection.purge(app.letters, which, found.last)
    print_result(chosen, {"removed": removed}, f"{counted(removed, 'dead letter')} removed")
    return 0


COMMAND = Command(
    dead_letters,
    "list, show, redrive or purge dead letters; redrive --queue=NAME is for an SQS queue's dead-letter queue",
    example="redrive --route=images:Images --since=2026-11-01",
    operands=("ACTION",),
    options=(Filter, RedriveOptions, Consent, Output),
)
