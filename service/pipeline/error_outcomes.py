"""Classify errors that routes raise into outcomes of their records.

Library errors are recognized by class name, to avoid imports. A transient error does not become a dead letter,
and a bug in a route does not block the stream.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from ..errors import DecodeError, Halt, OutOfTime, Reject, Retry, SettingsError, Skip, StreamdexError, Unreachable
from ..model.outcomes import OUT_OF_TIME, Outcome, Result

_PACKAGE: Final = Path(__file__).parents[1]

TRANSIENT: Final = frozenset(
    {
        "builtins.ConnectionError",
        "builtins.TimeoutError",
        "botocore.exceptions.ConnectionError",
        "botocore.exceptions.HTTPClientError",
        "botocore.exceptions.IncompleteReadError",
        "botocore.exceptions.ResponseStreamingError",
        "botocore.parsers.ResponseParserError",
        "opensearchpy.exceptions.ConnectionError",
        "requests.exceptions.ConnectionError",
        "requests.exceptions.Timeout",
        "sqlalchemy.exc.DisconnectionError",
        "sqlalchemy.exc.InterfaceError",
        "sqlalchemy.exc.OperationalError",
        "sqlalchemy.exc.TimeoutError",
        "urllib3.exceptions.HTTPError",
    }
)

HALTING: Final = frozenset(
    {
        "botocore.exceptions.CredentialRetrievalError",
        "botocore.exceptions.NoCredentialsError",
        "botocore.exceptions.NoRegionError",
        "botocore.exceptions.PartialCredentialsError",
        "botocore.exceptions.ProfileNotFound",
        "botocore.exceptions.TokenRetrievalError",
    }
)

# "Common errors" and "Error handling" in the API references of DynamoDB, S3 and SQS.
THROTTLED: Final = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "ReplicatedWriteConflictException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestTimeout",
        "RequestTimeoutException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)
# A 403 for a single object, because it is archived.
REFUSED: Final = frozenset({"InvalidObjectState"})
# "TransactWriteItems" in the API reference: the cancellation reasons that a retry does not resolve.
FINAL_REASONS: Final = frozenset({"ConditionalCheckFailed", "ItemCollectionSizeLimitExceeded", "ValidationError"})
FORBIDDEN: Final = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)


PASSING: Final = frozenset({408, 425, 429})
"""HTTP statuses to retry besides 3xx and 5xx: request timeout, too early, too many requests."""

DEEPEST: Final = 8
"""Maximum number of stack frames that are logged for an unexpected error, innermost first."""


def result_of(error: Exception, doing: str, about: str = "") -> Result:
    """Return the result of a record for which `error` was raised.

    `doing` names the route or the operation. `about` names the item and appears in the reason only, not in logs.

    Raises Halt if every record would fail: missing credentials, permission or settings.
    """
    if isinstance(error, Halt):
        raise error
    if isinstance(error, OutOfTime):
        return OUT_OF_TIME
    outcome, status = _outcome_of(error, f"{doing}: {describe(error)}")
    unforeseen = outcome is Outcome.REJECTED and status is None and not isinstance(error, StreamdexError)
    place = place_of(error) if unforeseen else ""
    reason, log_text = f"{doing}{about}: {describe(error)}{place}", f"{doing}: {name_of(error)}{place}"
    return Result(outcome, reason, status, log_text=log_text)


def _outcome_of(error: Exception, reason: str) -> tuple[Outcome, int | None]:
    """Return the outcome and the HTTP status. Raises Halt(reason) if every record would fail."""
    if isinstance(error, SettingsError):
        raise Halt(reason) from error
    if isinstance(error, StreamdexError):
        signals = {
            Retry: Outcome.RETRY,
            Unreachable: Outcome.RETRY,
            Skip: Outcome.SKIPPED,
            Reject: Outcome.REJECTED,
        }
        return next((signals[base] for base in type(error).__mro__ if base in signals), Outcome.REJECTED), None
    bases = {f"{base.__module__}.{base.__qualname__}" for base in type(error).__mro__}
    if bases & HALTING:
        raise Halt(f"{reason}: configure AWS credentials and a region for the service") from error
    if bases & TRANSIENT:
        return Outcome.RETRY, None
    if "botocore.exceptions.ClientError" in bases:
        return _of_aws(error, reason)
    if "opensearchpy.exceptions.TransportError" in bases:
        return _of_status(getattr(error, "status_code", None), reason, error)
    return Outcome.REJECTED, None


def is_transient(error: Exception) -> bool:
    """True if a retry may succeed."""
    try:
        return result_of(error, "").outcome is Outcome.RETRY
    except Halt:
        return False


@contextmanager
def reaching(what: str) -> Iterator[None]:
    """Convert library errors in the `with` block. `what` names the attempted operation.

    Raises Unreachable for transient errors and Halt if every record would fail. Other errors pass through.
    """
    try:
        yield
    except StreamdexError:
        raise
    except Exception as error:
        if result_of(error, what).outcome is Outcome.RETRY:
            raise Unreachable(f"{what}: {describe(error)}") from error
        raise


def _of_aws(error: Any, reason: str) -> tuple[Outcome, int | None]:
    code = error.response.get("Error", {}).get("Code", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    if code in THROTTLED or (code == "TransactionCanceledException" and _may_pass(error)):
        return Outcome.RETRY, status
    if code in REFUSED:
        return Outcome.REJECTED, status
    if code in FORBIDDEN:
        raise Halt(f"{reason}: grant the service's role this permission, or correct its credentials") from error
    return _of_status(status, reason, error)


def _may_pass(error: Any) -> bool:
    """True if a transaction was cancelled only because of conflicts and throttling."""
    reasons = {reason.get("Code") for reason in error.response.get("CancellationReasons", [])}
    return not reasons & FINAL_REASONS


def _of_status(status: Any, reason: str, error: Exception) -> tuple[Outcome, int | None]:
    if not isinstance(status, int):
        return Outcome.REJECTED, None
    if status in (401, 403):
        raise Halt(f"{reason}: check the credentials and permissions of the service") from error
    passes = status in PASSING or 300 <= status < 400 or status >= 500
    return Outcome.RETRY if passes else Outcome.REJECTED, status


def place_of(error: Exception) -> str:
    """Return the file and line in the route's code that raised an error, or "" if there is none."""
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if not _is_foreign(frame.filename)]
    return f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else ""


def _is_foreign(filename: str) -> bool:
    return filename.startswith(("<", str(_PACKAGE))) or "site-packages" in filename or "/lib/python3" in filename


def trail_of(error: BaseException) -> str:
    """Return the class and the stack frames of an error, without its message, which may quote an item."""
    frames = traceback.extract_tb(error.__traceback__)[-DEEPEST:]
    places = [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in reversed(frames)]
    return f"{type(error).__name__} at {' < '.join(places)}"


def describe(error: Exception) -> str:
    """Return a short description of an error. For a KeyError, name the missing attribute."""
    try:
        words = str(error)
    except Exception:  # str() of an opensearch-py error raises if the response has an unexpected shape
        words = ""
    if isinstance(error, KeyError):
        return f"KeyError: {words} is missing"
    if isinstance(error, StreamdexError):
        return words or type(error).__name__
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


def name_of(error: Exception) -> str:
    """Return an error for logs: its class and, for an AWS error, its code. Messages may quote an item.

    The message of a DecodeError never does, so it is returned.
    """
    if isinstance(error, DecodeError):
        return str(error)
    answer = getattr(error, "response", None)  # None for botocore's connection errors
    code = answer.get("Error", {}).get("Code") if isinstance(answer, dict) else None
    return f"{type(error).__name__} {code}" if code else type(error).__name__
