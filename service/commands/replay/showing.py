"""The output of a rehearsal: text and JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from ...pipeline.document_json import dump
from ...sinks.dead_letters.dead_letter import portable
from ...telemetry.logs import one_line
from ..comparison import ABSENT, by_path
from .rehearsal import Finding

LONGEST: Final = 160
"""Maximum characters of a value in the text output. JSON has the whole value."""


def words_of(finding: Finding) -> Iterator[str]:
    """Yield a line for the finding, then a line for each field that differs."""
    place = f"{finding.target}/{finding.id}" if finding.id else finding.target
    version = f"version {finding.version}" if finding.version is not None else ""
    if finding.there is not None and finding.there != finding.version:
        version += f", stored {finding.there}"
    content = "" if finding.content is None else shown(finding.content)
    note = "(superseded in its batch)" if finding.superseded else ""
    parts = [finding.what, place, version.lstrip(", "), finding.route, content, note, finding.reason]
    yield "  ".join(plain(part) for part in parts if part)
    for field in finding.fields:
        path = plain(field.path)
        if field.held is ABSENT:
            yield f"  + {path}: {shown(field.wanted)}"
        elif field.wanted is ABSENT:
            yield f"  - {path}: {shown(field.held)}"
        else:
            yield f"  ~ {path}: {shown(field.held)} -> {shown(field.wanted)}"


def value_of(finding: Finding) -> dict[str, Any]:
    """Return the finding for JSON, without empty values. A missing field has no `old` or no `new`."""
    found = {name: value for name, value in vars(finding).items() if value or (value == 0 and value is not False)}
    if finding.content is not None:
        found["content"] = json.loads(_text(finding.content))
    if finding.fields:
        found["fields"] = by_path(finding.fields, held="old", wanted="new")
    return found


def shown(value: Any) -> str:
    """Return a value as one line of JSON, at most LONGEST characters."""
    text = _text(value).decode()
    return plain(text if len(text) <= LONGEST else f"{text[:LONGEST]}…")


def _text(value: Any) -> bytes:
    try:
        return dump(value)
    except (RecursionError, TypeError, ValueError):  # such a document was rejected
        return portable(value, 0)


def plain(text: str) -> str:
    """Return the text with non-printable characters escaped, so that it stays on one line."""
    return text if text.isprintable() else one_line(text)
