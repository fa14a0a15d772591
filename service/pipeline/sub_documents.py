"""Sub-documents: the documents that `documents_of` makes of one item.

A record writes the sub-documents of its item, and deletes those that were named before and are not any more: by
its old image or, if the current item is written, by any of its images. All carry one version, so each sub-document
ends as the newest record says that names it. A record that lacks an image also deletes what the index has.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from ..deadline import out_of_time
from ..errors import Reject
from ..model import INSERT, MODIFY, REMOVE, Item, TableRecord, Undecodable
from ..model.actions import SearchAction
from ..model.outcomes import OUT_OF_TIME, UNCHANGED
from ..routing import BoundRoute, Delete, Document, Index, TableRoute
from ..routing.document_ids import PARENT, sub_document_id
from .delivery import Task, Write
from .document_json import indexing, text_of
from .error_outcomes import result_of
from .matching import key_of, source_of

DELETE: Final = Delete()


def call_documents_of(bound: BoundRoute, tasks: Sequence[Task]) -> None:
    """Call `documents_of` for one item after the other. Each task then has writes or a result."""
    for task in tasks:
        record = task.seen
        if not isinstance(record, TableRecord):
            continue
        if out_of_time():
            task.results = [OUT_OF_TIME]
            continue
        try:
            named = names_of(bound, record)[0] if task.named is None else task.named
            task.writes = sub_writes(bound, record, named)
            if bound.skips and record is task.record and record.event == MODIFY and record.has_old:
                task.writes = changed_writes(bound, record, task.writes)
                task.results = [] if task.writes else [UNCHANGED]
        except Exception as error:
            where, about = f"{bound.name} {record.event} of {source_of(record)}", f", key {key_of(record)}"
            task.results = [result_of(error, where, about)]


def sub_writes(bound: BoundRoute, record: TableRecord, named: Collection[str]) -> list[Write]:
    """Return the writes of a record: its sub-documents, and the deletions of the other ids in `named`.

    Raises Reject for an answer of the route that cannot be used, and what the route raises.
    """
    place = bound.location(record)
    documents = {} if record.event == REMOVE else documents_of(bound, record.read_new())
    actions: dict[str, SearchAction] = {**_indexing(bound, record, documents)}
    actions |= dict.fromkeys(sorted(set(named) - actions.keys()), DELETE)
    return [
        Write(record, action, place.index, name, record.version, False, bound.pipeline, place.routing)
        for name, action in actions.items()
    ]


def changed_writes(bound: BoundRoute, record: TableRecord, writes: Sequence[Write]) -> Sequence[Write]:
    """Return the writes of a delivered record without the documents that its old image has, too.

    `unchanged` says why they are not needed. If the old documents cannot be made, all writes are returned.
    """
    try:
        before = _indexing(bound, record, documents_of(bound, record.read_old()))
        return [
            write
            for write in writes
            if not isinstance(write.action, Index)
            or write.id not in before
            or text_of(write.action) != text_of(before[write.id])
        ]
    except Exception:
        return writes


def _indexing(bound: BoundRoute, record: TableRecord, documents: Mapping[str, Document]) -> dict[str, Index]:
    """Return the actions for sub-documents by their ids."""
    parent, key = bound.document_id(record), bound.sub_document_key(record)
    return {
        sub_document_id(key, name): indexing({**document, PARENT: parent}) for name, document in documents.items()
    }


def documents_of(bound: BoundRoute, item: Item | None) -> Mapping[str, Document]:
    """Return the documents of an item by their sub-ids. Raises Reject if they cannot be used."""
    assert isinstance(bound.route, TableRoute)
    if item is None:
        raise Reject("the record has no new image, and its item could not be re-read")
    found = bound.route.documents_of(item)
    if not isinstance(found, Mapping):
        raise Reject(f"documents_of() returned {type(found).__name__}: return a mapping of sub-ids to documents")
    for name, document in found.items():
        if not isinstance(name, str) or not name:
            raise Reject(
                "documents_of() returned a sub-id that is empty or no text: return a text for each document"
            )
        if not isinstance(document, Mapping):
            raise Reject(f"documents_of() returned a document of type {type(document).__name__}: return a mapping")
        if PARENT in document:
            raise Reject(f"documents_of() returned a document with the field {PARENT}, which is reserved")
    return found


def names_of(bound: BoundRoute, record: TableRecord, current: bool = False) -> tuple[set[str], bool]:
    """Return the ids that the images of a delivered record name, and True if they are all that it can name.

    With `current`, the current item is written, so the new image counts, too. Raises DecodeError for a record with
    another key than the declared one.
    """
    key = bound.sub_document_key(record)
    names: set[str] = set()
    complete = record.event == INSERT or record.has_old
    images = [record.read_old, record.read_new] if current else [record.read_old]
    for number, read in enumerate(images):
        try:
            image = read()
            names |= {sub_document_id(key, name) for name in (documents_of(bound, image) if image else ())}
        except Exception:
            # What is not made of the new image is not written. Of the old image, the index may have documents.
            complete = complete and number > 0
    return names, complete


def names_by_item(tasks: Sequence[Task], wanted: Sequence[Task]) -> dict[tuple[str, Any], set[str]]:
    """Return the ids that the images of all records of a delivery name, for each item of the `wanted` tasks."""
    found: dict[tuple[str, Any], set[str]] = {item_of(task): set() for task in wanted}
    for task in tasks:
        item = item_of(task)
        if item in found and task.bound is not None and isinstance(task.record, TableRecord):
            found[item] |= names_of(task.bound, task.record, current=True)[0]
    return found


def item_of(task: Task) -> tuple[str, Any]:
    """Return the route and the item of a task, to find the tasks of one item."""
    return task.route, None if isinstance(task.record, Undecodable) else task.record.subject
