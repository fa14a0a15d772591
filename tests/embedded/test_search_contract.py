"""The server behavior that the search sink relies on. The tests run on osmem, OpenSearch and Elasticsearch."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, ClassVar

import pytest
from builders import s3_record, sqs_message, stream_record
from convergence import check
from deployments import ask, documents_of, drop
from fakes import Bench, Items, Truth
from histories import live_cases, queue_cases, shard_cases
from hypothesis import HealthCheck, given, settings

from service import BucketRoute, Delete, Index
from service.context import Context
from service.errors import Halt
from service.pipeline import Outcome, Result, Write
from service.routing import IndexDeclaration
from service.settings import Settings
from service.sinks.opensearch import SearchSink
from service.sources.envelopes import unwrap

_numbers = itertools.count()
EVENT_TIME = 1_795_305_600.0
"""The time of the events of s3_record."""

MAPPING = {"properties": {"n": {"type": "long"}, "o": {"properties": {"x": {"type": "long"}}}}}


class Target:
    """An index on the server, and the sink that writes to it."""

    def __init__(self, url: str, **settings: Any):
        self.url = url
        self.index = f"contract-{next(_numbers)}"
        self.context = Context(Settings(search_url=url, **settings))
        self.sink = SearchSink(self.context, {self.index: IndexDeclaration(self.index, MAPPING)})

    def write(self, *actions: tuple[str, int | None, Any]) -> list[Result]:
        (record,) = unwrap(stream_record(new={"id": "a"}))
        return self.sink.write(
            [
                Write(record, Delete() if document is None else Index(document), self.index, name, version)
                for name, version, document in actions
            ]
        )

    def outcomes(self, *actions: tuple[str, int | None, Any]) -> list[str]:
        return [result.outcome.name for result in self.write(*actions)]

    def documents(self) -> dict[str, Any]:
        return documents_of(self.url, self.index)


@pytest.fixture
def target(search_url: str) -> Iterator[Target]:
    made = Target(search_url)
    yield made
    made.context.close()
    drop(search_url, made.index)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(queue_cases() | shard_cases(bad=True) | live_cases())
def test_whatever_becomes_of_the_records_the_index_ends_equal_to_the_table(target: Target, case):
    drop(target.url, "items")
    sink = SearchSink(target.context, {"items": IndexDeclaration("items", MAPPING)})
    check(case, lambda: documents_of(target.url, "items"), index=sink)


def test_a_stale_write_changes_nothing_and_says_what_is_there(target: Target):
    target.write(("a", 5, {"n": 5}))
    (stale,) = target.write(("a", 4, {"n": 4}))
    assert (stale.outcome, stale.conflict) == (Outcome.STALE, 5)
    assert target.documents() == {"a": {"n": 5}}


def test_an_equal_version_passes(target: Target):
    assert target.outcomes(("a", 5, {"n": 1})) == target.outcomes(("a", 5, {"n": 2})) == ["APPLIED"]
    assert target.documents() == {"a": {"n": 2}}


def test_a_delete_is_remembered_with_its_version(target: Target):
    target.write(("a", 5, {"n": 5}))
    assert target.outcomes(("a", 7, None)) == ["APPLIED"]
    (stale,) = target.write(("a", 6, {"n": 6}))
    assert (stale.outcome, stale.conflict) == (Outcome.STALE, 7)
    assert target.documents() == {}


def test_a_delete_of_what_was_never_there_is_remembered_too(target: Target):
    assert target.outcomes(("a", 9, None)) == ["APPLIED"]
    assert target.outcomes(("a", 8, {"n": 8})) == ["STALE"]


def test_a_stale_delete_changes_nothing(target: Target):
    target.write(("a", 5, {"n": 5}))
    assert target.outcomes(("a", 4, None)) == ["STALE"]
    assert target.documents() == {"a": {"n": 5}}


def test_the_smallest_and_the_largest_version_are_taken(target: Target):
    assert target.outcomes(("a", 0, {"n": 0}), ("b", 2**63 - 1, {"n": 1}), ("c", 0, None)) == ["APPLIED"] * 3


def test_a_newer_only_write_of_an_equal_version_changes_nothing_and_says_what_is_there(target: Target):
    target.write(("a", 5, {"n": 1}), ("b", 5, None))
    (record,) = unwrap(stream_record(new={"id": "a"}))
    writes = [Write(record, Index({"n": 2}), target.index, name, 5, newer_only=True) for name in "abc"]
    results = [(result.outcome.name, result.conflict) for result in target.sink.write(writes)]
    assert results == [("STALE", 5), ("STALE", 5), ("APPLIED", None)]
    assert target.documents() == {"a": {"n": 1}, "c": {"n": 2}}


class Files(BucketRoute):
    bucket: ClassVar = "images-in"
    index: ClassVar = "files"

    def created(self, upload, context):
        return [Index({"n": 1})]

    def deleted(self, upload, context):
        return [Delete()]


@pytest.mark.parametrize(
    ("last", "before", "objects"),
    [("ObjectRemoved:Delete", "ObjectCreated:Put", ()), ("ObjectCreated:Put", "ObjectRemoved:Delete", ("k",))],
)
def test_events_of_an_object_with_equal_versions_leave_what_is_there(target: Target, last, before, objects):
    drop(target.url, "files")
    sink = SearchSink(target.context, {"files": IndexDeclaration("files")})
    bench = Bench(Files(), index=sink, truth=Truth(objects=objects), clock=lambda: EVENT_TIME)
    for event, digit in ((last, "6"), (before, "5")):
        bench.dispatch(s3_record("k", event, sequencer=f"0055AED6DCD90281E{digit}"))
    assert sorted(documents_of(target.url, "files")) == list(objects)


@pytest.mark.parametrize("changed", ["item", "object"])
def test_what_a_queue_brings_late_stays_away_although_its_deletion_is_forgotten(target: Target, changed):
    removed, created = {
        "item": (
            stream_record("REMOVE", old={"id": "k"}, sequence=f"2{0:020d}", created=EVENT_TIME),
            stream_record(new={"id": "k"}, sequence=f"1{0:020d}", created=EVENT_TIME),
        ),
        "object": (
            s3_record("k", "ObjectRemoved:Delete", sequencer="0055AED6DCD90281E6"),
            s3_record("k", sequencer="0055AED6DC"),
        ),
    }[changed]
    drop(target.url, "files")
    drop(target.url, "items")
    sink = SearchSink(target.context, {name: IndexDeclaration(name) for name in ("files", "items")})
    bench = Bench(Files(), Items(), index=sink, truth=Truth(objects=()), clock=lambda: EVENT_TIME + 60.0)
    index = "items" if changed == "item" else "files"
    bench.dispatch(sqs_message(removed))
    ask("POST", f"{target.url}/{index}/_close")
    ask("POST", f"{target.url}/{index}/_open?wait_for_active_shards=1")
    assert not bench.dispatch(sqs_message(created)).undone  # stale on a server that keeps tombstones
    assert documents_of(target.url, index) == {}


def test_an_index_without_versions_takes_every_write(target: Target):
    assert target.outcomes(("a", None, {"n": 1}), ("b", None, {"n": 2})) == ["APPLIED"] * 2
    assert target.outcomes(("a", None, {"n": 3}), ("b", None, None)) == ["APPLIED"] * 2
    assert target.documents() == {"a": {"n": 3}}


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"n": "text"}, "field n contains text, but is mapped as long"),
        ({"n": {"x": 1}}, "field n contains object, but is mapped as long"),
        ({"o": "text"}, "field o contains text, but is mapped as object"),
    ],
)
def test_a_mapping_conflict_is_rejected_in_words_and_the_others_are_written(target: Target, document, words):
    results = target.write(("a", 1, {"n": 1}), ("b", 1, document), ("c", 1, {"n": 3}))
    assert [result.outcome.name for result in results] == ["APPLIED", "REJECTED", "APPLIED"]
    assert words in results[1].reason
    assert sorted(target.documents()) == ["a", "c"]


def test_ids_of_every_kind_are_kept(target: Target):
    names = ["a b", "a/b", "ü日", "~n1", "x" * 512, "a|b", '"', "?q=1&x#y", "%20", "_id"]
    assert target.outcomes(*[(name, 1, {"n": 1}) for name in names]) == ["APPLIED"] * len(names)
    assert sorted(target.documents()) == sorted(names)


def test_an_id_that_is_too_long_is_found_among_others_that_are_written(target: Target):
    results = target.outcomes(("a", 1, {"n": 1}), ("x" * 513, 1, {"n": 2}), ("c", 1, {"n": 3}))
    assert results == ["APPLIED", "REJECTED", "APPLIED"]


def test_values_are_kept_as_json_has_them(target: Target):
    document = {"t": 'ü\n"', "f": 0.1, "d": Decimal("1.10"), "b": b"\0\1", "none": None, "l": [1, 2], "yes": True}
    target.write(("a", 1, document))
    kept = {"t": 'ü\n"', "f": 0.1, "d": "1.10", "b": "AAE=", "none": None, "l": [1, 2], "yes": True}
    assert target.documents() == {"a": kept}


def test_integers_that_a_long_does_not_hold_are_kept_as_text(target: Target):
    fits, exceeds = [2**63 - 1, -(2**63)], [2**63, 2**64 - 1, -(2**63) - 1]
    document = {f"f{place}": {"n": n, "l": [n], "s": {n}} for place, n in enumerate(fits + exceeds)}
    assert target.outcomes(("a", 1, document)) == ["APPLIED"]
    values = [*fits, *map(str, exceeds)]
    kept = {f"f{place}": {"n": value, "l": [value], "s": [value]} for place, value in enumerate(values)}
    assert target.documents() == {"a": kept}


def test_many_requests_make_one_answer_in_order(search_url: str):
    target = Target(search_url, bulk_actions=7)
    results = target.outcomes(*[(str(n), 1, {"n": "x" if n % 10 == 0 else n}) for n in range(100)])
    assert results == ["REJECTED" if n % 10 == 0 else "APPLIED" for n in range(100)]
    target.context.close()
    drop(search_url, target.index)


def test_a_write_block_is_tried_again_later(target: Target):
    target.write(("a", 1, {"n": 1}))
    settings = f"{target.url}/{target.index}/_settings"
    ask("PUT", settings, {"index": {"blocks": {"write": True}}})
    assert target.outcomes(("a", 2, {"n": 2}), ("b", 2, None)) == ["RETRY", "RETRY"]
    ask("PUT", settings, {"index": {"blocks": {"write": None}}})
    assert target.outcomes(("a", 2, {"n": 2})) == ["APPLIED"]


def test_a_closed_index_halts_and_says_what_to_do(target: Target):
    target.write(("a", 1, {"n": 1}))
    ask("POST", f"{target.url}/{target.index}/_close")
    with pytest.raises(Halt, match=r"index_closed_exception: .*_open"):
        target.write(("a", 2, {"n": 2}))


def test_an_index_is_created_with_its_mapping_and_long_tombstones(target: Target):
    target.write(("a", 1, {"n": 1, "date": "2026-11-23"}))
    found = ask("GET", f"{target.url}/{target.index}")[f"{target.index}-000001"]
    assert found["settings"]["index"]["gc_deletes"] == "1h"
    assert found["mappings"]["properties"]["n"]["type"] == "long"
    assert found["mappings"]["properties"]["date"]["type"] == "text"
