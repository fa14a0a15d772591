"""The command `verify`: compare tables with their indices."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ...bootstrap.application import App
from ...bootstrap.selection import Chosen
from ..backfill.loading import Scan
from ..command import Command, Output, counted, print_result, quietly
from ..comparison import by_path
from ..progress import progress
from ..tables import TableFilter
from ..tables import chosen as selected
from . import Finding, Verification, VerifyOptions, VerifyPatience


def verify_tables(chosen: Chosen) -> int:
    build = chosen.configuration.build

    def on_finding(found: Finding, became: str) -> None:
        print_result(chosen, as_value(found, became), as_words(found, became))

    as_json = build(Output).json
    with (
        App(quietly(chosen), chosen.routes) as app,
        progress("verify", "items and documents", silent=as_json) as advance,
    ):
        patience = build(VerifyPatience).patience
        verification = Verification(app, build(Scan), build(VerifyOptions), patience, on_finding, advance)
        ended = verification.run(selected(app, build(TableFilter)))
    print_result(
        chosen,
        vars(ended),
        f"{counted(ended.items, 'item')} and {counted(ended.documents, 'document')}: {differing(ended.left)}"
        + (f"; repaired: {differing(ended.repaired)}" if ended.repaired else "")
        + (f"; {counted(ended.refused, 'item')} rejected: no document can be built" if ended.refused else "")
        + "".join(f"\nnot verified: {name}: {reason}" for name, reason in ended.unverifiable.items()),
    )
    return 1 if ended.left else 0


def differing(kinds: Any) -> str:
    return ", ".join(f"{count:,} {kind}" for kind, count in sorted(kinds.items())) or "no differences"


def as_value(found: Finding, became: str) -> dict[str, Any]:
    key = {name: value.hex() if isinstance(value, bytes) else value for name, value in found.key.items()}
    return {
        "kind": found.kind.value,
        "index": found.location.index,
        "id": found.location.id,
        "routing": found.location.routing,
        "route": found.route,
        "key": {
            name: value if isinstance(value, int | float | str) else str(value) for name, value in key.items()
        },
        "fields": by_path(found.fields, wanted="wanted", held="found"),
        "version": found.version,
        "became": became,
        "belongs": None if found.belongs is None else asdict(found.belongs),
    }


def as_words(found: Finding, became: str) -> str:
    fields = f"  {', '.join(one.path for one in found.fields)}" if found.fields else ""
    at, home = found.location, found.belongs
    routing = "" if at.routing is None else f" (routing value {at.routing})"
    if home is not None:
        place = home.index if home.index != at.index else f"the routing value {home.routing}"
        routing += f", belongs to {place}"
    return f"{found.kind.value:9} {at.index}/{at.id}{routing}{fields}" + (f"  ({became})" if became else "")


COMMAND = Command(
    verify_tables,
    "compare tables with their indices, and repair the differences with --repair",
    example="--table=images --repair",
    options=(TableFilter, Scan, VerifyOptions, VerifyPatience, Output),
)
