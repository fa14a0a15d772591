"""Dead letters in a folder, one file each."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from ...errors import Halt
from ...pipeline import DeadLetter
from ...private_files import make_folder
from .dead_letter import StoredDeadLetter, id_in, seal, unsealed


def now() -> datetime:
    return datetime.now(UTC)


class DeadLetterFolder:
    """A folder with one JSON file per dead letter, named by a digest of the record and its route."""

    def __init__(self, folder: str | Path, clock: Callable[[], datetime] = now):
        self._folder = Path(folder)
        self._clock = clock

    def store(self, letters: Sequence[DeadLetter]) -> None:
        try:
            make_folder(self._folder)
            for letter in letters:
                self._write(*seal(letter, self._clock()))
        except OSError as error:
            raise Halt(
                f"cannot store dead letters in {self._folder}: {error.strerror or error}."
                " Set STREAMDEX_DEAD_LETTERS to a writable folder"
            ) from error

    def read(self, prefix: str = "") -> Generator[StoredDeadLetter, None, None]:
        for path in sorted(self._folder.glob("*.json")):
            name = id_in(path.name, str(path))
            if name is not None and name.startswith(prefix) and (text := _read(path)) is not None:
                yield from unsealed(text, str(path), name)

    @contextmanager
    def claim(self, prefix: str = "") -> Iterator[Iterator[StoredDeadLetter]]:
        yield self.read(prefix)

    def remove(self, kept: StoredDeadLetter) -> None:
        self._path(kept.id).unlink(missing_ok=True)

    def count(self) -> int:
        return sum(1 for _ in self._folder.glob("*.json"))

    def _write(self, name: str, text: bytes) -> None:
        """Write to a temporary file and rename it, so that a killed process leaves no partial dead letter."""
        file, unfinished = tempfile.mkstemp(prefix=f".{name}.", dir=self._folder)
        try:
            with open(file, "wb") as opened:
                opened.write(text)
            os.replace(unfinished, self._path(name))
        except BaseException:
            os.unlink(unfinished)
            raise

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json"


def _read(path: Path) -> bytes | None:
    """Return the JSON of a dead letter; b"" for a link or a pipe; None if the file was removed."""
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return b""
        return path.read_bytes()
    except FileNotFoundError:
        return None
