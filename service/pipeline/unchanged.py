"""Find the changes that leave the document as it was, for routes with `skip_unchanged`.

Such a change needs no write. Let j be the last change of an item whose document differs from the one before, or
the last INSERT or REMOVE. It is written, and its version lets it win over all earlier changes. The changes after j
have the document of j. So the index ends equal to the table, as if all of them were written.

This holds only for the delivered images. A re-read record has no old image, so it is always written.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..model import INSERT, MODIFY, Change, Item, TableRecord
from ..model.outcomes import UNCHANGED
from ..routing import Action, BoundRoute, Document, Index, TableRoute
from .delivery import Task
from .document_json import dump, text_of


def drop_unchanged(bound: BoundRoute, called: Iterable[tuple[Task, TableRecord]]) -> None:
    """Drop the writes of tasks whose record is unchanged, and set their result."""
    for task, record in called:
        if task.writes and is_unchanged(bound, record, task.writes[0].action):
            task.writes, task.results = (), [UNCHANGED]


def is_unchanged(bound: BoundRoute, record: Change, action: Action) -> bool:
    """True if the route skips the record: its old image was taken, too, and has the document of this action.

    If the route raises for the old image, the index may not have its document, so the record is not unchanged.
    """
    if not bound.skips or not isinstance(record, TableRecord) or record.event != MODIFY:
        return False
    assert isinstance(bound.route, TableRoute)
    try:
        old = record.read_old()
        if old is None or _text(bound.route.document(old)) != (
            text_of(action) if isinstance(action, Index) else None
        ):
            return False
        return _was_wanted(bound.route, record)
    except Exception:
        return False


def same_document(bound: BoundRoute, one: Item, other: Item) -> bool:
    """True if two items have the same document. False if the route raises."""
    make: Any = bound.route
    try:
        return _text(make.document(one)) == _text(make.document(other))
    except Exception:
        return False


def _text(document: Document | None) -> bytes | None:
    # JSON tells true from 1 and 1 from 1.0, which are equal in Python.
    return None if document is None else dump(document)


def _was_wanted(route: TableRoute, record: TableRecord) -> bool:
    """True if the route takes the old image, whichever change has made it."""
    if type(route).wants is TableRoute.wants:
        return True
    return all(route.wants(record.as_before(event)) for event in (INSERT, MODIFY))
