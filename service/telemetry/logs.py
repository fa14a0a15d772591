"""Log lines: events with fields; text on a terminal, JSON in a container or a Lambda.

INFO: work done. WARNING: nothing is lost, it is tried again. ERROR: a dead letter, or somebody is needed.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from datetime import UTC, datetime
from typing import Any, Final

from ..dispatch import Dispatched, Letter, Observer, Outcome
from ..records import ObjectRecord, TableRecord
from ..settings import Settings

_ROOT: Final = logging.getLogger(__package__.rpartition(".")[0])
_OWN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_MOST_REASONS: Final = 3
"""Reasons written out for a batch; the counts hold the rest."""

logger = logging.getLogger(__name__)


def set_up_logs(settings: Settings) -> None:
    """Sends the service's log lines to standard error, in the form that the settings name."""
    handler = logging.StreamHandler(sys.stderr)
    text = settings.log_format == "text" or (settings.log_format == "auto" and sys.stderr.isatty())
    handler.setFormatter(TextFormatter() if text else JsonFormatter())
    for old in list(_ROOT.handlers):
        _ROOT.removeHandler(old)
    _ROOT.addHandler(handler)
    _ROOT.setLevel(settings.log_level)
    _ROOT.propagate = False


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """What was given as `extra`."""
    return {name: value for name, value in vars(record).items() if name not in _OWN}


class TextFormatter(logging.Formatter):
    """`12:01:02 dispatched  source=table images  applied=3  ms=12`, for a person."""

    def format(self, record: logging.LogRecord) -> str:
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        level = "" if record.levelno == logging.INFO else f"{record.levelname} "
        fields = "  ".join(f"{name}={one_line(value)}" for name, value in fields_of(record).items())
        line = f"{clock} {level}{record.getMessage()}  {fields}".rstrip()
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonFormatter(logging.Formatter):
    """One JSON object a line, for a machine."""

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
    """Text that cannot break out of its line, whatever an item's key holds."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in str(value))


class LoggingObserver(Observer):
    """Tells of each batch in one line, and of what was rejected or has to come again."""

    def dispatched(self, done: Dispatched) -> None:
        source, report = done.source, done.report
        logger.info(
            "dispatched",
            extra={
                "source": source,
                "records": len(report.results),
                **report.counts(),
                "ms": round(done.seconds * 1000),
            },
        )
        for letter in done.letters:
            logger.error(
                "kept as a dead letter",
                extra={"route": letter.route, **subject_of(letter), "reason": letter.result.reason},
            )
        again = [r for r in report.results if r.outcome in (Outcome.RETRY, Outcome.BLOCKED)]
        for reason in list(dict.fromkeys(result.reason for result in again))[:_MOST_REASONS]:
            logger.warning("to be tried again", extra={"source": source, "reason": reason})

    def lost(self, source: str, shard: str, since: float, until: float) -> None:
        logger.error(
            "records lost: the stream no longer has them; what was written to the table within these times and not"
            " since may be missing or old in its indices: python -m service verify --repair --table mends that"
            " (on_gap=verify does by itself)",
            extra={"source": source, "shard": shard, "since": iso(since), "until": iso(until)},
        )

    def given_up(self, source: str, messages: int) -> None:
        logger.error(
            "messages have failed for the last time that their queue allows: its dead-letter queue has them;"
            " dead-letters redrive --queue delivers them again",
            extra={"source": source, "messages": messages},
        )

    def retrying(self, tasks: int, reason: str, pause: float) -> None:
        logger.warning("trying again", extra={"tasks": tasks, "reason": reason, "after": f"{pause:.1f} s"})


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def subject_of(letter: Letter) -> dict[str, str]:
    """What names the record of a letter."""
    record = letter.record
    if isinstance(record, ObjectRecord):
        return {"bucket": record.bucket, "key": record.key, "change": record.event}
    if isinstance(record, TableRecord):
        return {"table": record.table, "sequence": record.sequence_number, "change": record.event}
    return {"source": record.source, "identifier": record.identifier}
