"""The shards of each table's stream, children below their parents, with states and checkpoints."""

from __future__ import annotations

from page_bench import words
from stream_model import StreamModel

from service.checkpoints.stores import SqliteCheckpoints
from service.context import Context
from service.pipeline import Outcome, Report, Result
from service.settings import Settings
from service.sources.dynamodb_streams import ShardStatus, StreamSource
from service.sources.dynamodb_streams.stream_status import ENDED, READING
from service.web.page import shard_page as views
from service.web.page.shard_page import family


def shard(name: str, parent: str = "", state: str = READING) -> ShardStatus:
    return ShardStatus(name, parent, state, "1", 0.0, None)


def test_children_stand_below_their_parents_and_families_that_ended_come_last():
    listed = [
        shard("a", state=ENDED),
        shard("b", state=ENDED),
        shard("c", "b"),
        shard("d", "c"),
        shard("e", "b"),
        shard("f", "gone"),
    ]
    found = [(depth, one.id) for depth, one in family(listed)]
    assert found == [(0, "b"), (1, "c"), (2, "d"), (1, "e"), (0, "f"), (0, "a")]


def test_a_long_line_of_shards_is_no_deep_recursion():
    listed = [shard(f"{n:05d}", f"{n - 1:05d}") for n in range(1, 5000)]
    found = list(family(listed))
    assert len(found) == 4999
    assert max(depth for depth, _ in found) == views.DEEPEST


def test_the_page_shows_each_shard_with_state_checkpoint_and_lineage(page, tmp_path):
    from threading import Event

    model, stopping = StreamModel(), Event()
    first = next(iter(model.streams[-1].shards.values()))
    (number,) = model.write(first)
    context = Context(Settings(poll_interval=0), dynamodb=model, dynamodb_streams=model)
    store = SqliteCheckpoints(tmp_path / "c.sqlite", "group")
    source = StreamSource(context, "images", store, stopping)
    page.sources = [source]
    assert "The state of the stream is not known yet" in page.get("/shards")
    for batch in source:
        batch.settle(Report([Result(Outcome.APPLIED)] * len(batch.records)))
        break
    (child,) = model.split(first, 1)
    shown = words(page.get("/shards"))
    assert "Table images" in shown
    assert f"{first.id} none ▶ reading {number:021d} 2023-11-14T22:13:20Z" in shown
    assert child.id not in shown
    store.close()


def test_the_shards_of_a_table_are_shown_up_to_a_limit(page, monkeypatch):
    monkeypatch.setattr(views, "SHOWN", 2)
    table = views.Table("images", "", None, [], 3)
    monkeypatch.setattr(views, "tables_of", lambda state: [table])
    assert "3 more" not in page.get("/shards")
