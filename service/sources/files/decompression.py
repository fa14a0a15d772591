"""Read the bytes of a recording, decompress them, and describe errors for the operator."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, Final, Protocol

from ...errors import SettingsError, StreamdexError, Unreachable
from ...model.outcomes import Outcome
from ...pipeline.error_outcomes import describe, result_of

BUFFER: Final = 256 * 1024
"""Read buffer size in bytes."""

RATIO: Final = 500
"""Maximum ratio of a file's size after and before decompression. JSON lines: 20 to 200; a bomb: about 1,030."""

GROWTH: Final = 64 * 1024 * 1024
"""Size in bytes that any decompressed file may reach, however small the compressed file is."""


class Bytes(Protocol):
    """The raw bytes of a file."""

    def read(self, most: int) -> bytes:
        """Return the next bytes, at most `most`; b"" at the end."""
        ...

    def close(self) -> object: ...


class _Raw(io.RawIOBase):
    """A raw stream for `Content`. `error` stays empty: read errors are raised."""

    def __init__(self, found: Bytes, where: str, on_progress: Callable[[int], None]):
        self.error = ""
        self.taken = 0
        self._found = found
        self._where = where
        self._on_progress = on_progress

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with reading(self._where):
            found = self._found.read(len(buffer))
        buffer[: len(found)] = found
        self.taken += len(found)
        self._on_progress(len(found))
        return len(found)

    def close(self) -> None:
        self._found.close()
        super().close()


class _Unpacked(io.RawIOBase):
    """Decompress a file. If it is broken, truncated or grows too large, the stream ends and sets `error`."""

    def __init__(self, packed: BinaryIO, raw: _Raw):
        self.error = ""
        self._packed = packed
        self._raw = raw
        self._given = 0
        self._file = gzip.GzipFile(fileobj=packed)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._given > GROWTH + RATIO * self._raw.taken:
            self.error = (
                f"it expands to more than {RATIO} times its size (limit for more than {GROWTH:,} bytes of content)"
            )
            return 0
        try:
            found = self._file.read1(len(buffer))
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            self.error = str(error)
            return 0
        buffer[: len(found)] = found
        self._given += len(found)
        return len(found)

    def close(self) -> None:
        self._file.close()
        self._packed.close()
        super().close()


def open_content(found: Bytes, where: str, on_progress: Callable[[int], None]) -> Content:
    """Return the content of a file, decompressed if it is gzip. `on_progress` gets the raw size of each read."""
    raw = _Raw(found, where, on_progress)
    content = Content(raw)
    return Content(_Unpacked(content, raw)) if content.peek(2)[:2] == b"\x1f\x8b" else content


class Content(io.BufferedReader):
    """The decompressed bytes of a file."""

    def __init__(self, raw: _Raw | _Unpacked):
        super().__init__(raw, BUFFER)
        self._from = raw

    @property
    def error(self) -> str:
        """The reason why the rest of the file could not be decompressed; "" without a failure."""
        return self._from.error


@contextmanager
def reading(where: str) -> Iterator[None]:
    """Add the name of the recording to errors.

    Raises SettingsError, Unreachable if a retry may succeed, and Halt.
    """
    try:
        yield
    except StreamdexError:
        raise
    except OSError as error:
        raise SettingsError(f"cannot read the recording {where}: {error.strerror or error}") from error
    except Exception as error:
        if result_of(error, f"reading the recording {where}").outcome is Outcome.RETRY:
            raise Unreachable(f"cannot read the recording {where}: {describe(error)}") from error
        raise SettingsError(f"cannot read the recording {where}: {describe(error)}") from error
