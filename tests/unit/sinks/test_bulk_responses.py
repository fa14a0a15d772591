"""The outcome of every error in the tables, from the responses of the search server."""

from __future__ import annotations

import json
from typing import Any

import pytest
from opensearchpy.exceptions import TransportError
from search_errors import HALT, ITEMS, RACE, WHOLE, Sample

from service.errors import Halt, UnexpectedAnswer
from service.model.outcomes import Lasting
from service.pipeline import Outcome
from service.sinks.opensearch.bulk_responses import (
    current_version,
    reason_of,
    result_of_error,
    result_of_item,
    result_of_request,
)
from service.sinks.opensearch.known_errors import KNOWN


def end_of(result_of: Any, *arguments: Any) -> str:
    """Return the name of the outcome; HALT, or RACE for an error that is rejected only if it lasts."""
    try:
        result = result_of(*arguments)
    except Halt:
        return HALT
    return RACE if result.lasting is Lasting.REJECT else result.outcome.name


def body_of(sample: Sample) -> str:
    """Return the body of a request that failed as a whole, in OpenSearch's form."""
    error = sample.answer["error"]
    return json.dumps({"error": {"root_cause": [error], **error}, "status": sample.status})


@pytest.mark.parametrize("sample", ITEMS.values(), ids=ITEMS)
def test_the_error_of_an_action_has_the_outcome_of_its_row(sample: Sample):
    assert end_of(result_of_item, {"index": sample.answer}, "images") == sample.ends


@pytest.mark.parametrize("sample", WHOLE.values(), ids=WHOLE)
def test_the_error_of_a_request_has_the_outcome_of_its_row(sample: Sample):
    assert end_of(result_of_request, sample.status, body_of(sample)) == sample.ends


@pytest.mark.parametrize("row", KNOWN, ids=lambda row: f"{row.type} {row.reason}".strip())
def test_each_row_has_a_source_and_decides_a_sample(row):
    found = {id(known) for known in map(row_of, (*ITEMS.values(), *WHOLE.values()))}
    assert row.source
    assert id(row) in found


def row_of(sample: Sample) -> Any:
    return next((row for row in KNOWN if row.fits(sample.type, sample.reason)), None)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ({"status": 200, "result": "updated"}, Outcome.APPLIED),
        ({"status": 201, "result": "created"}, Outcome.APPLIED),
        ({"status": 404, "result": "not_found"}, Outcome.APPLIED),
    ],
)
def test_what_is_done_is_applied(answer, outcome):
    assert result_of_item({"delete": answer}, "images").outcome is outcome


GOOD = {"status": 200, "result": "updated"}
HOSTILE = [
    None,
    {},
    [],
    "index",
    7,
    True,
    [{"index": GOOD}],
    {"index": GOOD, "delete": GOOD},
    {"index": None},
    {"index": []},
    {"index": "created"},
    {"index": {}},
    {"index": {"status": "200"}},
    {"index": {"status": True}},
    {"index": {"status": None}},
    {"index": {"status": 200.0}},
    {"index": {"status": 0}},
    {"index": {"status": 100}},
    {"index": {"status": -1}},
    {"index": {"status": 302}},
    {"index": {"status": 200, "error": {"type": "x"}}},
    {"index": {"status": 400}},
    {"index": {"status": 400, "error": "mapper_parsing_exception"}},
    {"index": {"status": 400, "error": []}},
    {"index": {"status": 400, "error": {"type": ["mapper_parsing_exception"]}}},
    {"index": {"status": 400, "error": {"type": None, "reason": {"a": 1}, "caused_by": [1]}}},
]


@pytest.mark.parametrize("entry", HOSTILE, ids=json.dumps)
def test_an_action_answered_in_another_shape_is_tried_again_with_a_reason(entry):
    result = result_of_item(entry, "images")
    assert result.outcome is Outcome.RETRY
    assert "images" in result.summary


def test_an_index_that_is_gone_is_tried_again_where_the_service_may_create_it():
    assert end_of(result_of_item, {"index": ITEMS["missing index"].answer}, "images", True) == "RETRY"


@pytest.mark.parametrize("name", [name for name, sample in ITEMS.items() if sample.ends == HALT])
def test_what_concerns_every_document_halts_with_the_index_and_what_to_do_and_without_the_key(name):
    with pytest.raises(Halt, match="images") as halt:
        result_of_item({"index": ITEMS[name].answer}, "images")
    words = str(halt.value)
    assert "secret-id" not in words
    assert len(words.partition(": ")[2]) > 20, "no remedy"


def test_the_halt_of_a_missing_pipeline_names_it():
    with pytest.raises(Halt, match="pipeline nope"):
        result_of_item({"index": ITEMS["missing pipeline"].answer}, "images")


def test_a_mapping_conflict_names_its_cause():
    reason = result_of_item({"index": ITEMS["empty name"].answer}, "images").reason
    assert "failed to parse" in reason
    assert "field name cannot be an empty string" in reason


ECHO = (
    "Duplicate field 'a'\n at [Source: (byte[])\"POST /_bulk HTTP/1.1\r\nauthorization: Basic c2VjcmV0\r\n"
    '\r\n{"index"[truncated 20 bytes]; line: 1, column: 11]'
)
"""A JSON parse error of Elasticsearch 7.10. It repeats the request, headers first."""


def test_no_reason_repeats_the_request_and_its_password():
    sample = Sample(400, "mapper_parsing_exception", "failed to parse", "REJECTED", ECHO)
    reasons = [
        result_of_item({"index": sample.answer}, "images").reason,
        result_of_request(500, json.dumps({"error": {"type": "x", "reason": ECHO}, "status": 500})).reason,
        result_of_request(500, ECHO).reason,
        reason_of({"type": "x", "reason": ECHO}),
        reason_of(ECHO),
    ]
    for reason in reasons:
        assert "c2VjcmV0" not in reason
        assert "Duplicate field 'a'" in reason


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (429, "", Outcome.RETRY),
        (500, "", Outcome.RETRY),
        (502, "<html>Bad Gateway</html>", Outcome.RETRY),
        (503, "", Outcome.RETRY),
        (504, "", Outcome.RETRY),
        (413, "", Outcome.REJECTED),
    ],
)
def test_a_request_that_is_refused_whole_names_the_outcome_of_all(status, body, outcome):
    result = result_of_request(status, body)
    assert (result.outcome, result.status, result.lasting) == (outcome, status, None)


@pytest.mark.parametrize(
    "status", [100, 204 + 100, 302, 307, 400, 402, 405, 406, 407, 408, 409, 410, 425, 451, 499]
)
@pytest.mark.parametrize(
    "body", ["", "<html>no</html>", '{"message":null}', '"text"', "[]", "null", '{"error":[]}']
)
def test_a_request_refused_for_a_reason_nobody_knows_is_tried_again_and_halts_if_that_lasts(status, body):
    result = result_of_request(status, body)
    assert (result.outcome, result.lasting) == (Outcome.RETRY, Lasting.HALT)
    assert str(status) in result.summary


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_request_that_could_never_work_halts(status):
    with pytest.raises(Halt):
        result_of_request(status, "")


INFOS = [None, "", "text", 7, True, [], [1], {}, {"error": None}, {"error": {}}, {"error": {"root_cause": None}}]
INFOS += [{"error": {"root_cause": ["x"]}}, {"error": {"root_cause": [{"reason": None}], "type": 3}}]


@pytest.mark.parametrize("info", INFOS, ids=repr)
def test_an_error_of_any_shape_has_a_result(info):
    result = result_of_error(TransportError(418, "?", info))
    assert (result.outcome, result.status, result.lasting) == (Outcome.RETRY, 418, Lasting.HALT)


def test_an_answer_that_is_no_search_servers_is_tried_again_and_halts_if_that_lasts():
    result = result_of_error(UnexpectedAnswer("the answer has no items"))
    assert (result.outcome, result.lasting) == (Outcome.RETRY, Lasting.HALT)
    assert result.reason == "the answer has no items"


def test_the_version_that_is_there_is_read_behind_an_id_that_looks_like_one():
    reason = "[a current version [7] b]: version conflict, current version [52] is higher or equal to [4]"
    assert current_version(reason) == 52
