"""The sample application: search for uploaded images by title, description, caption and metadata.

The metadata of an upload becomes an item of the table `images`. Other programs may add a title, a description or
a caption to the item. The stream of the table keeps the index `images` in sync.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any, ClassVar

from service import (
    Action,
    BucketRoute,
    Context,
    DeleteItem,
    Document,
    Item,
    ObjectRecord,
    Reject,
    Skip,
    TableRoute,
    UpdateItem,
    setting,
)

if TYPE_CHECKING:
    from PIL.Image import Image

SAID = ("title", "description", "caption")
"""Attributes that describe an image, if they are text. Everything else is metadata."""

TERM_BYTES = 30_000
"""The largest attribute that is indexed. A term has at most 32,766 bytes, including the path before its value."""


class Images(TableRoute):
    """Items of the images table, searchable in the images index."""

    table: ClassVar = "images"
    key: ClassVar = {"id": "S"}
    index: ClassVar = "images"
    # One field holds all metadata, so two images cannot have conflicting types for one attribute. A value that is
    # too long for a term of that field is stored under `large` and not indexed.
    mapping: ClassVar = {
        "properties": {
            **{name: {"type": "text"} for name in SAID},
            "metadata": {"type": "flat_object"},
            "large": {"type": "object", "enabled": False},
        }
    }

    def document(self, item: Item) -> Document:
        """Return title, description and caption at the top level, and all other attributes under `metadata`.

        An attribute of more than TERM_BYTES goes under `large` instead.
        """
        said = {name: item[name] for name in SAID if isinstance(item.get(name), str)}
        metadata = attributes_of(item, leave_out={"id", *said})
        large = {name: value for name, value in metadata.items() if size_of(name, value) > TERM_BYTES}
        document: dict[str, Any] = {**said, "metadata": {n: v for n, v in metadata.items() if n not in large}}
        return document | ({"large": large} if large else {})


def attributes_of(item: Item, leave_out: Collection[str]) -> dict[str, Any]:
    """Return the members of the item's `metadata`, merged with its other attributes."""
    others = {
        name: value for name, value in item.items() if name not in leave_out and not name.startswith("_streamdex")
    }
    inner = others.get("metadata")
    if isinstance(inner, Mapping):
        del others["metadata"]
        return {**inner, **others}
    return others


def size_of(name: str, value: Any) -> int:
    """Return the approximate size of an attribute in bytes, which is never much below its size in JSON."""
    return len(f"{name}{value!r}".encode("utf-8", "replace"))


@dataclass(frozen=True)
class ImageUploads(BucketRoute):
    """Images uploaded to the bucket, written as items of the images table."""

    bucket: ClassVar = "images-in"
    writes: ClassVar = {"table": "images"}

    image_bytes: int = setting(50_000_000, "the size of the largest image that is read, in bytes", least=1)

    def created(self, upload: ObjectRecord, context: Context) -> Iterable[Action]:
        """Update the item, which keeps an existing title."""
        body, content_type = fetch(upload, context, self.image_bytes)
        metadata = {"size": len(body), "content_type": content_type, **describe(body)}
        return [UpdateItem({"id": upload.key, "metadata": metadata}, create=True)]

    def deleted(self, upload: ObjectRecord, context: Context) -> Iterable[Action]:
        return [DeleteItem({"id": upload.key})]


def fetch(upload: ObjectRecord, context: Context, most: int) -> tuple[bytes, str]:
    """Return an object's bytes and content type. Raises Skip if it no longer exists, Reject if it is too large."""
    s3 = context.s3
    try:
        answer = s3.get_object(Bucket=upload.bucket, Key=upload.key)
    except s3.exceptions.NoSuchKey as error:
        raise Skip("the object was deleted before it was read") from error
    with answer["Body"] as stream:
        if answer["ContentLength"] > most:
            raise Reject(f"the object has {answer['ContentLength']} bytes, more than image_bytes={most}")
        return stream.read(), answer.get("ContentType", "")


def describe(body: bytes) -> dict[str, Any]:
    """Return format, width and height in pixels, and EXIF data if any. Raises Reject if this is not an image."""
    try:
        from PIL import Image, UnidentifiedImageError
    except ModuleNotFoundError as error:
        raise Reject("Pillow, which reads images, is not installed: pip install 'streamdex[images]'") from error
    try:
        with Image.open(BytesIO(body)) as image:
            found = {"format": image.format, "width": image.width, "height": image.height}
            exif = exif_of(image)
    except UnidentifiedImageError as error:
        raise Reject("the object is not an image") from error
    except (Image.DecompressionBombError, OSError, SyntaxError, ValueError) as error:
        raise Reject(f"the object is not an image that Pillow can read: {error}") from error
    return found | ({"exif": exif} if exif else {})


def exif_of(image: Image) -> dict[str, str | int | float]:
    """Return the EXIF values by tag name, without binary values."""
    from PIL.ExifTags import IFD, TAGS

    exif = image.getexif()
    tags = dict(exif) | exif.get_ifd(IFD.Exif)
    offsets = set(IFD)  # offsets of EXIF sections in the file do not describe the image
    plain = {TAGS[tag]: plain_value(value) for tag, value in tags.items() if tag in TAGS and tag not in offsets}
    return {name: value for name, value in plain.items() if value is not None}


def plain_value(value: Any) -> str | int | float | None:
    """Return an EXIF value as text or a number; None if it is neither."""
    if isinstance(value, str):
        return value.strip("\0 ") or None
    if isinstance(value, int):
        return value
    if isinstance(value, bytes):
        return None
    try:
        number = float(value)  # Pillow's rationals
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return number if math.isfinite(number) else None
