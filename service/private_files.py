"""Folders and files that only their owner may read: checkpoints, dead letters, recordings, the SQLite database."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

STATE: Final = ".streamdex"
"""The default folder of the service's state, in the working directory."""

OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
"""The permission bits of the group and of other users."""


def make_folder(path: str | Path) -> None:
    """Create a folder and its missing parents with mode 0700. Raises OSError.

    An existing folder keeps its mode, because other users may share it on purpose. Only STATE is tightened.
    """
    folder = Path(path)
    for one in (*reversed(folder.parents), folder):
        if one.name == STATE or one == folder or not one.exists():
            one.mkdir(mode=0o700, exist_ok=True)
        if one.name == STATE:
            tighten(one)


def opener(path: str, flags: int) -> int:
    """Open a file for `open(…, opener=opener)` and give it mode 0600, new or existing. Raises OSError."""
    file = os.open(path, flags, 0o600)
    tighten(file)
    return file


def make_database(path: str | Path) -> None:
    """Create the file of a SQLite database with mode 0600, and its folder. Raises OSError.

    SQLite gives its journal and WAL files the same mode. An existing database is not opened, because closing it
    would release the locks that SQLite holds in this process.
    """
    make_folder(Path(path).parent)
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        for end in ("", "-wal", "-shm", "-journal"):
            if os.path.isfile(f"{path}{end}"):
                tighten(f"{path}{end}")


def tighten(file: int | str | Path) -> None:
    """Remove all permissions of the group and of other users.

    Files of other users, pipes and devices are left unchanged.
    """
    found = os.stat(file)
    regular = stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)
    if regular and found.st_mode & OTHERS and found.st_uid == os.geteuid():
        os.chmod(file, stat.S_IMODE(found.st_mode) & ~OTHERS)


def is_exposed(path: str | Path) -> bool:
    """True if the file or folder exists and other users of this machine may access it."""
    there = Path(path).absolute()
    return there.exists() and all(one.stat().st_mode & OTHERS for one in (there, *there.parents))
