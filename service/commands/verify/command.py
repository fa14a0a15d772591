"""The command `verify`: compare tables with their indices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ...bootstrap.application import App
from ...bootstrap.selection import Chosen
from ..command import Command, Output, counted, print_result, quietly
from ..progress import progress

if TYPE_CHECKING:
    from . import Finding


def verify_tables(chosen: Chosen) -> int:
    from ..backfill.loading import Scan
    from ..tables import TableFilter
    from . import VerifyOptions, VerifyPatience, verify

    build = chosen.configuration.build

    def on_finding(found: Finding, became: str) -> None:
        print_result(chosen, as_value(found, became), as_words(found, became))

    as_json = build(Output).json
    with (
        App(quietly(chosen), chosen.routes) as app,
        progress("verify", "items and documents", silent=as_json) as advance,
    ):
        ended = verify(
            app,
            build(TableFilter),
            build(Scan),
            build(VerifyOptions),
            build(VerifyPatience).patience,
            on_finding,
            advance,
        )
    print_result(
        chosen,
        {
            "items": ended.items,
            "documents": ended.documents,
            "refused": ended.refused,
            "left": ended.left,
            "repaired": ended.repaired,
            "unverifiable": ended.unverifiable,
        },
        f"{counted(ended.items, 'item')} and {counted(ended.documents, 'document')}: {differing(ended.left)}"
        + (f"; repaired: {differing(ended.repaired)}" if ended.repaired else "")
        + (f"; {counted(ended.refused, 'item')} rejected: no document can be built" if ended.refused else "")
        + "".join(f"\nnot verified: {name}: {reason}" for name, reason in ended.unverifiable.items()),
    )
    return 1 if ended.left else 0


def differing(kinds: Any) -> str:
    return ", ".join(f"{count:,} {kind}" for kind, count in sorted(kinds.items())) or "no differences"


def as_value(found: Finding, became: str) -> dict[str, Any]:
    fields = {name: {"wanted": wanted, "found": there} for name, (wanted, there) in found.fields.items()}
    key = {name: value.hex() if isinstance(value, bytes) else value for name, value in found.key.items()}
    return {
        "kind": found.kind.value,
        "index": found.index,
        "id": found.id,
        "route": found.route,
        "key": {
            name: value if isinstance(value, int | float | str) else str(value) for name, value in key.items()
        },
        "fields": fields,
        "version": found.version,
        "became": became,
    }


def as_words(found: Finding, became: str) -> str:
    fields = f"  {', '.join(found.fields)}" if found.fields else ""
    return f"{found.kind.value:9} {found.index}/{found.id}{fields}" + (f"  ({became})" if became else "")


def options() -> Sequence[type]:
    from ..backfill.loading import Scan
    from ..tables import TableFilter
    from . import VerifyOptions, VerifyPatience

    return [TableFilter, Scan, VerifyOptions, VerifyPatience, Output]


COMMAND = Command(
    verify_tables,
    "compare tables with their indices, and repair the differences with --repair",
    example="--table=images --repair",
    options=options,
)
