"""What the search server's answers mean: each row of the outcome table."""

from __future__ import annotations

import pytest

from service.dispatch import Outcome
from service.errors import Halt
from service.sinks.search.answers import current_version, result_of_item, result_of_request


def error(kind: str, reason: str = "r", **more):
    return {"type": kind, "reason": reason, **more}


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ({"status": 200, "result": "updated"}, Outcome.APPLIED),
        ({"status": 201, "result": "created"}, Outcome.APPLIED),
        ({"status": 404, "result": "not_found"}, Outcome.APPLIED),
        ({"status": 409, "error": error("version_conflict_engine_exception")}, Outcome.STALE),
        ({"status": 429, "error": error("rejected_execution_exception")}, Outcome.RETRY),
        ({"status": 503, "error": error("unavailable_shards_exception")}, Outcome.RETRY),
        ({"status": 403, "error": error("cluster_block_exception")}, Outcome.RETRY),
        ({"status": 400, "error": error("mapper_parsing_exception")}, Outcome.REJECTED),
        ({"status": 400, "error": error("index_closed_exception")}, Outcome.REJECTED),
        ({"status": 404, "error": error("alias_not_found")}, Outcome.REJECTED),
        ({"error": "no status"}, Outcome.RETRY),
    ],
)
def test_an_items_answer_names_its_outcome(answer, outcome):
    assert result_of_item(answer, "images").outcome is outcome


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 404, "error": error("index_not_found_exception")},
        {"status": 403, "error": error("security_exception")},
        {"status": 401, "error": error("security_exception")},
    ],
)
def test_what_every_action_would_meet_halts_and_names_the_index(answer):
    with pytest.raises(Halt, match="images"):
        result_of_item(answer, "images")


def test_a_mapping_conflict_names_its_cause():
    cause = error("illegal_argument_exception", "field name cannot be an empty string")
    answer = {"status": 400, "error": error("mapper_parsing_exception", "failed to parse", caused_by=cause)}
    reason = result_of_item(answer, "images").reason
    assert "failed to parse" in reason
    assert "field name cannot be an empty string" in reason


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (429, "", Outcome.RETRY),
        (500, "", Outcome.RETRY),
        (503, "", Outcome.RETRY),
        (403, '{"error": {"type": "cluster_block_exception"}}', Outcome.RETRY),
        (400, "id is too long", Outcome.REJECTED),
        (413, "", Outcome.REJECTED),
    ],
)
def test_a_request_that_is_refused_whole_names_the_outcome_of_all(status, body, outcome):
    assert result_of_request(status, body).outcome is outcome


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_request_that_could_never_work_halts(status):
    with pytest.raises(Halt):
        result_of_request(status, "")


def test_the_version_that_is_there_is_read_behind_an_id_that_looks_like_one():
    reason = "[a current version [7] b]: version conflict, current version [52] is higher or equal to [4]"
    assert current_version(reason) == 52
