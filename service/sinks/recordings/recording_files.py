"""Append-only files of JSON lines."""

from __future__ import annotations

import gzip
import logging
import os
import stat
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Final

from ...errors import SettingsError
from ...private_files import make_folder, opener

logger = logging.getLogger(__name__)

_CHUNK: Final = 16 * 1024
_GZIP: Final = 31
"""The window size that selects a gzip member in zlib."""


class RecordingFile:
    """A file of lines, compressed if its name ends in .gz.

    A killed process leaves at most one incomplete line or, in a compressed file, one incomplete gzip member (a
    batch) at the end. The next process that opens the file repairs the end and continues there.
    """

    def __init__(self, path: Path):
        """Open or create the file. Raises OSError, and SettingsError if the file does not match its suffix."""
        self.path = path
        self._packed = path.suffix == ".gz"
        make_folder(path.parent)
        self._file = open(path, "ab", buffering=0, opener=opener)  # noqa: SIM115  # it stays open
        try:
            self._regular = stat.S_ISREG(os.fstat(self._file.fileno()).st_mode)
            if self._regular:
                self._mend()
            self.size = self._file.tell() if self._regular else 0
        except BaseException:
            self._file.close()
            raise

    def append(self, text: bytes) -> None:
        """Append whole lines: all of them or, if it raises OSError, none."""
        data = gzip.compress(text, mtime=0) if self._packed else text
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError:
            if self._regular:
                with suppress(OSError):  # a partial line is repaired when the file is opened again
                    self._file.truncate(self.size)
            raise
        self.size += len(data)

    def close(self) -> None:
        self._file.close()

    def _mend(self) -> None:
        """End the last line, or remove the last gzip member, if it is incomplete."""
        end = self._file.seek(0, os.SEEK_END)
        if self._packed:
            whole = whole_members(self.path)
            if whole < end:
                logger.warning(
                    "removed an incomplete batch from the end of a recording",
                    extra={"file": str(self.path), "bytes": end - whole},
                )
                self._file.truncate(whole)
                self._file.seek(0, os.SEEK_END)
        elif end and last_byte(self.path) != b"\n":
            self._file.write(b"\n")


def last_byte(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1)


def whole_members(path: Path) -> int:
    """Return the size in bytes of the complete gzip members of a file. Raises SettingsError if it is not gzip."""
    whole = position = 0
    member = zlib.decompressobj(_GZIP)
    with path.open("rb") as file:
        data = file.read(_CHUNK)
        if data and not data.startswith(b"\x1f\x8b"[: len(data)]):
            raise SettingsError(f"{path} is not a gzip file, although its name ends in .gz: use another file name")
        while data:
            try:
                member.decompress(data)
            except zlib.error:
                break
            rest = member.unused_data
            position += len(data) - len(rest)
            if member.eof:
                whole, member = position, zlib.decompressobj(_GZIP)
            data = rest or file.read(_CHUNK)
    return whole
