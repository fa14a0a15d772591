"""Rehearsals: replays that write nothing, with their findings and a search client that only reads."""

from __future__ import annotations

from typing import Any, ClassVar

from builders import stream_record
from fakes import Truth, records

from service.commands.replay.rehearsal import Actions, Differences, Finding, Rehearsal
from service.commands.replay.showing import words_of
from service.context import Context
from service.errors import Reject
from service.model import Item
from service.pipeline import Delivery, Dispatcher, Report, Sinks
from service.pipeline.rereads import Rereads
from service.retry_policy import RetryPolicy
from service.routing import BucketRoute, DeleteItem, Document, PutItem, Route, Router, TableRoute
from service.settings import Settings
from service.sources.current_state import Lookups


class Texts(TableRoute):
    """A route that indexes every attribute as a field."""

    table: ClassVar = "images"
    key: ClassVar = {"id": "S"}
    index: ClassVar = "texts"

    def document(self, item: Item) -> Document | None:
        if item.get("bad"):
            raise Reject("bad")
        return None if item.get("hidden") else {name: value for name, value in item.items() if name != "id"}


class Copies(BucketRoute):
    """A route that turns objects into items."""

    bucket: ClassVar = "images-in"
    writes: ClassVar = {"table": "copies"}

    def created(self, upload: Any, context: Any) -> list[Any]:
        return [PutItem({"id": upload.key, "wrong": object()} if upload.key == "wrong" else {"id": upload.key})]

    def deleted(self, upload: Any, context: Any) -> list[Any]:
        return [DeleteItem({"id": upload.key})]


class ReadOnly:
    """A search client that supports only `mget`. Any other call raises AttributeError."""

    def __init__(self, error: Exception | None = None):
        self.documents: dict[tuple[str, str], tuple[int, Any]] = {}
        self.asked: list[int] = []
        self.broken: Any = None
        self._error = error

    def put(self, name: str, version: int, document: Any) -> None:
        self.documents["texts", name] = (version, document)

    def mget(self, body: Any) -> Any:
        self.asked.append(len(body["docs"]))
        if self._error:
            raise self._error
        return {"docs": [self._one(wanted["_index"], wanted["_id"]) for wanted in body["docs"]]}

    def _one(self, index: str, name: str) -> Any:
        place = {"_index": index, "_id": name}
        if self.broken:
            return {**place, "error": {"type": self.broken, "reason": "so it is"}}
        if (index, name) not in self.documents:
            return {**place, "found": False}
        version, document = self.documents[index, name]
        return {**place, "found": True, "_version": version, **({} if document is None else {"_source": document})}


class Rehearsed:
    """A dispatcher that writes nothing, and its findings."""

    def __init__(
        self, *routes: Route, search: Any = None, always: bool = False, items: Any = None, **settings: Any
    ):
        """`items` is a DynamoDB client, from which the current state is read."""
        self.search = search
        self.found: list[Finding] = []
        context = Context(Settings(retry_time=0, **settings), search=search, dynamodb=items)
        self.truth: Any = Lookups(context) if items else Truth()
        self.rehearsal = Rehearsal(Differences(context) if search else Actions(context), self.found.append)
        self.dispatcher = Dispatcher(
            Router(routes or [Texts()]),
            sinks=Sinks(documents=self.rehearsal.search, items=self.rehearsal.table, rows=self.rehearsal.rows),
            letters=self.rehearsal,
            observer=self.rehearsal,
            context=context,
            rereads=Rereads(self.truth, 1800.0, trusting=True, always=always),
            retry_policy=RetryPolicy(most=0.0),
        )

    def dispatch(self, *raws: Any) -> Report:
        return self.dispatcher.run(Delivery(records(*raws), "test"))

    def lines(self, *raws: Any) -> list[str]:
        self.dispatch(*raws)
        return [line for finding in self.found for line in words_of(finding)]


def change(name: str, event: str = "MODIFY", at: int = 0, **more: Any) -> Any:
    """Return a change that is `at` seconds later than those of builders."""
    image = {"old" if event == "REMOVE" else "new": {"id": name, **more}}
    return stream_record(event, created=1_700_000_000 + at, sequence="0", **image)


def version(at: int = 0) -> int:
    return (1_700_000_000 - 1_325_376_000 + at) << 32
