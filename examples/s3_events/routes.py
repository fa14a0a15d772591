"""The route of all three wirings: objects of the bucket images-in become documents of an index."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from service import Action, BucketRoute, Context, Delete, Index, ObjectRecord


class Extracted(BucketRoute):
    """Key and size of each object, without reading the object."""

    bucket: ClassVar = "images-in"
    index: ClassVar = "extracted"
    mapping: ClassVar = {"properties": {"key": {"type": "keyword"}, "size": {"type": "long"}}}

    def created(self, upload: ObjectRecord, context: Context) -> Iterable[Action]:
        return [Index({"key": upload.key, "size": upload.size})]

    def deleted(self, upload: ObjectRecord, context: Context) -> Iterable[Action]:
        return [Delete()]
