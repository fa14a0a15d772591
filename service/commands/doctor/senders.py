"""Check the policies of the queues that are read: every sender can change the index."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, Final

from .findings import WARNING, Finding

NARROWING: Final = frozenset(
    f"aws:{key}"
    for key in ("sourcearn", "sourceaccount", "sourceorgid", "principalarn", "principalaccount", "principalorgid")
)
"""The condition keys that restrict the sender ("AWS global condition context keys", IAM User Guide)."""

REMEDY: Final = (
    "restrict the statement to the bucket, topic or role with a condition on aws:SourceArn or aws:PrincipalArn"
    " (docs/security.md)"
)


def check_senders(queue: str, policy: str, carries_tasks: bool) -> Iterator[Finding]:
    """Yield a finding for each statement of a queue's policy that allows too many senders.

    `carries_tasks` marks the task queue: only operators and workers may send to it.
    """
    for statement in _statements(policy):
        who = _who(statement)
        if not who or not _allows_sending(statement):
            continue
        subject = f"queue {queue}"
        if not _narrowed(statement):
            problem = f"its policy lets {who} send for any account, and every sender can change the index"
            yield Finding("senders", subject, problem, REMEDY, WARNING)
        elif carries_tasks:
            problem = f"its policy lets {who} send, but only operators and workers may send backfill tasks"
            yield Finding("senders", subject, problem, "remove the statement from its policy", WARNING)


def _statements(policy: str) -> list[Mapping[str, Any]]:
    try:
        found = json.loads(policy or "{}").get("Statement", [])
    except (AttributeError, ValueError):
        return []
    return [one for one in (found if isinstance(found, list) else [found]) if isinstance(one, Mapping)]


def _who(statement: Mapping[str, Any]) -> str:
    """Return "any principal" or the allowed AWS services; "" if a statement names only accounts or roles."""
    if statement.get("Effect") != "Allow":
        return ""
    principal = statement.get("Principal")
    if "NotPrincipal" in statement or principal == "*":
        return "any principal"
    if not isinstance(principal, Mapping):
        return ""
    if "*" in _texts(principal.get("AWS")):
        return "any principal"
    return ", ".join(_texts(principal.get("Service")))


def _allows_sending(statement: Mapping[str, Any]) -> bool:
    if "NotAction" in statement:
        return True
    actions = (action.lower() for action in _texts(statement.get("Action")))
    return any(fnmatchcase("sqs:sendmessage", action) for action in actions)


def _narrowed(statement: Mapping[str, Any]) -> bool:
    """True if a condition restricts the sender to an account, a resource or a role."""
    conditions = statement.get("Condition")
    return isinstance(conditions, Mapping) and any(
        key.lower() in NARROWING and "*" not in _texts(values) and "not" not in operator.lower()
        for operator, keys in conditions.items()
        if isinstance(keys, Mapping)
        for key, values in keys.items()
    )


def _texts(values: Any) -> Iterable[str]:
    """Return a policy element, one text or a list, as a list."""
    return [value for value in (values if isinstance(values, list) else [values]) if isinstance(value, str)]
