"""Documents of several items: whatever the order and repetition of records, the index ends equal to the tables.

The other tests disable one mechanism each and expect a failure.
"""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from convergence import decide_otherwise
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from lengths import examples
from shop_scene import SKEW, Scene

from service.pipeline.reread_rules import Decision, Moment

SCENES = st.builds(
    Scene, seed=st.integers(0, 2**32), changes=st.integers(1, 14), queue=st.booleans(), redrives=st.booleans()
)

LAG = 10.0
"""Seconds after which the secondary index shows a change."""


def ends_equal(scene: Scene) -> None:
    scene.run()
    scene.assert_equal()


@settings(max_examples=examples(60))
@given(SCENES)
def test_documents_of_several_items_end_equal_to_the_tables(scene):
    ends_equal(scene)


def fails() -> None:
    @settings(max_examples=20_000, database=None, phases=[Phase.generate])
    @given(SCENES)
    def search(scene):
        ends_equal(scene)

    with pytest.raises(AssertionError):
        search()


@pytest.fixture
def lagging(monkeypatch):
    """Return a function that makes scenes whose secondary index shows changes late, by up to `index_lag`."""
    clocks = {}
    monkeypatch.setattr(
        "service.table_reads.time",
        SimpleNamespace(
            time=lambda: clocks["scene"].shop.now,
            sleep=lambda seconds: clocks["scene"].sleep(seconds),  # noqa: PLW0108  # the scene changes
        ),
    )

    def check(index_lag: float) -> None:
        @settings(max_examples=examples(200), database=None, phases=[Phase.generate])
        @given(st.integers(0, 2**32), st.booleans())
        def holds(seed, queue):
            scene = clocks["scene"] = Scene(seed, 6, gaps=(0.0, 0.3), lag=LAG, index_lag=index_lag, queue=queue)
            ends_equal(scene)

        holds()

    return check


def test_a_lagging_index_is_waited_for(lagging):
    lagging(LAG + SKEW)


def test_it_fails_unless_a_lagging_index_is_waited_for(lagging):
    with pytest.raises(AssertionError):
        lagging(0.0)


def test_it_fails_unless_conflicts_are_settled_by_reading(monkeypatch):
    decide_otherwise(monkeypatch, Moment.CONFLICT, lambda facts: Decision.STALE)
    fails()


def test_it_fails_unless_each_document_is_made_again_after_its_write(monkeypatch):
    decide_otherwise(monkeypatch, Moment.WRITTEN, lambda facts: Decision.SETTLED)
    fails()


def test_it_fails_unless_reindex_is_followed(monkeypatch):
    monkeypatch.setattr("service.pipeline.composite.Reindexing.follow", lambda *_: None)
    fails()
