"""Documents of several items: whatever the order and repetition of records, the index ends equal to the tables.

The histories are drawn. For each part of the mechanism, a short history shows that it fails without that part.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from convergence import decide_otherwise
from fakes import Bench, IndexModel
from hypothesis import given, settings
from hypothesis import strategies as st
from lengths import examples
from shop_scene import SKEW, START, Customers, Orders, Scene, Shop
from turns import Turns

from service import Context
from service.pipeline.reread_rules import Decision, Moment
from service.settings import Settings
from service.sources.current_state import Lookups

SCENES = st.builds(
    Scene, seed=st.integers(0, 2**32), changes=st.integers(1, 14), queue=st.booleans(), redrives=st.booleans()
)
LAG = 10.0
"""Seconds after which the secondary index shows a change."""


@settings(max_examples=examples(60))
@given(SCENES)
def test_documents_of_several_items_end_equal_to_the_tables(scene):
    scene.run()
    scene.assert_equal()


@settings(max_examples=examples(30))
@given(st.integers(0, 2**32), st.booleans())
def test_so_they_do_if_the_secondary_index_lags(seed, queue):
    scene = Scene(seed, 6, gaps=(0.0, 0.3), lag=LAG, index_lag=LAG + SKEW, queue=queue)
    with pytest.MonkeyPatch.context() as patch:
        clock = SimpleNamespace(time=lambda: scene.shop.now, sleep=scene.sleep)
        patch.setattr("service.table_reads.time", clock)
        scene.run()
    scene.assert_equal()


class Delayed(IndexModel):
    """An index that lets `meanwhile` run before its first write."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: Callable[[], None] | None = None

    def write(self, *arguments, **options):
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile:
            meanwhile()
        return super().write(*arguments, **options)


class Story:
    """A shop with one order of one customer, and two processes that follow its tables."""

    def __init__(self, lag: float = 0.0, index_lag: float = 0.0):
        self.shop = Shop(Turns(random.Random(0)), lag)
        self.index = Delayed()
        context = Context(Settings(index_lag=index_lag), dynamodb=self.shop)
        self.bench = Bench(
            Orders(),
            Customers(),
            context=context,
            truth=Lookups(context),
            index=self.index,
            clock=lambda: self.shop.now,
        )

    def rename(self, name: str, skew: float = 0.0) -> None:
        self.shop.put("customers", {"id": "a"}, {"id": "a", "name": name}, skew)
        self.follow("customers")

    def order(self, skew: float = 0.0) -> None:
        keys = {"PK": "1", "SK": "HEAD"}
        self.shop.put("orders", keys, {**keys, "customer": "a"}, skew)
        self.follow("orders")

    def follow(self, table: str) -> None:
        assert not self.bench.dispatch(self.shop.streams[table][-1]).undone

    def ends_equal(self) -> bool:
        return self.bench.documents == self.shop.expected()


def renamed_with_a_clock_that_is_behind() -> Story:
    story = Story()
    story.rename("Ada")
    story.order(skew=SKEW)
    story.rename("Ada L.", skew=-SKEW)
    return story


def renamed_between_reading_and_writing() -> Story:
    story = Story()
    story.rename("Ada")
    story.index.meanwhile = lambda: story.rename("Ada L.", skew=-SKEW)
    story.order(skew=SKEW)
    return story


def test_a_conflict_of_any_second_is_settled_by_reading():
    assert renamed_with_a_clock_that_is_behind().ends_equal()


def test_without_that_the_older_document_stays(monkeypatch):
    decide_otherwise(monkeypatch, Moment.CONFLICT, lambda facts: Decision.STALE)
    assert not renamed_with_a_clock_that_is_behind().ends_equal()


def test_a_document_is_made_again_after_its_write():
    assert renamed_between_reading_and_writing().ends_equal()


def test_without_that_what_was_read_too_early_stays(monkeypatch):
    decide_otherwise(monkeypatch, Moment.WRITTEN, lambda facts: Decision.SETTLED)
    assert not renamed_between_reading_and_writing().ends_equal()


def test_without_reindex_a_rename_does_not_arrive(monkeypatch):
    monkeypatch.setattr("service.pipeline.composite.Reindexing.follow", lambda *_: None)
    story = Story()
    story.rename("Ada")
    story.order()
    story.rename("Ada L.")
    assert not story.ends_equal()


@pytest.mark.parametrize(("index_lag", "equal"), [(LAG, True), (0.0, False)])
def test_a_secondary_index_that_lags_is_waited_for(monkeypatch, index_lag, equal):
    story = Story(lag=LAG, index_lag=index_lag)

    def sleep(seconds: float) -> None:
        story.shop.now += seconds

    monkeypatch.setattr("service.table_reads.time", SimpleNamespace(time=lambda: story.shop.now, sleep=sleep))
    story.rename("Ada")
    story.shop.now = START + 2 * LAG
    story.order()
    story.rename("Ada L.")
    assert story.ends_equal() is equal
