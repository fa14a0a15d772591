"""Reproducible zip files: the same contents give the same bytes on every machine."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

EPOCH: Final = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip file can hold."""

READABLE: Final = 0o100644 << 16
"""The mode of a file that all users can read, as Lambda requires. No file of a zip is executed."""

UNIX: Final = 3


def write_zip(path: Path, entries: Mapping[str, bytes]) -> Path:
    """Write a zip file with these contents by name, sorted and with fixed times and modes; return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(entries):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.create_system, entry.external_attr, entry.compress_type = UNIX, READABLE, zipfile.ZIP_DEFLATED
            archive.writestr(entry, entries[name])
    return path


def unzipped_bytes(path: Path) -> int | None:
    """Return the unpacked size of a zip file in bytes; None if the file is not a zip."""
    if not zipfile.is_zipfile(path):
        return None
    with zipfile.ZipFile(path) as archive:
        return sum(entry.file_size for entry in archive.infolist())
