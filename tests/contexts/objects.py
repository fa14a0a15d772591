"""A bucket with objects and their versions."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

from botocore.exceptions import ClientError
from botocore.response import StreamingBody

from service import Context

STORED = datetime(2026, 11, 22, tzinfo=UTC)
"""The LastModified time of every object."""


class Objects:
    """A fake of boto3's S3 client with content by key, or by (key, version).

    `asked` has the arguments of each request. One read of a body returns at most `piece` bytes.
    """

    def __init__(self, contents: dict[Any, bytes], piece: int = 1 << 30):
        self.contents = contents
        self.asked: list[dict[str, str]] = []
        self.opened: list[StreamingBody] = []
        self._piece = piece

    def head_object(self, **wanted: str) -> dict[str, Any]:
        content = self._find(wanted)
        return {"ETag": f'"{etag_of(content)}"', "ContentLength": len(content), "LastModified": STORED}

    def get_object(self, **wanted: str) -> dict[str, Any]:
        content = self._find(wanted)
        if wanted.get("IfMatch", f'"{etag_of(content)}"') != f'"{etag_of(content)}"':
            raise refusal("PreconditionFailed", 412)
        body = StreamingBody(Pieces(content, self._piece), len(content))
        self.opened.append(body)
        return {"Body": body, "ContentLength": len(content), "ETag": f'"{etag_of(content)}"'}

    def _find(self, wanted: dict[str, str]) -> bytes:
        self.asked.append(wanted)
        place = (wanted["Key"], wanted["VersionId"]) if "VersionId" in wanted else wanted["Key"]
        if place not in self.contents:
            raise refusal("NoSuchKey", 404)
        return self.contents[place]


class Pieces(BytesIO):
    """A stream that returns fewer bytes than requested, as a connection does."""

    def __init__(self, content: bytes, piece: int):
        super().__init__(content)
        self._piece = piece

    def read(self, size: int | None = -1) -> bytes:
        return super().read(self._piece if size is None or size < 0 else min(size, self._piece))


def etag_of(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def refusal(code: str, status: int) -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "GetObject")


def bucket_with(contents: dict[Any, bytes], piece: int = 1 << 30) -> Context:
    return Context(s3=Objects(contents, piece))
