"""Convergence under streams, queues, retries, redrives and backfills: the index ends equal to the table.

The real dispatcher writes to a model of an index (OpenSearch's version rules, and tombstones that expire) and
reads from a model of the table, under a virtual clock. The other tests disable one mechanism each and expect a
failure.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from convergence import (
    START,
    Arrival,
    Case,
    Change,
    ForgetfulIndex,
    Restart,
    WatchedIndex,
    check,
    decide_otherwise,
    run,
)
from fakes import Items
from histories import KEYS, histories, live_cases, queue_cases, restarted_cases, shard_cases, undisturbed_cases
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from lengths import examples

from service.model import table_record
from service.model.outcomes import APPLIED, SUPERSEDED
from service.model.versions import RUNS_BACK
from service.pipeline import Result, Write, newest_writes, reread_rules, rereads, unchanged
from service.pipeline.reread_rules import Decision, Moment
from service.routing import Delete


@settings(max_examples=examples(50))
@given(queue_cases())
def test_whatever_a_queue_does_to_the_records_the_index_ends_equal_to_the_table(case):
    check(case)


@settings(max_examples=examples(50))
@given(restarted_cases(histories()))
def test_what_a_queue_brings_late_stays_right_although_the_index_forgets_its_deletions(case):
    check(case)


@settings(max_examples=examples(50))
@given(shard_cases(back=RUNS_BACK) | live_cases(back=RUNS_BACK))
def test_however_a_shard_is_read_the_index_ends_equal_to_the_table(case):
    check(case)


class Quiet(Items):
    skip_unchanged: ClassVar = True


QUIET = {"values": (0, 1), "most": 6}
"""Options of histories in which every other change leaves the document as it was."""


@settings(max_examples=examples(50))
@given(queue_cases(**QUIET) | restarted_cases(histories(**QUIET)))
def test_with_skip_unchanged_a_queue_leads_to_the_same_index(case):
    check(case, route=Quiet())


@settings(max_examples=examples(50))
@given(shard_cases(back=RUNS_BACK, **QUIET) | live_cases(back=RUNS_BACK, **QUIET))
def test_with_skip_unchanged_a_shard_leads_to_the_same_index(case):
    check(case, route=Quiet())


@settings(max_examples=examples(50))
@given(shard_cases(bad=True, **QUIET))
def test_with_skip_unchanged_what_the_index_refuses_does_no_more_harm(case):
    check(case, route=Quiet())


@settings(max_examples=examples(50))
@given(histories(ranked=True, **QUIET))
def test_skip_unchanged_saves_one_action_for_each_change_that_leaves_the_document_as_it_was(history):
    steps = [Arrival(float(change.time), (change.number,), "shard") for change in history]
    every = run((history, steps)).bench
    fewer = run((history, steps), route=Quiet()).bench
    states = [(change.key, None if change.removes else change.n) for change in history]
    kept = sum(state[1] is not None and state == last_of(states[:n], state[0]) for n, state in enumerate(states))
    assert len(fewer.index.sent) == len(every.index.sent) - kept
    assert fewer.documents == every.documents


def last_of(states: list[tuple[str, Any]], key: str) -> tuple[str, Any] | None:
    return next((state for state in reversed(states) if state[0] == key), None)


def goes_never_back(case: Case) -> None:
    index = WatchedIndex()
    run(case, index=index)
    index.assert_in_order(case[0])


@settings(max_examples=examples(50))
@given(undisturbed_cases())
def test_however_a_shard_is_read_nobody_sees_a_document_go_back(case):
    goes_never_back(case)


@settings(max_examples=examples(50))
@given(shard_cases(bad=True))
def test_where_the_index_refuses_an_item_what_it_took_before_stays(case):
    check(case)


QUICK = queue_cases(gaps=[1], most=3, ranked=True)
"""Cases with few changes, in which a search finds a counterexample soon."""


def fails(cases: st.SearchStrategy[Case], holds: Callable[..., None] = check, **options: Any) -> None:
    """Assert that at least one case ends with a different index or returns a document to an earlier state."""

    @settings(max_examples=20_000, database=None, phases=[Phase.generate], deadline=None)
    @given(cases)
    def search(case):
        holds(case, **options)

    with pytest.raises(AssertionError):
        search()


@pytest.mark.long
def test_without_versions_it_does_not_hold(monkeypatch):
    monkeypatch.setattr("service.model.table_record.stream_version", lambda created, sequence: 1)
    fails(QUICK)


def test_without_versions_on_deletes_it_does_not_hold(monkeypatch):
    original = ForgetfulIndex._write

    def unversioned(self, write: Write) -> Result:
        if isinstance(write.action, Delete):
            self.documents.pop((write.target, write.id), None)
            self.versions.pop((write.target, write.id), None)
            return Result(APPLIED.outcome)
        return original(self, write)

    monkeypatch.setattr(ForgetfulIndex, "_write", unversioned)
    # A random search takes half a minute to find this case: the deletion arrives before the creation.
    history = [Change(0, START, "a", removes=False), Change(1, START + 1, "a", removes=True)]
    fails(st.just((history, [Arrival(START + 1.5, (1,), "queue"), Arrival(START + 2.0, (0,), "queue")])))


def test_without_reading_what_comes_late_it_does_not_hold(monkeypatch):
    decide_otherwise(monkeypatch, Moment.WRITTEN, lambda facts: Decision.SETTLED)
    fails(queue_cases(), hint_after=float("inf"))


def test_without_reading_again_what_the_index_did_not_have_it_must_not_forget_its_deletions(monkeypatch):
    decide_otherwise(monkeypatch, Moment.WRITTEN, lambda facts: Decision.SETTLED)
    history = [Change(0, START, "a", removes=False), Change(1, START, "a", removes=True)]
    late = [Arrival(START + 1.0, (1,), "queue"), Restart(START + 40.0), Arrival(START + 50.0, (0,), "queue")]
    fails(st.just((history, late)))


@pytest.mark.long
def test_without_the_newest_of_a_batch_it_does_not_hold(monkeypatch):
    monkeypatch.setattr(newest_writes, "_sort", lambda stack, writes: stack.sort(reverse=True))
    fails(QUICK)


def test_without_the_fall_back_to_what_was_superseded_it_does_not_hold(monkeypatch):
    def only_newest(writes, sink, fence, prefetch):
        stacks = newest_writes.stack_by_document(writes)
        answers = sink.write([writes[stack[-1]] for stack in stacks])
        newest = {stack[-1]: answer for stack, answer in zip(stacks, answers, strict=True)}
        return [newest.get(position, SUPERSEDED) for position in range(len(writes))]

    monkeypatch.setattr("service.pipeline.dispatcher.write_newest", only_newest)
    fails(shard_cases(bad=True))


@pytest.mark.long
def test_without_reading_what_conflicts_within_a_second_it_does_not_hold(monkeypatch):
    decide_otherwise(monkeypatch, Moment.CONFLICT, lambda facts: Decision.STALE)
    fails(shard_cases())


def test_without_reading_what_conflicts_within_a_few_seconds_clocks_must_not_run_back(monkeypatch):
    monkeypatch.setattr(reread_rules, "RUNS_BACK", 0)
    fails(live_cases(back=RUNS_BACK))


@pytest.mark.long
def test_without_the_sequence_number_of_a_shard_clocks_must_not_run_back(monkeypatch):
    monkeypatch.setattr(newest_writes, "_one_shard", lambda records: False)
    fails(shard_cases(back=RUNS_BACK, gaps=[1]))


def test_if_what_is_past_is_written_as_it_is_now_somebody_sees_it_go_back(monkeypatch):
    monkeypatch.setattr(rereads, "_is_outdated", lambda task, now: False)
    # A random search takes a minute to find this case: two changes in one second, the first redelivered alone.
    history = [Change(number, START + 60 * (number == 2), "a", removes=False) for number in range(3)]
    readings = [Arrival(START + 60.0, numbers, "shard") for numbers in ((0, 1), (0,), (1,))]
    fails(st.just((history, readings)), goes_never_back)


@pytest.mark.long
def test_without_reading_what_comes_unordered_and_unranked_it_does_not_hold(monkeypatch):
    monkeypatch.setattr(table_record.TableRecord, "ranked", True)
    fails(queue_cases(gaps=[0]))


def test_without_reading_what_is_redriven_it_does_not_hold(monkeypatch):
    decide_otherwise(monkeypatch, Moment.BEFORE, lambda facts: Decision.TRUST)
    fails(shard_cases())


def test_skip_unchanged_must_not_trust_that_a_later_record_of_the_shard_writes_the_same_document(monkeypatch):
    monkeypatch.setattr(rereads, "same_document", lambda bound, one, other: False)
    # A random search takes long to find this case: the time of the second change runs back, and the third change
    # leaves the document as it was.
    history = [
        Change(0, START, "a", removes=False),
        Change(1, START, "a", removes=False, back=2, value=7),
        Change(2, START, "a", removes=False, value=7),
    ]
    readings = [Arrival(START + 1.0, (number,), "shard") for number in range(3)]
    fails(st.just((history, readings)), route=Quiet())


def test_skip_unchanged_must_compare_the_documents(monkeypatch):
    monkeypatch.setattr(unchanged, "is_unchanged", lambda bound, record, action: record.event == "MODIFY")
    fails(shard_cases(**QUIET), route=Quiet())


class Placed(Items):
    """Items in an index for each key."""

    index: ClassVar = "items-*"

    def index_of(self, keys):
        return f"items-{keys['id']}"

    def routing_of(self, keys):
        return keys["id"]


class Wandering(Placed):
    """A route whose index depends on something else than the key."""

    def __init__(self) -> None:
        self.answers = itertools.cycle("xyz")

    def index_of(self, keys):
        return f"items-{next(self.answers)}"


def check_places(case: Case, route: Items) -> None:
    """Assert that the index ends equal to the table, and that a key has one place."""
    check(case, route=route)
    sent = run(case, route=route).bench.index.sent
    assert {(write.target, write.routing) for write in sent} <= {(f"items-{key}", key) for key in KEYS}


@settings(max_examples=examples(50))
@given(queue_cases() | restarted_cases(histories()) | shard_cases(back=RUNS_BACK) | live_cases(back=RUNS_BACK))
def test_documents_in_an_index_for_each_key_end_equal_to_the_table(case):
    check_places(case, Placed())


def test_an_index_must_depend_on_the_key_alone():
    fails(shard_cases(), route=Wandering())


@pytest.mark.long
def test_without_the_margin_of_a_backfill_it_does_not_hold(monkeypatch):
    monkeypatch.setattr(table_record, "MARGIN", 0.0)
    fails(live_cases(gaps=[60]))
