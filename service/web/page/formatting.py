"""Format values for the page."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any, Final

from markupsafe import Markup

from ...model.versions import NO_VERSION, time_of
from ...pipeline import Outcome
from ...routing import BoundRoute, TableRoute
from ...sinks.dead_letters.dead_letter import portable

LONGEST: Final = 200_000
"""Maximum characters shown of one value."""

SIGNS: Final = {
    Outcome.RETRY: "\N{CLOCKWISE OPEN CIRCLE ARROW}",
    Outcome.BLOCKED: "\N{DOUBLE VERTICAL BAR}",
    Outcome.REJECTED: "\N{MULTIPLICATION X}",
    Outcome.APPLIED: "\N{CHECK MARK}",
    Outcome.STALE: "\N{ALMOST EQUAL TO}",
    Outcome.SKIPPED: "\N{EN DASH}",
}

MEANINGS: Final = {
    Outcome.RETRY: "may succeed later: the source redelivers the record",
    Outcome.BLOCKED: "waits for a retry of the same item: the source redelivers the record",
    Outcome.REJECTED: "can never succeed: moved to dead letters",
    Outcome.APPLIED: "written, or already up to date",
    Outcome.STALE: "the target has a newer version",
    Outcome.SKIPPED: "no route, ignored, or nothing to write",
}


def visible(value: Any) -> Any:
    """Replace non-printable characters, which could hide, reverse or break the text, with escapes.

    Line breaks stay. The template engine calls this for every value before it escapes the value for HTML.
    """
    if not isinstance(value, str) or isinstance(value, Markup) or value.isprintable():
        return value
    return "".join(char if char == "\n" or char.isprintable() else escape(char) for char in value)


def escape(char: str) -> str:
    number = ord(char)
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"


def pretty(value: Any) -> str:
    """Return a value of any type as indented JSON, at most LONGEST characters."""
    return shortened(portable(value).decode(), LONGEST)


def shortened(text: str, most: int) -> str:
    left = len(text) - most
    return text if left <= 0 else f"{text[:most]}… ({number(left)} more characters)"


def number(value: float) -> str:
    return f"{value:,.0f}"


def rate(value: float) -> str:
    """Return records per second as text: 0.2/s, 12/s."""
    return f"{value:.1f}/s" if 0 < value < 10 else f"{value:,.0f}/s"


def duration(seconds: float) -> str:
    """Return seconds as text in one or two units: 3 s, 5 min, 2 h 5 min, 3 d 4 h."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86_400
    if whole < 3600:
        return f"{minutes} min"
    if whole < 86_400:
        return f"{hours} h {minutes % 60} min" if minutes % 60 else f"{hours} h"
    return f"{days} d {hours % 24} h" if hours % 24 else f"{days} d"


def ago(seconds: float) -> str:
    """Return the time since a Unix time, in seconds, as text."""
    passed = time.time() - seconds
    return "just now" if passed < 1 else f"{duration(passed)} ago"


def clock(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%H:%M:%S")


def stamp(seconds: float) -> str:
    """Return a Unix time in seconds as ISO 8601 in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def describe_version(version: int | None, bound: BoundRoute | None) -> str:
    """Describe a document version; `bound` is the route that wrote it, None if unknown."""
    if version is None:
        return "the route does not use versions"
    if version == NO_VERSION:
        return "the record has no usable time or sequencer: it is written only if the document has no version yet"
    if bound is None or isinstance(bound.route, TableRoute):
        return f"change at {stamp(time_of(version))}, order within that second: {number(version % 2**32)}"
    return f"sequencer {version:015X}…"


def short(name: str, most: int = 18) -> str:
    """Return the last `most` characters of a long name: names of shards differ at the end."""
    return name if len(name) <= most else f"…{name[1 - most :]}"


def label_of(arn: str) -> str:
    """Return the label of a stream, which is the end of its ARN."""
    return arn.rpartition("/stream/")[2] or arn
