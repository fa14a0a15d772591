"""Any number of consumers of one queue, with requests in any order: the index ends equal to the table.

In between, no document returns to an earlier state. The other tests disable one mechanism each and expect a
failure.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from consumers import Scene
from convergence import START, Change, decide_otherwise
from histories import histories
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from lengths import examples

from service.pipeline.reread_rules import Decision, Moment
from service.pipeline.rereads import Rereads

QUICK = (0, 0, 1)
"""Seconds between two changes."""

RANKED = histories(gaps=QUICK, most=20, ranked=True)
"""Histories whose records all arrive within PROMPT."""


def scenes(history: st.SearchStrategy[list[Change]], **options: Any) -> st.SearchStrategy[Scene]:
    """Return scenes: a history that 1 to 5 consumers process."""
    chosen = {"consumers": st.integers(1, 5), "fifo": st.booleans(), **options}
    return st.builds(Scene, history, seed=st.integers(0, 2**32), **chosen)


def ends_equal(scene: Scene) -> None:
    scene.run()
    scene.assert_equal()


def goes_never_back(scene: Scene) -> None:
    scene.run()
    scene.index.assert_in_order(scene.history)


@settings(max_examples=examples(40))
@given(scenes(histories(gaps=QUICK, most=20), hint_after=st.sampled_from([1800.0, -1.0])))
def test_any_number_of_consumers_end_with_the_index_equal_to_the_table(scene):
    ends_equal(scene)


@settings(max_examples=examples(40))
@given(scenes(RANKED))
def test_nobody_sees_a_document_go_back(scene):
    goes_never_back(scene)


def fails(holds: Callable[[Scene], None], among: st.SearchStrategy[Scene]) -> None:
    """Assert that the property fails for at least one scene."""

    @settings(max_examples=20_000, database=None, phases=[Phase.generate])
    @given(among)
    def search(scene):
        holds(scene)

    with pytest.raises(AssertionError):
        search()


@pytest.mark.parametrize("holds", [ends_equal, goes_never_back])
def test_without_versions_it_does_not_hold(monkeypatch, holds):
    monkeypatch.setattr("service.model.table_record.stream_version", lambda created, sequence: 1)
    fails(holds, scenes(RANKED))


def test_without_looking_again_at_what_was_read_it_does_not_hold(monkeypatch):
    monkeypatch.setattr(Rereads, "_overtaken", lambda self, tasks: [])
    inverted = [Change(number, START, "a", False, low=9 - number) for number in range(2)]
    fails(ends_equal, scenes(st.just(inverted), consumers=st.just(2), fifo=st.just(False)))


def test_what_a_queue_has_reordered_shows_states_to_come_if_it_is_read(monkeypatch):
    same_second = lambda facts: Decision.STALE if facts.ahead else Decision.READ  # noqa: E731
    decide_otherwise(monkeypatch, Moment.CONFLICT, same_second)
    fails(goes_never_back, scenes(RANKED, fifo=st.just(False)))
