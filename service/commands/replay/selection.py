"""The filter of a replay."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from ...errors import SettingsError
from ...model import Change, ObjectRecord
from ...routing import Names
from ...routing.patterns import matches
from ...settings import setting


@dataclass(frozen=True)
class Selection:
    """The options that select records. Without any of them, all records are selected."""

    table: str = setting(
        "",
        "only records of this table or bucket; also names the table of an export file without its manifest",
    )
    key: str = setting(
        "",
        "only records with this key: a value, NAME=VALUE, or both key attributes separated by a comma; * matches"
        " any text",
    )
    since: str = setting("", "only records created at or after this time (ISO 8601)")
    until: str = setting("", "only records created before this time (ISO 8601)")

    def test(self, names: Names) -> Callable[[Change], bool] | None:
        """Return a function that is True for selected records; None if all are selected.

        If `since` or `until` is set, records without a time are not selected. Raises SettingsError if a time is
        invalid.
        """
        begin, end = seconds_of("since", self.since), seconds_of("until", self.until)
        if self == Selection():
            return None

        def takes(record: Change) -> bool:
            kind, place = "bucket" if isinstance(record, ObjectRecord) else "table", record.subject[0]
            if self.table and self.table not in (place, names.logical(kind, place)):
                return False
            if self.key and not any(matches(self.key, text) for text in keys_of(record)):
                return False
            return (begin is None and end is None) or is_between(record.created, begin, end)

        return takes


def is_between(time: float | None, begin: float | None, end: float | None) -> bool:
    return time is not None and (begin is None or time >= begin) and (end is None or time < end)


def keys_of(record: Change) -> Iterator[str]:
    """Yield the texts that `key` can match for a record. Numbers are as DynamoDB writes them, binary is base64."""
    if isinstance(record, ObjectRecord):
        yield record.key
        return
    typed = {name: value for name, value in record.typed_keys.items() if isinstance(value, dict)}
    values = {name: str(next(iter(value.values()), "")) for name, value in typed.items()}
    named = [f"{name}={value}" for name, value in values.items()]
    yield from values.values()
    yield from named
    if len(values) > 1:
        yield ",".join(values.values())
        yield ",".join(named)


def seconds_of(name: str, text: str) -> float | None:
    """Return the Unix seconds of an ISO 8601 time; None for "". The default zone is UTC. Raises SettingsError."""
    if not text:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise SettingsError(f"--{name} must be a time such as 2026-11-22 or 2026-11-22T10:00:00Z") from error
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
