"""The bytes of a file of a recording, decompressed, and what goes wrong with them said in words."""

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
"""Bytes."""

RATIO: Final = 500
"""The most that a compressed file may grow, in multiples. JSON lines grow 20 to 200 times, a bomb about 1,030."""

GROWTH: Final = 64 * 1024 * 1024
"""Bytes to which any compressed file may grow, however small it is."""


class Bytes(Protocol):
    """What lies in a file."""

    def read(self, most: int) -> bytes:
        """The next bytes, at most so many; none at the end."""
        ...

    def close(self) -> object: ...


class _Raw(io.RawIOBase):
    """What content is made on; `error` says, at its end, why the rest cannot be read."""

    def __init__(self, found: Bytes, where: str, told: Callable[[int], None]):
        self.error = ""
        self.taken = 0
        self._found = found
        self._where = where
        self._told = told

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with reading(self._where):
            found = self._found.read(len(buffer))
        buffer[: len(found)] = found
        self.taken += len(found)
        self._told(len(found))
        return len(found)

    def close(self) -> None:
        self._found.close()
        super().close()


class _Unpacked(io.RawIOBase):
    """Decompresses a file. One that is cut off or broken, or grows too much, ends where it does."""

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
            self.error = f"it grows to more than {RATIO} times its size (limit of a file over {GROWTH:,} bytes)"
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


def open_content(found: Bytes, where: str, told: Callable[[int], None]) -> Content:
    """The content of a file, decompressed if it is gzip. `told` gets how many more bytes of the file were read."""
    raw = _Raw(found, where, told)
    content = Content(raw)
    return Content(_Unpacked(content, raw)) if content.peek(2)[:2] == b"\x1f\x8b" else content


class Content(io.BufferedReader):
    """The bytes of a file."""

    def __init__(self, raw: _Raw | _Unpacked):
        super().__init__(raw, BUFFER)
        self._from = raw

    @property
    def error(self) -> str:
        """Why what comes after its end could not be decompressed; "" if nothing does."""
        return self._from.error


@contextmanager
def reading(where: str) -> Iterator[None]:
    """Names the recording in what goes wrong. Raises SettingsError, Unreachable where it may pass, and Halt."""
    try:
        yield
    except StreamdexError:
        raise
    except OSError as error:
        raise SettingsError(f"the recording {where} cannot be read: {error.strerror or error}") from error
    except Exception as error:
        if result_of(error, f"the recording {where}").outcome is Outcome.RETRY:
            raise Unreachable(f"the recording {where}: {describe(error)}") from error
        raise SettingsError(f"the recording {where} cannot be read: {describe(error)}") from error
