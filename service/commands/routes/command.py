"""`routes`: list routes, explain how a record is routed, and write a new route."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import chain, islice
from typing import Any

from ...bootstrap.application import App
from ...bootstrap.selection import Chosen
from ...context import Context
from ...errors import SettingsError
from ...model import Record
from ...routing import Names, Router
from ...settings import setting
from ..command import Command, Output, aligned, print_result, quietly
from ..inspection import amount_of
from .explanation import Explanation, Step, explain, version_in_words
from .listing import Listed, listed
from .scaffold import add, draft, key_of, parsed_key


@dataclass(frozen=True)
class Options:
    """Options of `routes explain` and `routes new`."""

    record: str = setting("", "`explain`: a file of records that replay can read; - for standard input")
    number: int = setting(1, "`explain`: the number of the record in the file, from 1", least=1)
    table: str = setting("", "`new`: the table (logical name)")
    index: str = setting("", "`new`: the index; default: the table's name")
    key: tuple[str, ...] = setting(
        (), "`new`: the table's key with its types, PK:S,SK:N; default: read from the table"
    )


def routes(chosen: Chosen) -> int:
    action, *names = chosen.configuration.operands
    options = chosen.configuration.build(Options)
    if action not in ("list", "explain", "new"):
        raise SettingsError(f"unknown action {action!r}: {USAGE}")
    if names and action != "new":
        raise SettingsError(f"routes {action} takes no name: {USAGE}")
    if action == "list":
        return show_routes(chosen)
    if action == "explain":
        return explain_record(chosen, options)
    if not names:
        raise SettingsError("routes new needs the name of the route, such as books")
    return new_route(chosen, names[0], options)


USAGE = "use list, explain --record=FILE, or new NAME --table=TABLE"


def show_routes(chosen: Chosen) -> int:
    found = listed(Router(chosen.routes, Names(chosen.settings.names)))
    for one, line in zip(found, aligned([cells_of(one) for one in found]), strict=True):
        print_result(chosen, asdict(one), line)
    return 0


def cells_of(one: Listed) -> tuple[str, ...]:
    """Return a route's line as cells."""
    chosen = [f"{attribute}={pattern}" for attribute, pattern in one.where.items()]
    chosen += [f"{one.prefix}…{one.suffix}"] if one.prefix or one.suffix else []
    chosen += ["wants()"] if one.wants else []
    targets = [f"index {one.index}"] if one.index else []
    targets += [f"table {one.table}"] if one.table else []
    targets += [f"database {one.database}"] if one.database else []
    targets += [f"documents of {name}" for name in one.reindexes]
    remarks = [f"ignores {', '.join(one.ignored)}"] if one.ignored else []
    remarks += [f"dead letters: {', '.join(one.dead_letters)}"] if one.dead_letters else []
    remarks += [f"ingest pipeline {one.pipeline}"] if one.pipeline else []
    remarks += [f"computed: {', '.join(one.computed)}"] if one.computed else []
    remarks += ["routing_of()"] if one.routing else []
    remarks += ["collection"] if one.collection else []
    remarks += [f"reads {', '.join(one.reads)}"] if one.reads else []
    remarks += ["fetch"] if one.fetch else []
    remarks += ["several documents of an item"] if one.splits else []
    remarks += ["skips unchanged"] if one.skip_unchanged else []
    remarks += ["no versions"] if one.versions is None else []
    return (
        one.route,
        " ".join([one.kind, one.source, *chosen]),
        " ".join(one.events),
        "-> " + ", ".join(targets),
        "; ".join(remarks),
    )


def explain_record(chosen: Chosen, options: Options) -> int:
    if not options.record:
        raise SettingsError("routes explain needs --record=FILE (- for standard input)")
    with App(quietly(chosen), chosen.routes) as app:
        record = record_of(app, options.record, options.number)
        explanation = explain(record, app.router, app.rereads, app.context)
    print_result(chosen, as_json(explanation), in_words(explanation, record))
    return 0 if explanation.arrives else 1


def record_of(app: App, where: str, number: int) -> Record:
    """Return the record with this number (from 1) in a recording. Raises SettingsError if it has fewer."""
    records = chain.from_iterable(recording.records() for recording in app.recordings([where]).read())
    found = next(islice(records, number - 1, None), None)
    if found is None:
        raise SettingsError(f"{where} has no record {number}")
    return found


def as_json(explanation: Explanation) -> dict[str, Any]:
    result = explanation.result
    return {
        "record": explanation.about,
        "routes": [asdict(step) for step in explanation.steps],
        "outcome": result.outcome.name if result else None,
        "reason": result.reason if result else "",
    }


def in_words(explanation: Explanation, record: Record) -> str:
    lines = headline(explanation.about)
    for step in explanation.steps:
        lines += lines_of(step, record)
    if explanation.result:
        lines.append(f"{explanation.result.outcome.name}: {explanation.result.reason}")
    return "\n".join(lines)


def headline(about: Mapping[str, Any]) -> list[str]:
    """Describe a record and its order."""
    if "undecodable" in about:
        return [f"undecodable: {about['undecodable']}"]
    place = f"table {about['table']}" if "table" in about else f"bucket {about['bucket']}"
    order = "in stream order" if about["ordered"] else "unordered"
    number = about.get("sequence", about.get("sequencer")) or "none"
    name = "sequence number" if "sequence" in about else "sequencer"
    created = about["created"] or "unknown"
    return [
        f"{about['event']} of {place}, key {worded(about['key'])}",
        f"  created {created}, {name} {number}, {order}",
    ]


def lines_of(step: Step, record: Record) -> list[str]:
    if not step.takes:
        return [f"{step.route} does not handle the record: {step.reason}"]
    lines = [f"{step.route} handles the record"]
    lines += [f"  re-reads the current state first: {step.hint}"] if step.hint else []
    lines += [f"  {step.reason}"] if step.reason else []
    lines += [f"  id: {step.id}"] if step.id else []
    lines += [f"  version: {version_in_words(step.version, record)}"]
    for action in step.actions:
        what = [worded(action[name]) for name in ("document", "item", "key") if name in action]
        target = "/".join([action["target"], *([action["id"]] if "id" in action else [])])
        routing = [f"(routing value {action['routing']})"] if "routing" in action else []
        lines.append(" ".join([f"  {action['action']} -> {target}", *routing, *what]))
        if "keys" in action:
            lines.append(
                f"    makes {amount_of(action['documents'], action['more'])} again, from the current state"
            )
            lines += [f"    {worded(key)}" for key in action["keys"]]
            lines += ["    …"] if action["documents"] > len(action["keys"]) else []
        lines += [f"    passes through ingest pipeline {action['pipeline']}"] if "pipeline" in action else []
        lines += [f"    {name} reads this table" for name in action.get("read_by", ())]
    return lines


def worded(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def new_route(chosen: Chosen, name: str, options: Options) -> int:
    names = Names(chosen.settings.names)
    draft(name, options.table, {})  # report a wrong name before a table is looked up
    if options.key:
        key = parsed_key(options.key)
    else:
        with Context(chosen.settings) as context:
            key = key_of(context, names, options.table)
    new = draft(name, options.table, key, options.index)
    written = [str(path) for path in add(new, chosen.settings.routes, chosen.routes)]
    lines = [f"wrote {path}" for path in written] or [f"{new.entry} already exists"]
    print_result(chosen, {"route": new.entry, "written": written}, "\n".join(lines))
    return 0


COMMAND = Command(
    routes,
    "list routes, explain how a record is routed (--record=FILE), or create a route (new NAME --table=TABLE)",
    example="explain --record=tests/data/insert.json",
    operands=("ACTION", "NAME?"),
    options=(Options, Output),
)
