"""Outcomes of the errors that routes raise: each row of the table."""

from __future__ import annotations

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ReadTimeoutError,
)
from botocore.parsers import ResponseParserError
from opensearchpy.exceptions import ConnectionTimeout, NotFoundError, TransportError

from service.errors import DecodeError, Halt, Reject, Retry, SettingsError, Skip, UnexpectedAnswer, Unreachable
from service.pipeline import Outcome
from service.pipeline.error_outcomes import describe, result_of


def client_error(code: str, status: int) -> ClientError:
    response = {"Error": {"Code": code, "Message": "m"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "GetItem")


def cancelled(*codes: str) -> ClientError:
    """Return the error of a transaction that DynamoDB cancelled, with one reason for each action."""
    error = client_error("TransactionCanceledException", 400)
    error.response["CancellationReasons"] = [{"Code": code} for code in codes]
    return error


@pytest.mark.parametrize(
    "error",
    [
        Retry("later"),
        client_error("ThrottlingException", 400),
        client_error("ProvisionedThroughputExceededException", 400),
        client_error("TransactionConflictException", 400),
        client_error("ReplicatedWriteConflictException", 400),
        cancelled("None", "TransactionConflict"),
        client_error("SlowDown", 503),
        client_error("InternalServerError", 500),
        EndpointConnectionError(endpoint_url="http://x"),
        ConnectTimeoutError(endpoint_url="http://x"),
        ReadTimeoutError(endpoint_url="http://x"),
        ConnectionTimeout("TIMEOUT", "slow", Exception("slow")),
        TransportError(429, "busy", {}),
        TransportError(503, "down", {}),
        TransportError(302, "elsewhere", {}),
        TransportError(408, "slow", {}),
        TransportError(425, "early", {}),
        Unreachable("no answer"),
        UnexpectedAnswer("no items"),
        ResponseParserError("<html>"),
        ConnectionResetError("reset"),
        TimeoutError("slow"),
    ],
)
def test_what_may_succeed_later_is_tried_again_and_never_a_dead_letter(error):
    assert result_of(error, "r").outcome is Outcome.RETRY


@pytest.mark.parametrize(
    "error",
    [
        NoCredentialsError(),
        NoRegionError(),
        client_error("AccessDeniedException", 400),
        client_error("ExpiredToken", 400),
        client_error("Forbidden", 403),
        TransportError(401, "who", {}),
        Halt("stop"),
        SettingsError("SEARCH_URL is not set"),
    ],
)
def test_missing_credentials_or_permission_halt(error):
    with pytest.raises(Halt):
        result_of(error, "r")


@pytest.mark.parametrize(
    "error",
    [
        Reject("no"),
        DecodeError("odd"),
        ValueError("v"),
        KeyError("caption"),
        RecursionError(),
        client_error("ValidationException", 400),
        client_error("InvalidObjectState", 403),
        cancelled("TransactionConflict", "ConditionalCheckFailed"),
        NotFoundError(404, "no", {}),
    ],
)
def test_anything_else_can_never_succeed(error):
    assert result_of(error, "r").outcome is Outcome.REJECTED


def test_skip_is_skipped_with_its_reason():
    result = result_of(Skip("gone"), "images:Images INSERT")
    assert result.outcome is Outcome.SKIPPED
    assert result.reason == "images:Images INSERT: gone"


def test_a_signal_that_a_user_derived_keeps_its_meaning():
    class TooEarly(Retry):
        pass

    assert result_of(TooEarly(), "r").outcome is Outcome.RETRY


def test_a_key_error_names_the_attribute():
    assert "'caption'" in result_of(KeyError("caption"), "r").reason


@pytest.mark.parametrize("cause", [None, "x", [], {"reason": 3}, [None], [7], ["x"]], ids=repr)
def test_an_error_whose_words_cannot_be_had_is_described_by_its_class(cause):
    error = TransportError(400, "odd", {"error": {"root_cause": cause}})
    assert describe(error).startswith("TransportError")


def test_an_error_that_cannot_say_what_it_is_has_a_result():
    class Mute(Exception):
        def __str__(self) -> str:
            raise TypeError("nothing to say")

    assert "Mute" in result_of(Mute(), "r").reason
