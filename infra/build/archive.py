"""Zip files that are the same bytes whenever, wherever and by whomever they are made."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

EPOCH: Final = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip file can say."""

READABLE: Final = 0o100644 << 16
"""A file that everybody may read, as Lambda asks for; nothing in a zip is run as a program."""

UNIX: Final = 3


def write_zip(path: Path, entries: Mapping[str, bytes]) -> Path:
    """A zip file with these contents by their names in it, sorted, without the times and modes of any disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(entries):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.create_system, entry.external_attr, entry.compress_type = UNIX, READABLE, zipfile.ZIP_DEFLATED
            archive.writestr(entry, entries[name])
    return path


def unzipped_bytes(path: Path) -> int | None:
    """What a zip file holds, in bytes; None for what is none."""
    if not zipfile.is_zipfile(path):
        return None
    with zipfile.ZipFile(path) as archive:
        return sum(entry.file_size for entry in archive.infolist())
