"""Locate the files of a recording: on disk, in S3, or on standard input. Each is read on demand."""

from __future__ import annotations

import io
import posixpath
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, cast

from ...context import Context
from ...errors import SettingsError
from .decompression import Bytes, Content, open_content, reading

PART: Final = 8 * 1024 * 1024
"""Bytes of one S3 range request."""

STANDARD_INPUT: Final = "-"


@dataclass(frozen=True)
class FileLocation:
    """One file: `path` in its store, `where` its full URI, `size` in bytes before decompression, if known."""

    path: str
    where: str
    size: int | None
    reader: Callable[[], Bytes]

    @property
    def name(self) -> str:
        return posixpath.basename(self.path)

    def open(self, on_progress: Callable[[int], None] = lambda more: None) -> Content:
        """Open the file, and decompress it if it is gzip. `on_progress` gets the number of raw bytes of each read.

        Raises SettingsError if the file cannot be read, Unreachable and Halt. So does reading from it.
        """
        with reading(self.where):
            found = self.reader()
        return open_content(found, self.where, on_progress)


class Store(Protocol):
    """A store of files by path."""

    def at(self, path: str) -> FileLocation | None:
        """Return the file with this path; None without one."""
        ...

    def below(self, path: str) -> Iterator[FileLocation]:
        """Yield all files in a folder and its subfolders, ordered by path."""
        ...


def store_of(where: str, context: Context) -> tuple[Store, str]:
    """Return the store of `s3://BUCKET/PATH` or of a local file or folder, and the path in it.

    Raises SettingsError for any other address.
    """
    kind, separator, rest = where.partition("://")
    if not separator:
        return Disk(), where
    bucket, _, key = rest.partition("/")
    if kind != "s3" or not bucket:
        raise SettingsError(f"a recording must be a file, a folder, s3://BUCKET/PATH or -, not {where!r}")
    return Bucket(context, bucket), key


class StandardInput:
    """Standard input of this process. It is never closed."""

    def read(self, most: int) -> bytes:
        return cast(io.BufferedReader, sys.stdin.buffer).read1(most)

    def close(self) -> None: ...


def standard_input() -> FileLocation:
    return FileLocation(STANDARD_INPUT, "standard input", None, StandardInput)


class Disk:
    """Files on this machine."""

    def at(self, path: str) -> FileLocation | None:
        found = Path(path)
        if found.is_dir() or not found.exists():
            return None
        size = found.stat().st_size if found.is_file() else None  # a pipe has no size
        return FileLocation(str(found), str(found), size, lambda: found.open("rb", buffering=0))

    def below(self, path: str) -> Iterator[FileLocation]:
        if not Path(path).is_dir():
            raise SettingsError(f"cannot read the recording {path}: the file or folder does not exist")
        for found in sorted(Path(path).rglob("*")):
            place = self.at(str(found))
            if place is not None:
                yield place


class Bucket:
    """Objects of a bucket."""

    def __init__(self, context: Context, bucket: str):
        self._context = context
        self._bucket = bucket

    def at(self, path: str) -> FileLocation | None:
        if not path or path.endswith("/"):
            return None
        from botocore.exceptions import ClientError

        where = self._where(path)
        with reading(where):
            try:
                found = self._context.s3.head_object(Bucket=self._bucket, Key=path)
            except ClientError as error:
                if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") == 404:
                    return None
                raise
        return self._place(path, found["ContentLength"], found["ETag"])

    def below(self, path: str) -> Iterator[FileLocation]:
        prefix = f"{path.rstrip('/')}/" if path.strip("/") else ""
        with reading(self._where(prefix)):
            pages = iter(
                self._context.s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
            )
        none = True
        while page := self._next(pages, prefix):
            for entry in page.get("Contents", []):
                none = False
                yield self._place(entry["Key"], entry["Size"], entry["ETag"])
        if none:
            raise SettingsError(f"cannot read the recording {self._where(path)}: no object has this key or prefix")

    def _next(self, pages: Iterator[Any], prefix: str) -> Any:
        with reading(self._where(prefix)):
            return next(pages, None)

    def _place(self, key: str, size: int, etag: str) -> FileLocation:
        """Return a file read by range requests: a connection that stays idle during processing would be closed."""

        def part(begin: int) -> bytes:
            end = min(begin + PART, size)
            span = f"bytes={begin}-{end - 1}"
            answer = self._context.s3.get_object(Bucket=self._bucket, Key=key, Range=span, IfMatch=etag)
            with answer["Body"] as body:
                text: bytes = body.read()
            return text

        return FileLocation(key, self._where(key), size, lambda: Parts(part, size))

    def _where(self, key: str) -> str:
        return f"s3://{self._bucket}/{key}"


class Parts:
    """Read an object in parts; `part` returns the bytes that begin at an offset."""

    def __init__(self, part: Callable[[int], bytes], size: int):
        self._part = part
        self._size = size
        self._at = 0
        self._rest = memoryview(b"")

    def read(self, most: int) -> bytes:
        if not self._rest and self._at < self._size:
            self._rest = memoryview(self._part(self._at))
            self._at += len(self._rest)
        found, self._rest = self._rest[:most], self._rest[most:]
        return bytes(found)

    def close(self) -> None: ...
