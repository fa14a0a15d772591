"""The shards of each table's stream: lineage, state and checkpoints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from flask import Blueprint, render_template

from ...sources.dynamodb_streams import ShardStatus, StreamSource, StreamStatus
from ...sources.dynamodb_streams.stream_status import ENDED
from .page_state import State

SHOWN = 200
"""Maximum shards shown of one table."""

DEEPEST = 5
"""Maximum levels of indentation. Later generations are indented like this one."""


@dataclass(frozen=True)
class Table:
    """A table, the status of its stream (None if unknown), and its shards in the order of their lineage.

    `shards` holds generation and shard. `hidden` is the number of shards over SHOWN.
    """

    name: str
    trouble: str
    status: StreamStatus | None
    shards: Sequence[tuple[int, ShardStatus]]
    hidden: int


def views(state: State) -> Blueprint:
    pages = Blueprint("shards", __name__, url_prefix="/shards")

    @pages.get("")
    def shards() -> str:
        return render_template("shards.html", tables=list(tables_of(state)))

    return pages


def tables_of(state: State) -> Iterator[Table]:
    for source in state.health.sources():
        if isinstance(source, StreamSource):
            status = source.status()
            found = list(family(status.shards)) if status else []
            yield Table(
                source.name.partition(" ")[2], source.trouble, status, found[:SHOWN], max(len(found) - SHOWN, 0)
            )


def family(listed: Sequence[ShardStatus]) -> Iterator[tuple[int, ShardStatus]]:
    """Yield each shard with its generation, after its parent. Families of ended shards come last."""
    ids = {shard.id for shard in listed}
    children: dict[str, list[ShardStatus]] = {}
    for shard in listed:
        children.setdefault(shard.parent if shard.parent in ids else "", []).append(shard)
    families = [list(_descend(shard, children)) for shard in children.get("", [])]
    ended = [all(shard.state == ENDED for _, shard in members) for members in families]
    for _, members in sorted(zip(ended, families, strict=True), key=lambda pair: pair[0]):
        yield from members


def _descend(first: ShardStatus, children: dict[str, list[ShardStatus]]) -> Iterator[tuple[int, ShardStatus]]:
    rest = [(0, first)]
    while rest:
        depth, shard = rest.pop()
        yield min(depth, DEEPEST), shard
        rest += [(depth + 1, child) for child in reversed(children.get(shard.id, []))]
