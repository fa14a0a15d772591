"""Check for settings that contradict each other or the limits of AWS and OpenSearch."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from ...bootstrap.time_settings import bad_times
from ...errors import SettingsError
from ...routing.patterns import is_plain
from .findings import NOTE, WARNING, Finding
from .patient import DoctorContext

UNITS: Final = {"nanos": 1e-9, "micros": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
"""Units of time in seconds ("Supported units", OpenSearch documentation)."""


def seconds_of(text: str) -> float:
    """Return an OpenSearch time such as 1h or 90s in seconds. Raises SettingsError if it is not one."""
    found = re.fullmatch(r"(\d+)\s*([a-z]+)", text.strip().lower())
    if found is None or found[2] not in UNITS:
        raise SettingsError(f"{text!r} is not a time such as 1h or 90s")
    return int(found[1]) * UNITS[found[2]]


def check_memory(patient: DoctorContext) -> Iterator[Finding]:
    """Check that indices remember deleted documents for longer than the service trusts a record (hint_after)."""
    settings = patient.settings
    try:
        remembered = seconds_of(settings.gc_deletes)
    except SettingsError as error:
        yield Finding("settings", "gc_deletes", str(error), "set STREAMDEX_GC_DELETES to a time such as 1h")
        return
    if settings.hint_after >= remembered:
        problem = (
            f"it is {settings.hint_after:g} s, but new indices forget deleted documents after"
            f" {settings.gc_deletes}: in between, a late record can restore a deleted document"
        )
        remedy = "set STREAMDEX_HINT_AFTER below STREAMDEX_GC_DELETES"
        yield Finding("settings", "hint_after", problem, remedy)


def check_times(patient: DoctorContext) -> Iterator[Finding]:
    settings = patient.settings
    for bad in bad_times(settings):
        yield Finding("settings", bad.name, bad.problem, bad.remedy)
    if settings.checkpoints.startswith("dynamodb://") and settings.search_timeout > settings.lease_time:
        yield Finding(
            "settings",
            "lease_time",
            f"it is {settings.lease_time:g} s, but one request may take {settings.search_timeout:g} s"
            " (search_timeout): it may still be running after another container has acquired the lease",
            "set STREAMDEX_LEASE_TIME to SEARCH_TIMEOUT or more",
            WARNING,
        )


def check_login(patient: DoctorContext) -> Iterator[Finding]:
    settings = patient.settings
    host = urlsplit(settings.search_url).hostname or ""
    if settings.search_auth == "basic" and not (settings.search_user and settings.search_password):
        problem = "it is basic, but SEARCH_USER or SEARCH_PASSWORD is not set"
        yield Finding("settings", "search_auth", problem, "set both, or change SEARCH_AUTH")
    if settings.search_auth == "none" and (settings.search_user or settings.search_password):
        problem = "it is none, so SEARCH_USER and SEARCH_PASSWORD are not used"
        yield Finding("settings", "search_auth", problem, "set SEARCH_AUTH=basic, or remove them", WARNING)
    service = "aoss" if ".aoss." in host else "es" if re.search(r"\.es\.amazonaws|\.aos\.", host) else ""
    if settings.search_auth == "sigv4" and service and service != settings.search_service:
        problem = f"it is {settings.search_service}, but {host} accepts only requests signed for {service}"
        yield Finding("settings", "search_service", problem, f"set SEARCH_SERVICE={service}")


def check_dead_letters(patient: DoctorContext) -> Iterator[Finding]:
    """Check that dead letters do not go to a queue that is read, and that large ones are stored whole."""
    settings = patient.settings
    kind, _, place = settings.dead_letters.partition("://")
    if kind == "sqs" and place in patient.queues:
        problem = (
            f"dead letters go to the queue {place}, which the service reads: it receives each of them at once"
        )
        yield Finding("settings", "dead_letters", problem, "set STREAMDEX_DEAD_LETTERS to another queue")
    if kind == "sqs" and not settings.dead_letters_large:
        problem = (
            "it is not set: a dead letter too large for a message (256 KiB) is reduced to its keys and reason"
        )
        remedy = "set STREAMDEX_DEAD_LETTERS_LARGE=s3://BUCKET/PREFIX"
        yield Finding("settings", "dead_letters_large", problem, remedy, WARNING)


def check_sources(patient: DoctorContext) -> Iterator[Finding]:
    """Check that each route's events have a queue, and that each queue's events have a route."""
    carrying = patient.declared.carrying
    buckets = [bucket for bucket in patient.buckets if not carrying("bucket", bucket)]
    if buckets:
        problem = f"it has no queue for the events of {', '.join(buckets)}: only a Lambda can receive them"
        remedy = "add the queue that the buckets notify to READ_QUEUE"
        yield Finding("settings", "read_queue", problem, remedy, NOTE)
    tables = [table for table in patient.tables if not carrying("table", table)]
    if tables and patient.settings.read_queue and not patient.settings.read_streams:
        problem = f"read_streams is false, and no queue is declared to carry the changes of {', '.join(tables)}"
        remedy = f"declare the queue that EventBridge Pipes write to: READ_QUEUE=QUEUE=table/{tables[0]}"
        yield Finding("settings", "read_queue", problem, remedy, NOTE)
    for queue, contents in patient.declared.declared().items():
        for content in contents:
            kind, _, name = content.partition("/")
            if is_plain(name) and not patient.router.listening_to(kind, name):
                problem = f"queue {queue} is declared to carry {content}, but no route listens to that {kind}"
                yield Finding("settings", "read_queue", problem, "correct READ_QUEUE, names or FUNC", WARNING)


def check_reindexes(patient: DoctorContext) -> Iterator[Finding]:
    """Report that a Lambda without a task queue cannot make any number of documents again."""
    settings = patient.settings
    names = [bound.name for bound in patient.router.bound if bound.reindexes]
    if names and not settings.task_queue:
        problem = (
            f"it is not set: in a Lambda, a record for which {', '.join(names)} names more than"
            f" {settings.reindex_inline} documents (reindex_inline) becomes a dead letter"
        )
        remedy = "set STREAMDEX_TASK_QUEUE for a Lambda; a container makes all of them without it"
        yield Finding("settings", "task_queue", problem, remedy, NOTE)
