"""Add the lines of CSV objects as rows to a SQL table. A queue receives the notifications of the bucket.

The object is read as a stream, line by line, so memory does not grow with its size. Only the delimiter is special
in a line; quoting is not supported.
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
"""Bytes of one read."""

SAMPLE: Final = "INSERT INTO activity (person, action, minutes) VALUES (%s, %s, %s)"
"""The default statement. `make run` creates its table in the embedded database."""

_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", "0": "\0", "\\": "\\"}
_ESCAPE: Final = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|([nrt0\\]))")


@dataclass(frozen=True)
class CsvRows(BucketRoute):
    """Lines of the objects in the bucket raw-data, added to a SQL table once for each content of an object."""

    bucket: ClassVar = "raw-data"
    queue: ClassVar = "pending-worker"
    writes: ClassVar = {"database": "sql"}
    ignore: ClassVar = ("ObjectDeleted",)  # rows stay after their object is deleted

    delimiter: str = setting(",", r"the separator between the columns of a line, such as \t")
    newline: str = setting(r"\n", r"the end of a line, such as \r\n")
    insert_statement: str = setting(SAMPLE, "the SQL that adds a line: a %s for each column; %% is a percent sign")
    bad_rows: str = setting(
        "reject",
        "the handling of a bad line: reject the whole object, or keep the line in a dead letter and continue",
        choices=("reject", "keep"),
    )
    line_bytes: int = setting(1024 * 1024, "the length of the longest line that is read, in bytes", least=1)

    def __post_init__(self) -> None:
        if not self.delimiter or not self.newline:
            raise StreamdexError("CsvRows: delimiter and newline must each have at least one character")

    def created(self, upload: ObjectRecord, context: Context) -> Iterable[Action]:
        return [InsertRows(self.insert_statement, self.rows(upload, context), keep_bad=self.bad_rows == "keep")]

    def rows(self, upload: ObjectRecord, context: Context) -> Iterator[Row | BadRow]:
        """Yield the lines as rows. The first one opens the object. Raises Skip if its content no longer exists."""
        delimiter, encoding = unescaped(self.delimiter), "utf-8-sig"  # some programs write a byte order mark
        with contents(upload, context.s3) as stream:
            chunks = iter(lambda: stream.read(CHUNK), b"")
            for line in lines(chunks, unescaped(self.newline).encode(), self.line_bytes):
                try:
                    yield tuple(line.decode(encoding).split(delimiter))
                except UnicodeDecodeError as error:
                    yield BadRow(f"the line is not UTF-8: {error.reason} at byte {error.start + 1}")
                encoding = "utf-8"


def contents(upload: ObjectRecord, s3: Any) -> Any:
    """Return the object's bytes as a stream: of the event's version, or else of the content with its ETag.

    Raises Skip if that content no longer exists. A newer content has its own event.
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
            raise Skip("the object was deleted before it was read") from error
        if status == 412:
            raise Skip("the object was overwritten before it was read") from error
        raise


def lines(chunks: Iterable[bytes], newline: bytes, most: int) -> Iterator[bytes]:
    """Yield the lines of chunks of bytes. The last line may lack its newline.

    A newline or a character may span two chunks. Raises Reject for a line of more than `most` bytes.
    """
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(newline)
        yield from whole
        if len(rest) > most:
            raise Reject(f"a line has more than {most} bytes: check line_bytes and newline={newline!r}")
    if rest:
        yield rest


def unescaped(text: str) -> str:
    r"""Replace the escapes `\n`, `\r`, `\t`, `\0`, `\\` and `\x1f` in a setting by their characters."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else _ESCAPES[found[2]], text)
