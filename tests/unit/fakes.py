"""Fakes of the interfaces that the dispatcher calls."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, ClassVar

from service.context import Context
from service.errors import Halt
from service.model import CREATED, Item, ObjectRecord, Record, Revision, TableRecord
from service.model.outcomes import APPLIED, DOCUMENT_CREATED, Outcome
from service.pipeline import (
    DeadLetter,
    Delivery,
    Dispatched,
    Dispatcher,
    Observer,
    Report,
    Result,
    Sinks,
    Task,
    Write,
)
from service.pipeline.delivery import Fence, no_fence
from service.pipeline.prefetch import Prefetch
from service.pipeline.rereads import Rereads
from service.retry_policy import RetryPolicy
from service.routing import (
    Action,
    BucketRoute,
    Delete,
    DeleteItem,
    Document,
    Index,
    PutItem,
    Route,
    Router,
    TableRoute,
)
from service.routing.document_ids import PARENT
from service.sources.envelopes import unwrap


class Items(TableRoute):
    """The default route of the tests."""

    table: ClassVar = "images"
    key: ClassVar = {"id": "S"}
    index: ClassVar = "items"

    def document(self, item: Item) -> Document:
        return {"n": item.get("n")}


class Files(BucketRoute):
    """A route for objects that writes a document for each object."""

    bucket: ClassVar = "images-in"
    index: ClassVar = "files"

    def created(self, upload: ObjectRecord, context: Context) -> list[Action]:
        return [Index({"key": upload.key})]

    def deleted(self, upload: ObjectRecord, context: Context) -> list[Action]:
        return [Delete()]


class Uploads(BucketRoute):
    """A route for objects that writes an item for each object."""

    bucket: ClassVar = "images-in"
    writes: ClassVar = {"table": "images"}

    def created(self, upload: ObjectRecord, context: Context) -> list[Action]:
        return [PutItem({"id": upload.key})]

    def deleted(self, upload: ObjectRecord, context: Context) -> list[Action]:
        return [DeleteItem({"id": upload.key})]


NOW = 1_700_000_060.0
"""One minute after the time of the stream records from `builders`."""


class IndexModel:
    """Documents and tombstones with OpenSearch's rules for external and external_gte.

    `forced` has results by document id, which are returned first.
    """

    def __init__(self, forced: Mapping[str, Sequence[Result]] | None = None):
        self.documents: dict[tuple[str, str], Any] = {}
        self.versions: dict[tuple[str, str], int] = {}
        self.sent: list[Write] = []
        self.forced = {name: list(results) for name, results in (forced or {}).items()}

    def write(
        self, writes: Sequence[Write], fence: Fence = no_fence, prefetch: Prefetch | None = None
    ) -> list[Result]:
        results = [self._write(write) for write in writes]
        if prefetch is not None:
            prefetch()
        return results

    def _write(self, write: Write) -> Result:
        self.sent.append(write)
        if self.forced.get(write.id):
            return self.forced[write.id].pop(0)
        place = (write.target, write.id)
        stored = self.versions.get(place, 0)
        tied = write.newer_only and place in self.versions and write.version == stored
        if write.version is not None and (write.version < stored or tied):
            return Result(Outcome.STALE, "newer", 409, stored)
        self.versions[place] = stored + 1 if write.version is None else write.version
        if isinstance(write.action, Index):
            created = place not in self.documents and not write.record.ordered
            self.documents[place] = dict(write.action.document)
            return DOCUMENT_CREATED if created else APPLIED
        self.documents.pop(place, None)
        return APPLIED


class Truth:
    """The current table and bucket: typed items by the text of their key, and the keys of objects."""

    def __init__(self, items: Mapping[str, Any] | None = None, objects: Collection[str] | None = None):
        self.table = dict(items or {})
        self.objects = None if objects is None else set(objects)
        self.contents: dict[str, Revision] = {}
        self.reads: list[list[str]] = []
        self.searches: list[list[tuple[str, str]]] = []
        self.error: Exception | None = None
        self.index: IndexModel | None = None

    def items(self, records: Sequence[TableRecord]) -> list[Any]:
        names = [str(next(iter(record.keys.values()))) for record in records]
        self.reads.append(names)
        if self.error:
            raise self.error
        return [self.table.get(name) for name in names]

    def sub_documents(self, places: Sequence[tuple[str, str]]) -> list[set[str]]:
        """Return the ids of the sub-documents that a search finds in `index`."""
        self.searches.append(list(places))
        found = self.index.documents if self.index else {}
        return [
            {name for (target, name), document in found.items() if (target, document[PARENT]) == place}
            for place in places
        ]

    def revision(self, upload: ObjectRecord) -> Revision | None:
        """Return the current revision. If `objects` is None, the object exists if the record created it."""
        self.reads.append([upload.key])
        if self.error:
            raise self.error
        there = upload.event == CREATED if self.objects is None else upload.key in self.objects
        return self.contents.get(upload.key, Revision(etag="now")) if there else None


class HeldLetters:
    """A dead-letter store in memory. With `broken`, it fails as if it were down."""

    def __init__(self, broken: bool = False):
        self.letters: list[DeadLetter] = []
        self._broken = broken

    def store(self, letters: Sequence[DeadLetter]) -> None:
        if self._broken:
            raise Halt("the store is down")
        self.letters += letters


class Silence(Observer):
    """An observer that collects the reports of batches."""

    def __init__(self) -> None:
        self.reports: list[Report] = []
        self.retries: list[str] = []
        self.reindexed_documents: list[tuple[str, int, bool]] = []

    def dispatched(self, done: Dispatched) -> None:
        self.reports.append(done.report)

    def reindexed(self, route: str, documents: int, queued: bool) -> None:
        self.reindexed_documents.append((route, documents, queued))

    def retrying(self, tasks: Sequence[Task], pause: float) -> None:
        self.retries.append(tasks[0].result.summary)


class Bench:
    """A dispatcher for some routes, with models of its sinks."""

    def __init__(
        self,
        *routes: Route,
        forced: Mapping[str, Sequence[Result]] | None = None,
        table: Any = None,
        rows: Any = None,
        broken_letters: bool = False,
        context: Context | None = None,
        tries: bool = False,
        truth: Truth | None = None,
        index: Any = None,
        clock: Callable[[], float] = lambda: NOW,
        hint_after: float = 1800.0,
        trusting: bool = False,
        always: bool = False,
    ):
        self.truth = truth or Truth()
        self.now = 0.0
        self.pauses: list[float] = []
        self.index = index or IndexModel(forced)
        self.table = table or IndexModel()
        self.rows = rows or IndexModel()
        self.letters = HeldLetters(broken_letters)
        self.observer = Silence()
        self.dispatcher = Dispatcher(
            Router(routes),
            sinks=Sinks(documents=self.index, items=self.table, rows=self.rows),
            letters=self.letters,
            observer=self.observer,
            context=context or Context(),
            rereads=Rereads(self.truth, hint_after, trusting, always, clock),
            retry_policy=RetryPolicy(
                most=tries and 1000.0, clock=self.clock, sleep=self.sleep, chance=lambda: 1.0
            ),
        )

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    def dispatch(self, *raws: Any) -> Report:
        return self.dispatcher.run(Delivery(records(*raws), "test"))

    def outcomes(self, *raws: Any) -> list[str]:
        return [result.outcome.name for result in self.dispatch(*raws).results]

    @property
    def documents(self) -> dict[str, Any]:
        return {name: document for (_, name), document in self.index.documents.items()}


class NoQueue(Exception):
    pass


class FakeQueue:
    """A fake of boto3's SQS client with one queue. The first receive returns all messages."""

    class exceptions:
        QueueDoesNotExist = NoQueue

    def __init__(
        self, *bodies: Any, groups: dict[int, str] | None = None, missing: bool = False, **attributes: str
    ):
        self.messages = [
            {
                "MessageId": f"m{n}",
                "ReceiptHandle": f"r{n}",
                "Body": body if isinstance(body, str) else json.dumps(body),
                "Attributes": attributes | ({"MessageGroupId": groups[n]} if groups else {}),
            }
            for n, body in enumerate(bodies)
        ]
        self.deleted: list[str] = []
        self.trouble: list[Exception] = []
        self.undeletable = False
        self.put_off: list[tuple[str, int]] = []
        self.unmovable: list[Any] = []
        self._missing = missing
        self.attributes = {"VisibilityTimeout": "30"}

    def get_queue_url(self, QueueName: str) -> Any:
        if self._missing:
            raise NoQueue
        return {"QueueUrl": f"http://x/{QueueName}"}

    def get_queue_attributes(self, QueueUrl: str, AttributeNames: list[str]) -> Any:
        return {"Attributes": {name: self.attributes[name] for name in AttributeNames if name in self.attributes}}

    def change_message_visibility_batch(self, QueueUrl: str, Entries: list[dict[str, Any]]) -> Any:
        self.put_off += [(entry["ReceiptHandle"], entry["VisibilityTimeout"]) for entry in Entries]
        return {"Failed": self.unmovable}

    def receive_message(self, **arguments: Any) -> Any:
        if self.trouble:
            raise self.trouble.pop(0)
        taken, self.messages = self.messages, []
        return {"Messages": taken} if taken else {}

    def delete_message_batch(self, QueueUrl: str, Entries: list[dict[str, str]]) -> Any:
        if self.undeletable:
            return {"Failed": Entries}
        self.deleted += [entry["ReceiptHandle"] for entry in Entries]
        return {}


def records(*raws: Any) -> list[Record]:
    return list(unwrap(list(raws)))


def raising(error: BaseException) -> Callable[..., Any]:
    """Return a function that accepts any arguments and raises `error`."""

    def call(*_: Any, **__: Any) -> Any:
        raise error

    return call
