"""Send requests to AWS with the service's credentials, and turn errors into findings."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from ...clients.factories import endpoint_of
from ...context import Context
from ...errors import Halt, SettingsError
from ...model.outcomes import Outcome
from ...pipeline.error_outcomes import FORBIDDEN, describe, result_of
from ...program import PROGRAM
from ...settings.options import hide_password
from .clock import Clock
from .findings import NOTE, Finding, Trouble

ABSENT: Final = frozenset(
    {
        "AWS.SimpleQueueService.NonExistentQueue",
        "NoSuchBucket",
        "NoSuchKey",
        "QueueDoesNotExist",
        "ResourceNotFoundException",
    }
)
"""Error codes for a missing resource. A HEAD request to S3 has only the code 404."""

DENIED: Final = frozenset({"403", "AccessDenied", "AccessDeniedException", "AuthorizationError", "Forbidden"})
"""Error codes for valid credentials without the permission."""

LATE: Final = frozenset({"RequestExpired", "RequestTimeTooSkewed"})

ACTIONS: Final = {
    "BatchGetCollection": "aoss:BatchGetCollection",
    "GetBucketNotificationConfiguration": "s3:GetBucketNotification",
    "HeadBucket": "s3:ListBucket",
    "HeadObject": "s3:GetObject",
    "HeadObjectVersion": "s3:GetObjectVersion",
}
"""Permissions whose names differ from the request's (Service Authorization Reference)."""

GRANT: Final = f"grant the service this permission; `{PROGRAM} doctor --policy` prints all that it needs"


class Aws:
    """AWS clients for the checks. An endpoint that has not answered once gets no further requests."""

    def __init__(self, context: Context, clock: Clock):
        self._context = context
        self._clock = clock
        self._silent: dict[str, Finding] = {}

    def ask(
        self,
        service: str,
        request: str,
        subject: str,
        *,
        fine: Collection[str] = (),
        extra: bool = False,
        **arguments: Any,
    ) -> dict[str, Any] | None:
        """Send a boto3 request and return the answer; None if `subject` does not exist.

        An error whose code is in `fine` returns {}. `extra` marks a request that the service itself never sends: a
        missing permission for it is only a note. Raises Trouble for every other error.
        """
        where = hide_password(endpoint_of(self._context.settings, service)) or "AWS"
        place = service if where == "AWS" else where  # AWS has one endpoint for each service
        if place in self._silent:
            raise Trouble(self._silent[place])
        name = request
        try:
            client = getattr(self._context, service)
            name = client.meta.method_to_api_mapping[request] + ("Version" if "VersionId" in arguments else "")
            answer: dict[str, Any] = getattr(client, request)(**arguments)
        except Exception as error:
            response = getattr(error, "response", None) or {}
            self._hear(where, response)
            code = response.get("Error", {}).get("Code", "")
            if code in fine:
                return {}
            if code in ABSENT or (service == "s3" and code == "404"):
                return None
            finding = self._finding(error, code, f"{service} at {where}", subject, name, extra)
            if finding.topic == "endpoints":
                self._silent[place] = finding
            raise Trouble(finding) from error
        self._hear(where, answer)
        return answer

    def trying(
        self, service: str, subject: str, *, fine: Collection[str] = (), **requests: Mapping[str, Any]
    ) -> Iterator[Finding]:
        """Send boto3 requests, each with its arguments. Yield a finding for each that fails."""
        for request, arguments in requests.items():
            try:
                self.ask(service, request, subject, fine=fine, **arguments)
            except Trouble as trouble:
                yield trouble.finding

    def _hear(self, who: str, answer: dict[str, Any]) -> None:
        headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        self._clock.hear(who, headers.get("date"))

    def _finding(
        self, error: Exception, code: str, endpoint: str, subject: str, request: str, extra: bool
    ) -> Finding:
        if code in DENIED:
            return denied(ACTIONS.get(request, f"{prefix_of(endpoint)}:{request}"), subject, extra)
        if isinstance(error, SettingsError):
            return Finding("endpoints", endpoint, str(error), "set AWS_ENDPOINT_URL to a URL, or leave it empty")
        if code in LATE or any(
            words in str(error) for words in ("Signature expired", "Signature not yet current")
        ):
            problem = f"it rejects a request because of its timestamp ({code})"
            return Finding("clock", endpoint, problem, "synchronize this machine's clock (NTP)")
        try:
            transient = result_of(error, request).outcome is Outcome.RETRY
        except Halt:
            problem = f"{endpoint} rejects the credentials: {code}" if code in FORBIDDEN else describe(error)
            remedy = "give the service its role's credentials, and a region (AWS_PROFILE, AWS_DEFAULT_REGION, …)"
            return Finding("credentials", "AWS", problem, remedy)
        if transient and not code:
            remedy = "start it, allow connections to it from this machine, or correct AWS_ENDPOINT_URL"
            return Finding("endpoints", endpoint, f"it does not answer: {describe(error)}", remedy)
        problem = f"{request} fails: {describe(error)}"
        return Finding("aws", subject, problem, "fix the reported error, and run doctor again")


def denied(action: str, subject: str, extra: bool) -> Finding:
    if not extra:
        return Finding("permissions", subject, f"{action} is denied", GRANT)
    remedy = f"run doctor with credentials that have {action}; the service itself does not need it"
    return Finding("permissions", subject, f"not checked: {action} is denied", remedy, NOTE)


def prefix_of(endpoint: str) -> str:
    """Return the prefix of a service's permissions. DynamoDB Streams uses that of DynamoDB."""
    return endpoint.partition(" ")[0].partition("_")[0]
