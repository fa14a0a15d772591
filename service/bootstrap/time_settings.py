"""Checks of time settings with which a record that always fails would block its source."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ..errors import SettingsError
from ..model.outcomes import PATIENCE
from ..settings import Settings
from ..timing import RETENTION


@dataclass(frozen=True, slots=True)
class BadTime:
    """A time setting, its problem, and the remedy."""

    name: str
    problem: str
    remedy: str


FOR_STREAMS: Final = "retry_for"
FOR_CONTAINERS: Final = "stall_after"


def bad_times(settings: Settings) -> Iterator[BadTime]:
    """Yield the settings with which a failing record could not become a dead letter in time."""
    if settings.retry_for >= RETENTION:
        yield BadTime(
            FOR_STREAMS,
            f"it is {settings.retry_for:g} s, but a stream keeps records for only {RETENTION:g} s: a record that"
            " keeps failing makes its shard lose records before it becomes a dead letter",
            "set STREAMDEX_RETRY_FOR well below a day, such as 21600",
        )
    longest = settings.retry_time + PATIENCE * settings.search_timeout
    if longest >= settings.stall_after:
        yield BadTime(
            FOR_CONTAINERS,
            f"it is {settings.stall_after:g} s, but one delivery may take {longest:g} s (retry_time + {PATIENCE} x"
            " search_timeout): /healthz fails and the container is restarted before it can find a document that"
            " makes the search server hang",
            f"set STREAMDEX_STALL_AFTER above {longest:g}, or lower SEARCH_TIMEOUT",
        )


def check_times(settings: Settings, *names: str) -> None:
    """Raise SettingsError for the first of the named settings that is bad."""
    for bad in bad_times(settings):
        if bad.name in names:
            raise SettingsError(f"{bad.name}: {bad.problem}: {bad.remedy}")
