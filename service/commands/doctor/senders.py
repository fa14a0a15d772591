"""Checks who may send to the queues that are read, by their policies: a sender may change the index."""

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
"""The condition keys that say whose requests are meant ("AWS global condition context keys", IAM User Guide)."""

REMEDY: Final = (
    "name the bucket, topic or role in a condition on aws:SourceArn or aws:PrincipalArn (docs/security.md)"
)


def check_senders(queue: str, policy: str, carries_tasks: bool) -> Iterator[Finding]:
    """Yield a finding for each statement of a queue's policy that lets more send than can be meant."""
    for statement in _statements(policy):
        who = _who(statement)
        if not who or not _allows_sending(statement):
            continue
        subject = f"queue {queue}"
        if not _narrowed(statement):
            problem = f"its policy lets {who} send for any account, and whoever sends may change the index"
            yield Finding("senders", subject, problem, REMEDY, WARNING)
        elif carries_tasks:
            problem = f"its policy lets {who} send, and backfill tasks come from operators and workers alone"
            yield Finding("senders", subject, problem, "take the statement out of its policy", WARNING)


def _statements(policy: str) -> list[Mapping[str, Any]]:
    try:
        found = json.loads(policy or "{}").get("Statement", [])
    except (AttributeError, ValueError):
        return []
    return [one for one in (found if isinstance(found, list) else [found]) if isinstance(one, Mapping)]


def _who(statement: Mapping[str, Any]) -> str:
    """Return the principals that are not named: everybody, or a service of AWS; "" if all are named."""
    if statement.get("Effect") != "Allow":
        return ""
    principal = statement.get("Principal")
    if "NotPrincipal" in statement or principal == "*":
        return "everybody"
    if not isinstance(principal, Mapping):
        return ""
    if "*" in _texts(principal.get("AWS")):
        return "everybody"
    return ", ".join(_texts(principal.get("Service")))


def _allows_sending(statement: Mapping[str, Any]) -> bool:
    if "NotAction" in statement:
        return True
    actions = (action.lower() for action in _texts(statement.get("Action")))
    return any(fnmatchcase("sqs:sendmessage", action) for action in actions)


def _narrowed(statement: Mapping[str, Any]) -> bool:
    """True if a condition says whose requests are meant."""
    conditions = statement.get("Condition")
    return isinstance(conditions, Mapping) and any(
        key.lower() in NARROWING and "*" not in _texts(values) and "not" not in operator.lower()
        for operator, keys in conditions.items()
        if isinstance(keys, Mapping)
        for key, values in keys.items()
    )


def _texts(values: Any) -> Iterable[str]:
    """The texts of a member of a policy, which is one or a list of them."""
    return [value for value in (values if isinstance(values, list) else [values]) if isinstance(value, str)]
