"""Malformed events: the batch never crashes, and no good record is lost because of a bad one.

STREAMDEX_BAD_INPUT_EXAMPLES sets the number of examples of each test. An example has one event or several.
The heavier tier makes ten thousand events and more.
"""

from __future__ import annotations

import contextlib
import copy
import json
import os
from typing import Any

from builders import eventbridge, lambda_event, s3_record, sns_record, sqs_message, stream_record
from fakes import Bench, Items
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service import BucketRoute, PutItem
from service.errors import UnknownEvent
from service.pipeline import Delivery
from service.sinks.dead_letters.dead_letter import seal, unseal
from service.sinks.dead_letters.folder_store import now
from service.sources.envelopes import unwrap
from service.sources.lambda_event import LambdaBatch

EXAMPLES = int(os.environ.get("STREAMDEX_BAD_INPUT_EXAMPLES", "100"))


class Uploads(BucketRoute):
    bucket = "images-in"
    writes = {"table": "images"}  # noqa: RUF012  # a user may leave out ClassVar

    def created(self, upload, context):
        return [PutItem({"id": upload.key})]

    def deleted(self, upload, context):
        return []


numbers = st.integers() | st.floats() | st.sampled_from([10**400, -(2**80), float("nan"), float("inf")])
texts = st.text(st.characters(codec=None)) | st.sampled_from(["\0", "\ud800", "9" * 50, "1E999999999", "é" * 3000])
anything = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=10,
)

WHOLE = [
    stream_record(new={"id": "m", "n": 1, "l": [1, {"b": b"\0"}], "s": {"x"}}, sequence="500000000000000000001"),
    stream_record("REMOVE", old={"id": "m", "n": 1}, sequence="500000000000000000002"),
    s3_record("mutated.jpg"),
    sqs_message(lambda_event(s3_record("mutated.jpg")), "m-mutated"),
    sqs_message(stream_record(new={"id": "m", "n": 2}), "m-mutated"),
    sns_record(lambda_event(s3_record("mutated.jpg"))),
    eventbridge("mutated.jpg"),
]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths to every part of a value."""
    found = [path]
    if isinstance(value, dict):
        for name, member in value.items():
            found += places(member, (*path, name))
    if isinstance(value, list):
        for position, member in enumerate(value):
            found += places(member, (*path, position))
    return found


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """Draw a real record with some parts removed or replaced."""
    value = copy.deepcopy(draw(st.sampled_from(WHOLE)))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from([p for p in places(value) if p] or [()]))
        if not path:
            return draw(anything)
        parent = value
        for step in path[:-1]:
            parent = parent[step]
        if draw(st.booleans()):
            parent[path[-1]] = draw(anything)
        elif isinstance(parent, dict):
            del parent[path[-1]]
    return value


GOOD = (
    stream_record(new={"id": "good", "n": 7}, sequence="600000000000000000001"),
    sqs_message(lambda_event(s3_record("good.jpg")), "m-good"),
)

many = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))


@many
@given(st.lists(mutated() | anything, max_size=4), st.integers(0, 4))
def test_a_good_record_is_written_whatever_stands_beside_it(bad, place):
    event = lambda_event(*bad[:place], *GOOD, *bad[place:])
    batch = LambdaBatch(event)
    bench = Bench(Items(), Uploads())
    report = bench.dispatcher.run(Delivery(batch.records))
    assert len(report.results) == len(batch.records)
    assert report.undone == []
    batch.settle(report)
    assert batch.answer == {"batchItemFailures": []}
    # Other records may also change items and documents, but none of them has the id of a good record.
    assert bench.documents.get("good") == {"n": 7}
    assert PutItem({"id": "good.jpg"}) in [write.action for write in bench.table.sent]


@many
@given(mutated() | anything)
def test_what_is_rejected_is_kept_whole(bad):
    bench = Bench(Items(), Uploads())
    bench.dispatcher.run(Delivery(list(unwrap([bad]))))
    for letter in bench.letters.letters:
        _, text = seal(letter, now())
        assert unseal(text).route == letter.route
        json.loads(text)


@many
@given(anything | mutated())
def test_an_event_is_taken_or_refused_in_words(event):
    with contextlib.suppress(UnknownEvent):
        LambdaBatch(event)


def test_the_largest_item_and_the_emptiest_are_written():
    large = stream_record(new={"id": "large", "n": "x" * 400_000}, sequence="7")
    empty = stream_record(new={"id": "empty"}, sequence="8")
    bench = Bench(Items())
    assert bench.outcomes(large, empty) == ["APPLIED", "APPLIED"]
    assert len(bench.documents["large"]["n"]) == 400_000
    assert bench.documents["empty"] == {"n": None}
