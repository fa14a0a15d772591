"""Declarations of the contents of each queue. Any other message in a queue becomes a dead letter.

Every sender with access to a queue can change the index. So each queue declares its contents: notifications of
some buckets, stream records of some tables (EventBridge Pipes), or backfill tasks (docs/security.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from ..errors import SettingsError
from ..model import ObjectRecord, Record, TableRecord
from ..model.backfill_task import ONLY_ITS_QUEUE, TaskRecord
from ..model.undecodable import Refused, Undecodable
from ..settings import Settings
from .logical_names import Names
from .patterns import is_plain, matches
from .router import Router
from .routes import BucketRoute

CONTENTS: Final = {"bucket": "notification", "table": "stream record"}
"""The contents that a queue can declare, by kind of name."""

_LONGEST: Final = 100  # characters of a name in an error text; the name comes from an untrusted message


def declared_queues(entries: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return the declared contents of each queue in the setting `read_queue`; () for the default contents.

    An entry is QUEUE, or QUEUE=KIND/NAME+KIND/NAME. KIND is bucket or table. Raises SettingsError for any other.
    """
    found: dict[str, tuple[str, ...]] = {}
    for entry in entries:
        queue, declares, text = entry.partition("=")
        contents = tuple(part.strip() for part in text.split("+")) if declares else ()
        for content in contents:
            kind, _, name = content.partition("/")
            if kind not in CONTENTS or not name:
                raise SettingsError(
                    f"read_queue: {entry!r} must have the form QUEUE, QUEUE=bucket/NAME or QUEUE=table/NAME."
                    " Separate several contents with +. For backfill tasks use the setting task_queue."
                )
        queue = queue.strip()
        found[queue] = found.get(queue, ()) + contents
    return found


@dataclass(frozen=True)
class Carried:
    """The accepted contents of a queue or topic: KIND/NAME, with an actual name or a pattern of logical names.

    `where` names the queue or topic in error texts.
    """

    where: str
    names: Names
    contents: Sequence[str] = ()
    tasks: str = ""
    """The queue's name if it is the task queue, else ""."""

    def judged(self, record: Record) -> Record:
        """Return the record if this queue accepts it, else a record that becomes a dead letter with the reason."""
        if isinstance(record, TaskRecord):
            return replace(record, queue=self.tasks) if self.tasks else replace(record, reason=self._why(record))
        if isinstance(record, Undecodable) or self.carries(*_content_of(record)):
            return record
        return Refused(record.raw, self._why(record), record.source, record.identifier)

    def carries(self, kind: str, actual: str) -> bool:
        """True if records of this bucket or table are accepted. `kind` is "bucket" or "table"."""
        logical = self.names.logical(kind, actual)
        for content in self.contents:
            of, _, name = content.partition("/")
            plain = is_plain(name)
            if of == kind and (name == actual if plain else logical is not None and matches(name, logical)):
                return True
        return False

    def _why(self, record: Record) -> str:
        carried = " and ".join(_words(*content.partition("/")[::2], "s") for content in self.contents)
        if self.tasks:
            carried = "backfill tasks"
        carried = carried or "nothing (no route of this process has a bucket)"
        start = f"not accepted: {self.where} carries {carried}, but this is"
        if isinstance(record, TaskRecord):
            return f"{start} a backfill task: {ONLY_ITS_QUEUE}"
        assert isinstance(record, TableRecord | ObjectRecord)
        kind, actual = _content_of(record)
        name = (self.names.logical(kind, actual) or actual)[:_LONGEST]
        remedy = f"If the queue should carry it, declare READ_QUEUE=QUEUE={kind}/{name}."
        if self.tasks:
            remedy = "If you sent it, send it to another queue."
        return (
            f"{start} a {_words(kind, actual)}. {remedy} Otherwise check the permissions to send to"
            f" {self.where} (docs/security.md)."
        )


class Queues:
    """The queues of a deployment, from its settings. Raises SettingsError if the task queue declares contents."""

    def __init__(self, settings: Settings, router: Router):
        self._names = names = router.names
        declared = declared_queues(settings.read_queue)
        self._uploads = _existing(names, [f"bucket/{one}" for one in _buckets(router)])
        self.tasks = names.existing("queue", settings.task_queue) if settings.task_queue else ""
        self._declared = {names.actual("queue", queue): contents for queue, contents in declared.items()}
        if self._declared.get(self.tasks):
            raise SettingsError(
                f"read_queue declares contents of {self.tasks}, but this is the task queue, which carries only"
                " backfill tasks. Use two queues."
            )
        self.read = list(dict.fromkeys([*self._declared, *filter(None, [self.tasks])]))
        """The actual names of the queues that the container reads."""

    def carried(self, queue: str) -> Carried:
        """Return the contents of a queue (actual name); by default notifications of the routes' buckets."""
        where = f"queue {queue}"
        if self.tasks and queue == self.tasks:
            return Carried(where, self._names, tasks=queue)
        contents = self._declared.get(queue, ())
        return Carried(where, self._names, _existing(self._names, contents) or self._uploads)

    def topic(self, name: str) -> Carried:
        """Return the contents of a topic that invokes a Lambda function: notifications of the routes' buckets."""
        return Carried(f"topic {name[:_LONGEST]}", self._names, self._uploads)

    def carrying(self, kind: str, actual: str) -> list[str]:
        """Return the actual names of the queues that accept records of a bucket or table."""
        return [queue for queue in self.read if self.carried(queue).carries(kind, actual)]

    def declared(self) -> Mapping[str, Sequence[str]]:
        """Return the declared contents of each queue that declares any, by actual names."""
        return {queue: _existing(self._names, contents) for queue, contents in self._declared.items() if contents}


def _buckets(router: Router) -> list[str]:
    routes = [bound.route for bound in router.bound]
    return list(dict.fromkeys(route.bucket for route in routes if isinstance(route, BucketRoute)))


def _existing(names: Names, contents: Iterable[str]) -> list[str]:
    """Return the contents with actual names. Patterns are kept, because they match logical names."""
    parts = [content.partition("/")[::2] for content in contents]
    return [f"{kind}/{names.existing(kind, name) if is_plain(name) else name}" for kind, name in parts]


def _content_of(record: TableRecord | ObjectRecord) -> tuple[str, str]:
    return ("table", record.table) if isinstance(record, TableRecord) else ("bucket", record.bucket)


def _words(kind: str, name: str, plural: str = "") -> str:
    return f"{CONTENTS[kind]}{plural} of {kind} {name[:_LONGEST]}"
