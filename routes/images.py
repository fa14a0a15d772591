"""The sample application: images dropped in a bucket can be found by what is said of them.

An upload's metadata becomes an item of the table `images`, which other programs may give a title, a
description or a caption; the table's stream keeps the index `images` in step.
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
"""What people say of an image, if it is text; everything else is metadata."""

TERM_BYTES = 30_000
"""A term of an index has 32,766 bytes at most, the path in front of its value included."""


class Images(TableRoute):
    """Items of the images table, searchable in the images index."""

    table: ClassVar = "images"
    key: ClassVar = {"id": "S"}
    index: ClassVar = "images"
    # One field for all metadata, whatever it holds: no two images can disagree about its types. What is too
    # long for a term of that field is stored beside it and not searched.
    mapping: ClassVar = {
        "properties": {
            **{name: {"type": "text"} for name in SAID},
            "metadata": {"type": "flat_object"},
            "large": {"type": "object", "enabled": False},
        }
    }

    def document(self, item: Item) -> Document:
        """Title, description and caption on top; under `metadata` its attributes and all others.

        An attribute that is over TERM_BYTES stands under `large` instead.
        """
        said = {name: item[name] for name in SAID if isinstance(item.get(name), str)}
        metadata = attributes_of(item, leave_out={"id", *said})
        large = {name: value for name, value in metadata.items() if size_of(name, value) > TERM_BYTES}
        document: dict[str, Any] = {**said, "metadata": {n: v for n, v in metadata.items() if n not in large}}
        return document | ({"large": large} if large else {})


def attributes_of(item: Item, leave_out: Collection[str]) -> dict[str, Any]:
    """What the item's `metadata` holds, and its other attributes beside that."""
    others = {
        name: value for name, value in item.items() if name not in leave_out and not name.startswith("_streamdex")
    }
    inner = others.get("metadata")
    if isinstance(inner, Mapping):
        del others["metadata"]
        return {**inner, **others}
    return others


def size_of(name: str, value: Any) -> int:
    """The bytes of an attribute when written down; never fewer than it has in JSON by much."""
    return len(f"{name}{value!r}".encode("utf-8", "replace"))


@dataclass(frozen=True)
class ImageUploads(BucketRoute):
    """Images dropped in the bucket become items of the images table."""

    bucket: ClassVar = "images-in"
    writes: ClassVar = {"table": "images"}

    image_bytes: int = setting(50_000_000, "the largest image that is read, in bytes", least=1)

    def created(self, upload: ObjectRecord, context: Context) -> Iterable[Action]:
        """Updates the item, so that a title that is there already stays."""
        body, content_type = fetch(upload, context, self.image_bytes)
        metadata = {"size": len(body), "content_type": content_type, **describe(body)}
        return [UpdateItem({"id": upload.key, "metadata": metadata}, create=True)]

    def deleted(self, upload: ObjectRecord, context: Context) -> Iterable[Action]:
        return [DeleteItem({"id": upload.key})]


def fetch(upload: ObjectRecord, context: Context, most: int) -> tuple[bytes, str]:
    """An object's bytes and content type. Raises Skip for one that is gone, Reject for one that is too large."""
    s3 = context.s3
    try:
        answer = s3.get_object(Bucket=upload.bucket, Key=upload.key)
    except s3.exceptions.NoSuchKey as error:
        raise Skip("gone before it was read") from error
    with answer["Body"] as stream:
        if answer["ContentLength"] > most:
            raise Reject(f"{answer['ContentLength']} bytes: more than image_bytes={most}")
        return stream.read(), answer.get("ContentType", "")


def describe(body: bytes) -> dict[str, Any]:
    """Format, width and height in pixels, and EXIF where there is some. Raises Reject for what is no image."""
    try:
        from PIL import Image, UnidentifiedImageError
    except ModuleNotFoundError as error:
        raise Reject("images are read with Pillow: pip install 'streamdex[images]'") from error
    try:
        with Image.open(BytesIO(body)) as image:
            found = {"format": image.format, "width": image.width, "height": image.height}
            exif = exif_of(image)
    except UnidentifiedImageError as error:
        raise Reject("not an image") from error
    except (Image.DecompressionBombError, OSError, SyntaxError, ValueError) as error:
        raise Reject(f"not an image that can be read: {error}") from error
    return found | ({"exif": exif} if exif else {})


def exif_of(image: Image) -> dict[str, str | int | float]:
    """EXIF by the names of its tags; binary ones are left out."""
    from PIL.ExifTags import IFD, TAGS

    exif = image.getexif()
    tags = dict(exif) | exif.get_ifd(IFD.Exif)
    offsets = set(IFD)  # where the file holds its parts says nothing of the image
    plain = {TAGS[tag]: plain_value(value) for tag, value in tags.items() if tag in TAGS and tag not in offsets}
    return {name: value for name, value in plain.items() if value is not None}


def plain_value(value: Any) -> str | int | float | None:
    """An EXIF value as text or a number; None for one that is neither."""
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
