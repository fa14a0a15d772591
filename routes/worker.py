"""Lines of CSV objects become rows of a SQL table: a bucket, a queue that is told of it, and a database.

The object is read as a stream and its lines are rows one by one, so that memory does not grow with it. Nothing is
special in a line but the delimiter: there are no quotes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from service import (
    Action,
    BadRow,
    BucketRoute,
    Context,
    InsertRows,
    ObjectRecord,
    Reject,
    Row,
    Skip,
    StreamdexError,
    setting,
)

CHUNK: Final = 256 * 1024
"""Bytes that are read at once."""

SAMPLE: Final = "INSERT INTO activity (person, action, minutes) VALUES (%s, %s, %s)"
"""Into the table that `make run` makes in its own database."""

_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", "0": "\0", "\\": "\\"}
_ESCAPE: Final = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|([nrt0\\]))")


@dataclass(frozen=True)
class CsvRows(BucketRoute):
    """Lines of the objects in the bucket raw-data, added to a SQL table once for each content of an object."""

    bucket: ClassVar = "raw-data"
    queue: ClassVar = "pending-worker"
    writes: ClassVar = {"database": "sql"}
    ignore: ClassVar = ("ObjectDeleted",)  # rows stay, whatever becomes of the object

    delimiter: str = setting(",", r"between the columns of a line, such as \t")
    newline: str = setting(r"\n", r"at the end of a line, such as \r\n")
    insert_statement: str = setting(SAMPLE, "what adds a line: a %s for each column; %% is a percent sign")
    bad_rows: str = setting(
        "reject",
        "what a bad line does: reject the whole object, or keep the line aside, in the dead letter, and go on",
        choices=("reject", "keep"),
    )
    line_bytes: int = setting(1024 * 1024, "the longest line that is read, in bytes", least=1)

    def __post_init__(self) -> None:
        if not self.delimiter or not self.newline:
            raise StreamdexError("delimiter and newline of CsvRows are a character each, or more")

    def created(self, upload: ObjectRecord, context: Context) -> Iterable[Action]:
        return [InsertRows(self.insert_statement, self.rows(upload, context), keep_bad=self.bad_rows == "keep")]

    def rows(self, upload: ObjectRecord, context: Context) -> Iterator[Row | BadRow]:
        """The lines as rows; the object is asked for with the first. Raises Skip for content that is gone."""
        delimiter, encoding = unescaped(self.delimiter), "utf-8-sig"  # some programs begin with a byte order mark
        with contents(upload, context.s3) as stream:
            chunks = iter(lambda: stream.read(CHUNK), b"")
            for line in lines(chunks, unescaped(self.newline).encode(), self.line_bytes):
                try:
                    yield tuple(line.decode(encoding).split(delimiter))
                except UnicodeDecodeError as error:
                    yield BadRow(f"it is not UTF-8: {error.reason} at byte {error.start + 1}")
                encoding = "utf-8"


def contents(upload: ObjectRecord, s3: Any) -> Any:
    """The object's bytes as a stream: of the version that the event names, else of the content with its ETag.

    Raises Skip where that is gone: what is there instead has an event of its own.
    """
    from botocore.exceptions import ClientError

    wanted: dict[str, str] = {}
    if upload.version_id not in ("", "null"):
        wanted = {"VersionId": upload.version_id}
    elif upload.etag:
        wanted = {"IfMatch": f'"{upload.etag}"'}
    try:
        return s3.get_object(Bucket=upload.bucket, Key=upload.key, **wanted)["Body"]
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        if status == 404:
            raise Skip("gone before it was read") from error
        if status == 412:
            raise Skip("overwritten before it was read") from error
        raise


def lines(chunks: Iterable[bytes], newline: bytes, most: int) -> Iterator[bytes]:
    """The lines in chunks of bytes; the last may lack its newline.

    A newline, or a character, may lie across two chunks. Raises Reject for a line of more than `most` bytes.
    """
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(newline)
        yield from whole
        if len(rest) > most:
            raise Reject(f"a line of more than {most} bytes: is its end another than newline={newline!r}?")
    if rest:
        yield rest


def unescaped(text: str) -> str:
    r"""A setting in which `\n`, `\r`, `\t`, `\0`, `\\` and `\x1f` stand for a character."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else _ESCAPES[found[2]], text)
