"""The decision table of re-reads, row by row, and the fast checks that must agree with it."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from builders import s3_record, sqs_message, stream_record
from fakes import NOW, Truth
from hypothesis import given
from hypothesis import strategies as st

from service import BucketRoute, Index, PutItem, TableRoute
from service.model.outcomes import APPLIED, DOCUMENT_CREATED, STALE, Result
from service.model.versions import RUNS_BACK
from service.pipeline import Outcome
from service.pipeline import rereads as module
from service.pipeline.matching import match
from service.pipeline.reread_rules import RULES, Decision, Facts, Moment, decide, rule_of
from service.pipeline.rereads import Rereads
from service.routing import Router
from service.sources.envelopes import unwrap

BEFORE, CONFLICT, WRITTEN = Moment.BEFORE, Moment.CONFLICT, Moment.WRITTEN
TRUST, READ, STALE_, SETTLED = Decision.TRUST, Decision.READ, Decision.STALE, Decision.SETTLED
CHECK, CHECK_DELETED, MAKE_AGAIN = Decision.CHECK, Decision.CHECK_DELETED, Decision.MAKE_AGAIN

QUEUED: dict[str, Any] = {"ordered": False}
OBJECT: dict[str, Any] = {"ordered": False, "item": False}

TABLE = [
    (BEFORE, {}, TRUST),
    (BEFORE, QUEUED, TRUST),
    (BEFORE, OBJECT, TRUST),
    (BEFORE, {"by_hand": True}, READ),
    (BEFORE, {"by_hand": True, "trusting": True}, READ),
    (BEFORE, {"composite": True, "trusting": True}, READ),
    (BEFORE, {"indexed": False, "old": True} | QUEUED, TRUST),
    (BEFORE, {"fetch": True}, READ),
    (BEFORE, {"fetch": True, "trusting": True}, READ),
    (BEFORE, OBJECT | {"rows": True, "indexed": False, "identified": False}, READ),
    (BEFORE, OBJECT | {"rows": True, "indexed": False, "dated": False}, TRUST),
    (BEFORE, OBJECT | {"identified": False}, TRUST),
    (BEFORE, {"complete": False}, READ),
    (BEFORE, {"complete": False, "trusting": True}, READ),
    (BEFORE, {"reopened": True}, READ),
    (BEFORE, QUEUED | {"dated": False, "trusting": True}, TRUST),
    (BEFORE, {"dated": False}, READ),
    (BEFORE, QUEUED | {"dated": False}, READ),
    (BEFORE, {"items": True, "old": True, "ranked": False}, TRUST),
    (BEFORE, QUEUED | {"items": True}, READ),
    (BEFORE, OBJECT | {"items": True}, READ),
    (BEFORE, OBJECT | {"one_version": True}, READ),
    (BEFORE, QUEUED | {"ranked": False}, READ),
    (BEFORE, QUEUED | {"old": True}, READ),
    (BEFORE, OBJECT | {"old": True}, READ),
    (CONFLICT, {"composite": True, "ahead": 1000}, READ),
    (CONFLICT, {"composite": True, "trusting": True}, READ),
    (CONFLICT, {"ahead": RUNS_BACK}, READ),
    (CONFLICT, {"ahead": RUNS_BACK + 1}, STALE_),
    (CONFLICT, {"trusting": True}, STALE_),
    (CONFLICT, {"ahead": 1000, "dated": False}, READ),
    (CONFLICT, {"ahead": 1000, "items": True}, READ),
    (CONFLICT, QUEUED, STALE_),
    (CONFLICT, QUEUED | {"current": True}, READ),
    (CONFLICT, QUEUED | {"ranked": False}, READ),
    (CONFLICT, QUEUED | {"ranked": False, "ahead": 1}, STALE_),
    (CONFLICT, QUEUED | {"current": True, "ahead": 1}, STALE_),
    (CONFLICT, OBJECT, STALE_),
    (CONFLICT, OBJECT | {"equal": True}, READ),
    (CONFLICT, OBJECT | {"items": True}, STALE_),
    (WRITTEN, {"composite": True}, MAKE_AGAIN),
    (WRITTEN, {"composite": True, "trusting": True}, MAKE_AGAIN),
    (WRITTEN, {}, SETTLED),
    (WRITTEN, QUEUED, SETTLED),
    (WRITTEN, OBJECT, SETTLED),
    (WRITTEN, {"reopened": True, "trusting": True}, SETTLED),
    (WRITTEN, {"reopened": True}, CHECK),
    (WRITTEN, {"versioned": False}, CHECK),
    (WRITTEN, {"dated": False}, CHECK),
    (WRITTEN, {"dated": False, "indexed": False}, SETTLED),
    (WRITTEN, {"items": True, "indexed": False}, SETTLED),
    (WRITTEN, QUEUED | {"items": True, "indexed": False}, CHECK),
    (WRITTEN, OBJECT | {"items": True, "indexed": False}, CHECK),
    (WRITTEN, QUEUED | {"created": True}, CHECK_DELETED),
    (WRITTEN, OBJECT | {"created": True}, CHECK),
]


@pytest.mark.parametrize(("moment", "facts", "decision"), TABLE)
def test_the_table(moment, facts, decision):
    assert decide(Facts(moment, **facts)) is decision


def test_every_rule_decides_a_row_of_the_table():
    used = {(moment, id(rule_of(Facts(moment, **facts)))) for moment, facts, _ in TABLE}
    assert used == {(moment, id(rule)) for moment, rules in RULES.items() for rule in rules}


def test_every_re_read_before_a_write_has_a_reason():
    assert all(rule.why for rule in RULES[BEFORE] if rule.decision is READ)


class Items(TableRoute):
    table: ClassVar = "images"
    key: ClassVar = {"id": "S"}
    index: ClassVar = "items"

    def document(self, item):
        return item


class Fetched(Items):
    index: ClassVar = "fetched"
    fetch: ClassVar = True


class Unversioned(Items):
    index: ClassVar = "unversioned"
    versions: ClassVar = None


class Copied(TableRoute):
    table: ClassVar = "images"
    key: ClassVar = {"id": "S"}
    index: ClassVar = "copied"
    writes: ClassVar = {"table": "copies"}
    ignore: ClassVar = ("REMOVE",)

    def insert(self, record, context):
        return [Index(record.new), PutItem(record.new)]

    modify = insert


class Uploads(BucketRoute):
    bucket: ClassVar = "uploads"
    index: ClassVar = "uploads"
    ignore: ClassVar = ("ObjectDeleted",)

    def created(self, upload, context):
        return [Index({})]


def raws() -> st.SearchStrategy[Any]:
    items = st.builds(
        stream_record,
        st.sampled_from(["INSERT", "MODIFY", "REMOVE"]),
        new=st.sampled_from([{"id": "a", "n": 1}, None]),
        keys=st.just({"id": "a"}),
        created=st.sampled_from([NOW, NOW - 60.0, NOW - 10**6]),
        sequence=st.sampled_from(["7", "600000000000000000001"]),
    )
    return st.one_of(items, st.just(s3_record("a.jpg", bucket="uploads")))


@given(
    raws(),
    st.booleans(),
    st.booleans(),
    st.sampled_from([None, 5]),
    st.sampled_from([APPLIED, DOCUMENT_CREATED, STALE, Result(Outcome.STALE, conflict=7), Result(Outcome.RETRY)]),
)
def test_the_fast_checks_agree_with_the_table(raw, queued, trusting, version, result):
    (record,) = unwrap(sqs_message(raw) if queued else raw)
    rereads = Rereads(Truth(), 1800.0, trusting=trusting, now=lambda: NOW)
    for task in match([record], Router([Items(), Fetched(), Unversioned(), Copied(), Uploads()])):
        if task.bound is None:
            continue
        task.reread_version = version
        if module._is_trusted(task):
            assert rereads._before(task, task.bound, record) is TRUST
        task.results = [result]
        if module._is_settled(task):
            assert rereads._after(task, task.bound, record) in (SETTLED, STALE_)
