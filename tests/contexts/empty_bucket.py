"""An empty bucket: the object of every event is deleted."""

from __future__ import annotations

from service import Context

from .objects import bucket_with


def empty_bucket() -> Context:
    return bucket_with({})
