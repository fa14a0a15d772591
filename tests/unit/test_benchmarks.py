"""The parts of the benchmarks: the workload has its declared properties, and figures are compared with goals."""

from __future__ import annotations

import json
import os
from collections import Counter
from unittest.mock import patch

import pytest

from benchmarks import capture, work
from benchmarks.answering import answer_to
from benchmarks.application.items import Items
from benchmarks.contest import Spread, ratio
from benchmarks.contestants.ours import as_lambda
from benchmarks.contestants.skipping import Quiet
from benchmarks.figures import Figure, table
from benchmarks.plots import draw
from service.entrypoints.lambda_handler import handler_for
from service.model.dynamodb_json import read_item


@pytest.mark.parametrize(
    ("size", "least", "most"), [("small", 400, 600), ("medium", 1700, 2300), ("large", 45_000, 55_000)]
)
def test_items_have_the_size_that_they_are_said_to_have(size, least, most):
    images = [record["dynamodb"].get("NewImage") for record in work.event(40, size)["Records"]]
    sizes = [len(json.dumps(image, separators=(",", ":"))) for image in images if image]
    assert least < sum(sizes) / len(sizes) < most


def test_the_work_is_the_same_each_time_and_mixed_as_it_is_said_to_be():
    event = work.event(2000, "small")
    assert event == work.event(2000, "small")
    kinds = Counter(record["eventName"] for record in event["Records"])
    assert {kind: round(count / 2000, 1) for kind, count in kinds.items()} == pytest.approx(
        {"MODIFY": 0.6, "INSERT": 0.25, "REMOVE": 0.15}, abs=0.06
    )
    keys = Counter(record["dynamodb"]["Keys"]["id"]["S"] for record in event["Records"])
    assert sum(count for key, count in keys.items() if key.startswith("hot")) == pytest.approx(200, abs=50)


def test_every_image_can_be_read_and_is_a_document():
    for size in work.SIZES:
        for record in work.event(10, size)["Records"]:
            for name in ("NewImage", "OldImage"):
                image = record["dynamodb"].get(name)
                assert image is None or Items().document(read_item(image))


def test_the_limit_posts_what_ours_posts():
    event = work.event(50, "small")
    with patch.dict(os.environ):
        (body,) = capture.bodies_of(event, "bench-limit")
    actions = [json.loads(line) for line in body.splitlines() if line.startswith((b'{"index"', b'{"delete"'))]
    keys = {record["dynamodb"]["Keys"]["id"]["S"] for record in event["Records"]}
    assert {next(iter(action.values()))["_id"] for action in actions} == keys
    assert all(next(iter(action.values()))["version_type"] == "external_gte" for action in actions)


def test_the_server_that_answers_at_once_answers_for_each_action():
    body = b'{"index":{"_index":"a","_id":"1"}}\n{"note":"index"}\n{"delete":{"_id":"2"}}\n'
    answer = json.loads(answer_to(b"POST /_bulk HTTP/1.1", body))
    assert [list(item) for item in answer["items"]] == [["index"], ["delete"]]
    assert json.loads(answer_to(b"GET /bench*/_alias HTTP/1.1", b"")) == {"bench": {"aliases": {}}}


def test_nine_in_ten_changes_touch_nothing_that_is_indexed_and_are_no_actions():
    records = work.touching(200, "small")["Records"]
    images = [(one["dynamodb"]["OldImage"], one["dynamodb"]["NewImage"]) for one in records]
    assert all(old["seen"] != new["seen"] for old, new in images)
    assert sum({**old, "seen": 0} == {**new, "seen": 0} for old, new in images) == 180
    with patch.dict(os.environ), capture.taking("bench-quiet") as (url, bodies):
        as_lambda(url, "bench-quiet")
        assert handler_for(Quiet)({"Records": records}, None) == {"batchItemFailures": []}
    before = answered_actions()
    for body in bodies:
        answer_to(b"POST /_bulk HTTP/1.1", body)
    assert answered_actions() - before == 20


def answered_actions() -> int:
    return json.loads(answer_to(b"GET /_actions HTTP/1.1", b""))["actions"]


def test_a_ratio_is_of_each_repetition_and_its_spread_holds_the_middle_half():
    assert ratio([2.0, 4.0, 9.0], [1.0, 1.0, 3.0]) == Spread(3.0, 2.5, 3.5)
    assert Spread.of([5.0]) == Spread(5.0, 5.0, 5.0)


@pytest.mark.parametrize(
    ("goal", "reached"), [(">= 0.9", True), (">= 1.1", False), ("<= 1", True), ("<= 0.5", False), ("", None)]
)
def test_a_figure_says_whether_it_is_as_it_should_be(goal, reached, tmp_path):
    figure = Figure("of the limit", "here", "ours", "x", Spread(1.0, 0.9, 1.2), goal)
    assert figure.reached is reached
    assert ("yes" in table([figure])) is bool(reached)
    draw([figure], tmp_path)
    assert "here: ours" in (tmp_path / "limit.svg").read_text()
