"""Dead letters in a folder, a file each."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from threading import get_ident

from ...dispatch import Letter
from ...errors import Halt
from .envelope import Kept, seal, unsealed


def now() -> datetime:
    return datetime.now(UTC)


class LetterFolder:
    """A folder with a JSON file for each letter, named by a digest of what failed where."""

    def __init__(self, folder: str | Path, clock: Callable[[], datetime] = now):
        self._folder = Path(folder)
        self._clock = clock

    def store(self, letters: Sequence[Letter]) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            for letter in letters:
                name, text = seal(letter, self._clock())
                # Renamed into place: a process that is killed leaves no half letter.
                unfinished = self._folder / f".{name}.{os.getpid()}.{get_ident()}"
                unfinished.write_bytes(text)
                unfinished.replace(self._folder / f"{name}.json")
        except OSError as error:
            raise Halt(
                f"dead letters cannot be kept in {self._folder}: {error.strerror or error};"
                " set STREAMDEX_DEAD_LETTERS to a folder that can be written"
            ) from error

    def letters(self, prefix: str = "") -> Generator[Kept, None, None]:
        for path in sorted(self._folder.glob("*.json")):
            if path.name.startswith(prefix) and (text := _read(path)) is not None:
                yield from unsealed(text, str(path))

    def remove(self, kept: Kept) -> None:
        (self._folder / f"{kept.id}.json").unlink(missing_ok=True)


def _read(path: Path) -> bytes | None:
    """A letter's JSON; None once somebody has removed it."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
