"""Check the queues that are read: senders, visibility timeout, maxReceiveCount and dead-letter queue."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Final

from ...deadline import RESERVE
from .findings import ERROR, WARNING, Finding, missing
from .patient import DoctorContext
from .senders import check_senders

FEWEST: Final = 3
"""The minimum for maxReceiveCount: a server that is busy for a minute uses up several deliveries."""

LONGEST: Final = 1_209_600
"""The longest retention period of a queue in seconds ("Amazon SQS message quotas")."""


def check(patient: DoctorContext, queue: str) -> Iterator[Finding]:
    attributes = patient.attributes_of(queue)
    subject = f"queue {queue}"
    if attributes is None:
        yield missing("queue", subject, "READ_QUEUE or the region")
        return
    yield from check_senders(queue, attributes.get("Policy", ""), queue == patient.declared.tasks)
    yield from _visibility(patient, subject, float(attributes.get("VisibilityTimeout", 30)))
    policy = json.loads(attributes.get("RedrivePolicy") or "{}")
    if "deadLetterTargetArn" not in policy:
        problem = (
            "it has no redrive policy: a message that always fails is redelivered until it expires, and is lost"
        )
        remedy = "add a redrive policy with a dead-letter queue and a maxReceiveCount of 5 or more"
        yield Finding("queue", subject, problem, remedy, WARNING)
        return
    deliveries = int(policy.get("maxReceiveCount", FEWEST))
    if deliveries < FEWEST:
        problem = (
            f"a message goes to the dead-letter queue after {deliveries} deliveries (maxReceiveCount): a search"
            " server or a table that is busy for a while uses them up"
        )
        remedy = "raise maxReceiveCount of its redrive policy to 5 or more"
        yield Finding("queue", subject, problem, remedy, WARNING)
    yield from _failed(patient, queue, attributes, str(policy["deadLetterTargetArn"]).rpartition(":")[2])


def _visibility(patient: DoctorContext, subject: str, hidden: float) -> Iterator[Finding]:
    """Check that the visibility timeout is at least `retry_time` + RESERVE seconds.

    While the service works, it extends the visibility of messages by the same timeout. At the first delivery it
    retries failures for no longer than this timeout, less RESERVE.
    """
    wanted = patient.settings.retry_time + RESERVE
    if hidden < wanted:
        yield Finding(
            "queue",
            subject,
            f"its visibility timeout is {hidden:g} s: a failure is retried for {max(hidden - RESERVE, 0):g} s"
            f" instead of retry_time={patient.settings.retry_time:g} s, and a message is delivered twice if this"
            " process stalls",
            f"raise it to {6 * patient.settings.retry_time:g} s (for a Lambda: six times the function's timeout)",
            WARNING,
        )


def _failed(patient: DoctorContext, queue: str, attributes: Mapping[str, str], failed: str) -> Iterator[Finding]:
    """Check the dead-letter queue of a queue, which the service itself never uses. Raises Trouble."""
    other = patient.attributes_of(failed, extra=True)
    if other is None:
        problem = f"its dead-letter queue {failed} does not exist: messages that always fail cannot be moved"
        yield Finding("queue", f"queue {queue}", problem, f"create {failed}, or correct the redrive policy", ERROR)
        return
    kept = float(attributes.get("MessageRetentionPeriod", 0))
    counts_on = not queue.endswith(".fifo")  # a FIFO queue counts the age from the move
    if counts_on and float(other.get("MessageRetentionPeriod", LONGEST)) <= kept:
        yield Finding(
            "queue",
            f"queue {failed}",
            f"it keeps messages for no longer than {queue} ({kept:g} s), and their age counts from their arrival"
            f" in {queue}: a message that moves late expires soon after",
            f"set its MessageRetentionPeriod to {LONGEST}",
            WARNING,
        )
