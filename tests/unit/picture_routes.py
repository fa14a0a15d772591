"""Routes of the table and the bucket of images, and stream records of the items of that table."""

from __future__ import annotations

from typing import Any, ClassVar

from builders import stream_record

from service import BucketRoute, DeleteItem, Index, PutItem, Reject, Retry, Skip, TableRoute


class Items(TableRoute):
    table: ClassVar = "images"
    key: ClassVar = {"id": "S"}
    index: ClassVar = "items"

    def document(self, item):
        if item.get("hidden"):
            return None
        if "raise" in item:
            raise item["raise"] if isinstance(item["raise"], Exception) else ValueError("broken item")
        return {"title": item["title"]}


class Titles(TableRoute):
    table: ClassVar = "images"
    key: ClassVar = {"id": "S"}
    index: ClassVar = "titles"

    def insert(self, record, context):
        return [Index({"t": record.new["title"]})]

    def modify(self, record, context):
        return []


class Uploads(BucketRoute):
    bucket: ClassVar = "images-in"
    writes: ClassVar = {"table": "images"}

    def created(self, upload, context):
        if upload.key.startswith("retry"):
            raise Retry("not yet")
        if upload.key.startswith("skip"):
            raise Skip("gone")
        if upload.key.startswith("reject"):
            raise Reject("no image")
        yield PutItem({"id": upload.key})
        if upload.key.startswith("half"):
            raise RuntimeError("half-way")

    def deleted(self, upload, context):
        return [DeleteItem({"id": upload.key})]


def item(name: str, event: str = "INSERT", **rest: Any) -> dict[str, Any]:
    values = {"id": name, "title": "T", **rest}
    frame = {name: values.pop(name) for name in ("sequence", "created") if name in values}
    image = {"old": values} if event == "REMOVE" else {"new": values}
    return stream_record(event, **frame, **image)
