"""Folders and files that only their user may read: positions, dead letters, recordings, rows."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

STATE: Final = ".streamdex"
"""The folder that holds the state of a service, in its working directory, where no setting names another."""

OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
"""The permissions of everybody but the user."""


def make_folder(path: str | Path) -> None:
    """Create a folder that only its user may enter (mode 0700), and its missing parents alike. Raises OSError.

    A folder that exists keeps its mode, because others may use it on purpose. Only STATE is tightened.
    """
    folder = Path(path)
    for one in (*reversed(folder.parents), folder):
        if one.name == STATE or one == folder or not one.exists():
            one.mkdir(mode=0o700, exist_ok=True)
        if one.name == STATE:
            tighten(one)


def opener(path: str, flags: int) -> int:
    """An opener for `open`: the file has mode 0600, whether it is created or exists. Raises OSError."""
    file = os.open(path, flags, 0o600)
    tighten(file)
    return file


def make_database(path: str | Path) -> None:
    """Create the file of a SQLite database with mode 0600, and its folder. Raises OSError.

    SQLite gives its mode to the files beside it. An existing database is not opened: to close it would release the
    locks that SQLite holds in this process.
    """
    make_folder(Path(path).parent)
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        for end in ("", "-wal", "-shm", "-journal"):
            if os.path.isfile(f"{path}{end}"):
                tighten(f"{path}{end}")


def tighten(file: int | str | Path) -> None:
    """Take all permissions from everybody but the user. Other users' files, pipes and devices stay as they are."""
    found = os.stat(file)
    regular = stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)
    if regular and found.st_mode & OTHERS and found.st_uid == os.geteuid():
        os.chmod(file, stat.S_IMODE(found.st_mode) & ~OTHERS)


def is_exposed(path: str | Path) -> bool:
    """True for an existing file or folder that other users of this machine may reach."""
    there = Path(path).absolute()
    return there.exists() and all(one.stat().st_mode & OTHERS for one in (there, *there.parents))
