"""Reproducible builds: the same commit gives the same bytes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from builds import Archives, make

OTHER = {"LC_ALL": "C", "TZ": "Pacific/Kiritimati", "PYTHONHASHSEED": "7"}


@pytest.fixture(scope="module")
def again(elsewhere: Path, tmp_path_factory) -> tuple[Archives, str]:
    """Repeat the builds in another folder, with another umask, locale, time zone and other file times."""
    out = tmp_path_factory.mktemp("again")
    told = make(elsewhere, out, "layer", "--python=here", **OTHER)
    told += make(elsewhere, out, "lambda", **OTHER)
    make(elsewhere, out, "wheel", **OTHER)
    return Archives(out), told


@pytest.mark.parametrize("part", ["layer", "function", "wheel", "source"])
def test_a_build_elsewhere_gives_the_same_bytes(here, again, part):
    assert getattr(again[0], part).read_bytes() == getattr(here, part).read_bytes()


def test_a_build_tells_name_sizes_and_digest(again):
    archives, told = again
    for archive in (archives.layer, archives.function):
        (line,) = [line for line in told.splitlines() if archive.name in line]
        assert f"{archive.stat().st_size} bytes" in line
        assert hashlib.sha256(archive.read_bytes()).hexdigest() in line
