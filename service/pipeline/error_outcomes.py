"""What an error that a route raised means for its record.

Libraries are told by the names of their classes, so that none is imported to find out. A transient error
never becomes a dead letter; a route with a mistake in it never stalls the stream.
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
# A 403 about one object alone: it is archived.
REFUSED: Final = frozenset({"InvalidObjectState"})
# "TransactWriteItems" in the API reference: the reasons that another try will not meet.
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
"""HTTP statuses that may pass, beside redirects and a server's own errors: time-out, too early, throttled."""

DEEPEST: Final = 8
"""Places of an unexpected error that are named, the innermost first."""


def result_of(error: Exception, doing: str, about: str = "") -> Result:
    """The result of a record whose route raised; `doing` names the route, `about` the item, for the reason alone.

    Raises Halt for what would fail for every record: missing credentials or permission.
    """
    if isinstance(error, Halt):
        raise error
    if isinstance(error, OutOfTime):
        return OUT_OF_TIME
    outcome, status = _outcome_of(error, f"{doing}: {describe(error)}")
    unforeseen = outcome is Outcome.REJECTED and status is None and not isinstance(error, StreamdexError)
    place = place_of(error) if unforeseen else ""
    reason, told = f"{doing}{about}: {describe(error)}{place}", f"{doing}: {name_of(error)}{place}"
    return Result(outcome, reason, status, told=told)


def _outcome_of(error: Exception, reason: str) -> tuple[Outcome, int | None]:
    """Return the outcome and the HTTP status of an error. Raises Halt for this reason."""
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
        raise Halt(f"{reason}: give the service credentials and a region") from error
    if bases & TRANSIENT:
        return Outcome.RETRY, None
    if "botocore.exceptions.ClientError" in bases:
        return _of_aws(error, reason)
    if "opensearchpy.exceptions.TransportError" in bases:
        return _of_status(getattr(error, "status_code", None), reason, error)
    return Outcome.REJECTED, None


def is_transient(error: Exception) -> bool:
    """Whether what failed may succeed when it is tried again."""
    try:
        return result_of(error, "").outcome is Outcome.RETRY
    except Halt:
        return False


@contextmanager
def reaching(what: str) -> Iterator[None]:
    """Makes errors of the libraries in the block ours: Unreachable, or Halt. `what` is what was wanted."""
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
        raise Halt(f"{reason}: the service's role needs this permission, or its credentials are wrong") from error
    return _of_status(status, reason, error)


def _may_pass(error: Any) -> bool:
    """Whether a transaction was cancelled for nothing but conflicts and throttling."""
    reasons = {reason.get("Code") for reason in error.response.get("CancellationReasons", [])}
    return not reasons & FINAL_REASONS


def _of_status(status: Any, reason: str, error: Exception) -> tuple[Outcome, int | None]:
    if not isinstance(status, int):
        return Outcome.REJECTED, None
    if status in (401, 403):
        raise Halt(f"{reason}: the credentials or permissions of the service are wrong") from error
    passes = status in PASSING or 300 <= status < 400 or status >= 500
    return Outcome.RETRY if passes else Outcome.REJECTED, status


def place_of(error: Exception) -> str:
    """Where a route raised: the last line of its own code, in words; "" where there is none."""
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if not _is_foreign(frame.filename)]
    return f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else ""


def _is_foreign(filename: str) -> bool:
    return filename.startswith(("<", str(_PACKAGE))) or "site-packages" in filename or "/lib/python3" in filename


def trail_of(error: BaseException) -> str:
    """Return the class of an error and where it was raised, without its words: these may quote an item."""
    frames = traceback.extract_tb(error.__traceback__)[-DEEPEST:]
    places = [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in reversed(frames)]
    return f"{type(error).__name__} at {' < '.join(places)}"


def describe(error: Exception) -> str:
    """Return an error in a few words: what it is, and for a KeyError which attribute is missing."""
    try:
        words = str(error)
    except Exception:  # opensearch-py's do not know what to say of an answer of another shape
        words = ""
    if isinstance(error, KeyError):
        return f"KeyError: there is no {words}"
    if isinstance(error, StreamdexError):
        return words or type(error).__name__
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


def name_of(error: Exception) -> str:
    """An error as logs have it: its class and, of AWS, its code. Its words may quote an item.

    Those of a DecodeError never do.
    """
    if isinstance(error, DecodeError):
        return str(error)
    answer = getattr(error, "response", None)  # botocore's connection errors have one that is None
    code = answer.get("Error", {}).get("Code") if isinstance(answer, dict) else None
    return f"{type(error).__name__} {code}" if code else type(error).__name__
