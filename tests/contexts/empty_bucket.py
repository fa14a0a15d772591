"""A bucket that holds nothing: whatever an event tells of is gone."""

from __future__ import annotations

from service import Context

from .objects import bucket_with


def empty_bucket() -> Context:
    return bucket_with({})
