"""Dead-letter stores: a folder, a bucket or a queue."""

from __future__ import annotations

from ...context import Context
from ...errors import SettingsError
from .bucket_store import DeadLetterBucket
from .dead_letter import ReadableDeadLetterStore, StoredDeadLetter
from .folder_store import DeadLetterFolder
from .queue_store import DeadLetterQueue

__all__ = [
    "DeadLetterBucket",
    "DeadLetterFolder",
    "DeadLetterQueue",
    "ReadableDeadLetterStore",
    "StoredDeadLetter",
    "make_dead_letter_store",
]


def make_dead_letter_store(context: Context) -> ReadableDeadLetterStore:
    """Return the store of the setting `dead_letters`: a folder, s3://BUCKET/PREFIX or sqs://QUEUE.

    Raises SettingsError for any other value.
    """
    where = context.settings.dead_letters
    kind, separator, place = where.partition("://")
    if not separator:
        return DeadLetterFolder(where)
    if kind == "s3" and place:
        return _bucket(context, place)
    if kind == "sqs" and place:
        large = context.settings.dead_letters_large
        if large and not large.startswith("s3://"):
            raise SettingsError(f"dead_letters_large must be s3://BUCKET/PREFIX, not {large!r}")
        return DeadLetterQueue(context, place, _bucket(context, large.removeprefix("s3://")) if large else None)
    raise SettingsError(f"dead_letters must be a folder, s3://BUCKET/PREFIX or sqs://QUEUE, not {where!r}")


def _bucket(context: Context, place: str) -> DeadLetterBucket:
    bucket, _, prefix = place.partition("/")
    return DeadLetterBucket(context, bucket, prefix)
