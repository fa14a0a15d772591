"""Log lines: events with fields, as text on a terminal and as JSON in a container or a Lambda.

INFO: work done. WARNING: a failure that is retried; nothing is lost. ERROR: a dead letter, or a problem that the
operator must fix.

No line contains a secret or a value of an item, not even its key. A record is identified by table, shard and
sequence number, or by bucket and object key. The full reason of a failure is in the dead letter, and in the log at
DEBUG. An unexpected error is logged by its class and its position in the code. Its message is logged only at
DEBUG, or if the error ends the process.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final

from ..model import ObjectRecord, Record, TableRecord
from ..pipeline import Dispatched, Observer, Result, Task
from ..program import PROGRAM
from ..settings import Settings

_ROOT: Final = logging.getLogger(__package__.rpartition(".")[0])
_OWN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_REQUEST: Final = ContextVar("request_id", default="")
_MOST_REASONS: Final = 3
"""Reasons that are logged per batch, at most. The counts include all failures."""

logger = logging.getLogger(__name__)


def set_up_logs(settings: Settings) -> None:
    """Send the service's log lines to standard error, in the format of the settings."""
    handler = logging.StreamHandler(sys.stderr)
    text = settings.log_format == "text" or (settings.log_format == "auto" and sys.stderr.isatty())
    handler.setFormatter(TextFormatter() if text else JsonFormatter())
    handler.addFilter(_with_request)
    for old in list(_ROOT.handlers):
        _ROOT.removeHandler(old)
    _ROOT.addHandler(handler)
    _ROOT.setLevel(settings.log_level)
    _ROOT.propagate = False


@contextmanager
def request(request_id: str) -> Iterator[None]:
    """Add the request id of a Lambda invocation to each log line within the block."""
    token = _REQUEST.set(request_id)
    try:
        yield
    finally:
        _REQUEST.reset(token)


def _with_request(record: logging.LogRecord) -> bool:
    request_id = _REQUEST.get()
    if request_id:
        record.request_id = request_id
    return True


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """Return the fields that were passed as `extra`."""
    return {name: value for name, value in vars(record).items() if name not in _OWN}


class TextFormatter(logging.Formatter):
    """Format a line as text: `12:01:02 batch dispatched  source=table images  applied=3  ms=12`."""

    def format(self, record: logging.LogRecord) -> str:
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        level = "" if record.levelno == logging.INFO else f"{record.levelname} "
        fields = "  ".join(f"{name}={one_line(value)}" for name, value in fields_of(record).items())
        line = f"{clock} {level}{record.getMessage()}  {fields}".rstrip()
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonFormatter(logging.Formatter):
    """Format a line as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": round(record.created, 3),
            "level": record.levelname,
            "event": record.getMessage(),
            **fields_of(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def one_line(value: Any) -> str:
    """Return the value as text with control characters escaped, so that it cannot break the line."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in str(value))


class LoggingObserver(Observer):
    """Log each batch in one line, and log rejected records and retries."""

    def dispatched(self, done: Dispatched) -> None:
        source, report = done.source, done.report
        logger.info(
            "batch dispatched",
            extra={
                "source": source,
                **range_of(done.tasks),
                "records": len(report.results),
                **report.counts(),
                "ms": round(done.seconds * 1000),
            },
        )
        for letter in done.letters:
            extra = {"route": letter.route, **subject_of(letter.record), "reason": reason_of(letter.result)}
            logger.error("record moved to dead letters", extra=extra)
        if report.undone:
            for failure in failures_of([task for task in done.tasks if not task.result.outcome.done]):
                logger.warning("will be redelivered", extra={"source": source, **failure})

    def lost(self, source: str, shard: str, since: float, until: float) -> None:
        logger.error(
            "records lost: no stream of the table contains them. Items that were last written between these times"
            f" may be missing or stale in its indices. To repair, run {PROGRAM} verify --repair --table NAME"
            " (on_gap=verify repairs automatically)",
            extra={"source": source, "shard": shard, "since": iso(since), "until": iso(until)},
        )

    def index_missing(self, source: str, indices: Sequence[str]) -> None:
        logger.error(
            "an index was missing: the table's streams are re-read from their oldest record. Changes older than 24"
            f" hours are missing in the index. To load them, run {PROGRAM} backfill --table NAME (on_gap=verify"
            " loads them automatically)",
            extra={"source": source, "indices": ", ".join(indices)},
        )

    def given_up(self, source: str, messages: int) -> None:
        logger.error(
            "messages reached the maximum receive count of their queue and move to its dead-letter queue. To"
            f" redeliver them, run {PROGRAM} dead-letters redrive --queue NAME",
            extra={"source": source, "messages": messages},
        )

    def retrying(self, tasks: Sequence[Task], pause: float) -> None:
        first = failures_of(tasks)[0]
        logger.warning("retrying", extra={"tasks": len(tasks), **first, "after": f"{pause:.1f} s"})


def reason_of(result: Result) -> str:
    """Return the reason for the log: in full at DEBUG, otherwise a summary without values."""
    return result.reason if logger.isEnabledFor(logging.DEBUG) else result.summary


def failures_of(tasks: Sequence[Task]) -> list[dict[str, str]]:
    """Return the log fields of the first failed task of each reason, for at most _MOST_REASONS reasons."""
    first = {reason_of(task.result): task for task in reversed(tasks)}
    return [
        {"route": task.route, **subject_of(task.record), "reason": reason}
        for reason, task in list(reversed(first.items()))[:_MOST_REASONS]
    ]


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def range_of(tasks: Sequence[Task]) -> dict[str, str]:
    """Return the shard (if known) and the first and last sequence number of a batch; {} for a queue."""
    ends = (*tasks[:1], *tasks[-1:])
    known = [task.record for task in ends if isinstance(task.record, TableRecord) and task.record.ordered]
    if not known:
        return {}
    return {**_shard_of(known[0]), "first": known[0].sequence_number, "last": known[-1].sequence_number}


def subject_of(record: Record) -> dict[str, str]:
    """Return the log fields that identify a record."""
    if isinstance(record, ObjectRecord):
        return {"bucket": record.bucket, "key": record.key, "change": record.event}
    if isinstance(record, TableRecord):
        place = {"table": record.table, **_shard_of(record), "sequence": record.sequence_number}
        return {**place, "change": record.event}
    return {"source": record.source, "identifier": record.identifier}


def _shard_of(record: TableRecord) -> dict[str, str]:
    return {"shard": record.shard} if record.shard else {}
