"""Convergence of sub-documents: each ends as the newest record says that names it, and those not named are gone.

The histories are those of `test_convergence`, with items whose set of sub-ids changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from convergence import START, Arrival, Backfill, Case, Change, Restart, decide_otherwise, run
from fakes import Items, Truth
from histories import histories, live_cases, queue_cases, restarted_cases, shard_cases
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from lengths import examples

from service.model import Item
from service.model.versions import RUNS_BACK
from service.pipeline import rereads, sub_documents
from service.pipeline.reread_rules import Decision, Moment
from service.routing import Document, TableRoute

SUBS = ("x", "y")
SHORT = {"most": 6}


class Chunks(Items):
    """A route with a document for each of an item's `subs`."""

    document = TableRoute.document

    def documents_of(self, item: Item) -> Mapping[str, Document]:
        return {name: {"n": item["n"]} for name in item["subs"]}


class Skipping(Chunks):
    """The same documents, which are not written if they are unchanged."""

    skip_unchanged: ClassVar = True


QUIET = {"values": (0, 1), "most": 6}
"""Options of histories in which many changes leave documents as they were."""


@dataclass(frozen=True)
class Splitting(Change):
    """A change of an item that has sub-documents. Without `old`, its record has no old image."""

    subs: tuple[str, ...] = ()
    old: bool = True

    @property
    def item(self) -> dict[str, Any]:
        return {**super().item, "subs": list(self.subs)}

    def record(self, before: Change | None) -> dict[str, Any]:
        record = super().record(before)
        if not self.old:
            record["dynamodb"].pop("OldImage", None)
        return record


@st.composite
def splitting(draw: st.DrawFn, cases: st.SearchStrategy[Case], old: bool = True) -> Case:
    """Draw a case of items whose set of sub-ids changes."""
    history, steps = draw(cases)
    subs = st.lists(st.sampled_from(SUBS), unique=True).map(tuple)
    return [Splitting(**vars(change), subs=draw(subs), old=old) for change in history], steps


def check(case: Case, **options: Any) -> None:
    world = run(case, **{"route": Chunks(), **options})
    items = world.items(float("inf"))
    expected = {f"{key}~/{name}": item["n"] for key, item in items.items() for name in item["subs"]}
    assert {name: document["n"] for name, document in world.bench.documents.items()} == expected


@settings(max_examples=examples(50))
@given(splitting(queue_cases(**SHORT) | restarted_cases(histories(**SHORT))))
def test_whatever_a_queue_does_to_the_records_the_sub_documents_end_equal_to_the_table(case):
    check(case)


@settings(max_examples=examples(50))
@given(splitting(shard_cases(back=RUNS_BACK, **SHORT) | live_cases(back=RUNS_BACK, **SHORT)))
def test_however_a_shard_is_read_the_sub_documents_end_equal_to_the_table(case):
    check(case)


@settings(max_examples=examples(50))
@given(splitting(shard_cases(**SHORT) | live_cases(**SHORT), old=False))
def test_without_old_images_the_sub_documents_of_a_shard_are_found_in_the_index(case):
    check(case)


@settings(max_examples=examples(50))
@given(
    splitting(queue_cases(**QUIET) | restarted_cases(histories(**QUIET)) | shard_cases(back=RUNS_BACK, **QUIET))
)
def test_if_unchanged_documents_are_skipped_the_others_end_equal_to_the_table(case):
    check(case, route=Skipping())


def fails(cases: st.SearchStrategy[Case], **options: Any) -> None:
    """Assert that at least one case ends with a different index."""

    @settings(max_examples=2000, database=None, phases=[Phase.generate], deadline=None)
    @given(cases)
    def search(case):
        check(case, **options)

    with pytest.raises(AssertionError):
        search()


def test_without_the_deletion_of_what_an_item_no_longer_names_it_does_not_hold(monkeypatch):
    monkeypatch.setattr(rereads, "names_of", lambda bound, record, current=False: (set(), True))
    fails(splitting(shard_cases(gaps=[60], most=3)))


def test_without_a_search_old_images_must_not_be_missing(monkeypatch):
    monkeypatch.setattr(Truth, "sub_documents", lambda self, places: [set() for _ in places])
    fails(splitting(shard_cases(gaps=[60], most=3), old=False))


def test_skipping_must_compare_the_documents(monkeypatch):
    monkeypatch.setattr(sub_documents, "text_of", lambda action: b"")
    fails(splitting(shard_cases(gaps=[60], most=3)), route=Skipping())


def history(*changes: tuple[int, int, Sequence[str]]) -> list[Splitting]:
    """Return the changes of an item: their seconds after START, by how much their clock is behind, and sub-ids."""
    return [
        Splitting(number, START + seconds, "a", False, back=back, subs=tuple(subs))
        for number, (seconds, back, subs) in enumerate(changes)
    ]


# A random search takes minutes to find each of these cases.
RUNS_BACK_CASE: Case = (
    history((0, 0, "x"), (0, 2, ""), (0, 0, "")),
    [Arrival(START + 1.0, (number,), "shard") for number in range(3)],
)
FORGOTTEN_CASE: Case = (
    history((0, 0, "x"), (1, 0, "")),
    [Arrival(START + 1.0, (1,), "queue"), Restart(START + 40.0), Arrival(START + 50.0, (0,), "queue")],
)
TWO_CONFLICTS_CASE: Case = (
    history((0, 0, "x"), (0, 3, "y")),
    [
        Arrival(START + 1.0, (0,), "shard"),
        Backfill(START + 500.0, START + 400.0, 0.0),
        Arrival(START + 501.0, (1,), "shard"),
    ],
)


@pytest.mark.parametrize("case", [RUNS_BACK_CASE, FORGOTTEN_CASE, TWO_CONFLICTS_CASE])
def test_rare_cases_end_equal_to_the_table(case):
    check(case)


def test_a_record_that_deletes_must_not_be_left_to_those_that_follow(monkeypatch):
    monkeypatch.setattr(rereads, "_is_outdated", lambda task, now: task.record.new != now.new)
    fails(st.just(RUNS_BACK_CASE))


def test_without_reading_again_what_the_index_did_not_have_it_must_not_forget_its_deletions(monkeypatch):
    decide_otherwise(monkeypatch, Moment.WRITTEN, lambda facts: Decision.SETTLED)
    fails(st.just(FORGOTTEN_CASE))


def test_without_a_decision_on_each_conflict_it_does_not_hold(monkeypatch):
    monkeypatch.setattr(rereads, "sorted", lambda conflicts, reverse: [max(conflicts)], raising=False)
    fails(st.just(TWO_CONFLICTS_CASE))
