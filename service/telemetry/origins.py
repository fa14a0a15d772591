"""The X-Ray traces of a batch, from the trace headers of its messages.

Source: "Tracing header" and "Amazon SQS and AWS X-Ray" (AWS X-Ray Developer Guide).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

_TRACE: Final = re.compile(r"1-[0-9a-f]{8}-[0-9a-f]{24}", re.IGNORECASE)
_PARENT: Final = re.compile(r"[0-9a-f]{16}", re.IGNORECASE)


@dataclass(frozen=True)
class Origin:
    """The contents of the trace headers of some messages.

    `traces` are their trace ids. `only` is the trace id that all messages share, else None. `parent` is the id of
    the sender's segment in that trace, else None. `sampled` is 1 if any of the traces is sampled, 0 if none is,
    and None if this is undecided.
    """

    traces: Sequence[str]
    only: str | None
    parent: str | None
    sampled: int | None


NOWHERE: Final = Origin((), None, None, None)


def origin_of(messages: Sequence[Any]) -> Origin:
    """Return the origin of messages, from the attribute `AWSTraceHeader` in the formats of SQS and Lambda."""
    headers = [header_in(message) for message in messages]
    traces = sorted({header["Root"] for header in headers if header})
    parents = {header.get("Parent", "") for header in headers}
    decisions = {header.get("Sampled") for header in headers}
    only = traces[0] if len(traces) == 1 and all(headers) else None
    parent = parents.pop() if only and len(parents) == 1 else ""
    sampled = 1 if "1" in decisions else 0 if decisions == {"0"} else None
    return Origin(traces, only, parent if _PARENT.fullmatch(parent) else None, sampled)


def header_in(message: Any) -> dict[str, str]:
    """Return the parts of a message's trace header, `Root=1-…;Parent=…;Sampled=1`; {} without a valid one."""
    if not isinstance(message, Mapping):
        return {}
    attributes = message.get("Attributes") or message.get("attributes")
    header = attributes.get("AWSTraceHeader") if isinstance(attributes, Mapping) else None
    if not isinstance(header, str):
        return {}
    pairs = (part.partition("=") for part in header.split(";"))
    parts = {name.strip(): value.strip() for name, _, value in pairs}
    return parts if _TRACE.fullmatch(parts.get("Root", "")) else {}
