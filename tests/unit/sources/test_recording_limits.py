"""The memory limits of recordings: they hold for any content and any compression ratio."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from builders import lambda_event, stream_record

from service.context import Context
from service.errors import SettingsError
from service.model import Record, Undecodable
from service.sources.files import decompression
from service.sources.files import json_lines as lines_module
from service.sources.files.json_lines import LARGEST
from service.sources.files.locations import Disk
from service.sources.files.recording import Recording, Recordings

RECORDS = [stream_record(new={"id": name}, sequence=str(n)) for n, name in enumerate("abc")]
LINES = [json.dumps(raw).encode() + b"\n" for raw in RECORDS]


def read(path: Path) -> list[Record]:
    return list(Recording(Disk().at(str(path))).records())


def shown(path: Path) -> list[str]:
    """Return the sequence number of each record, or the reason why it cannot be read."""
    return [one.reason if isinstance(one, Undecodable) else one.identifier for one in read(path)]


@contextmanager
def at_most(size: int) -> Iterator[None]:
    """Assert that Python's memory stays below `size` bytes during the block."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < size
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("text", "members"), [(b"x", 14), (b'{"Item": "', 3)])
def test_a_bomb_takes_bounded_memory_and_is_named(tmp_path, text, members):
    member = gzip.compress((text * LARGEST)[:LARGEST])
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(LINES[0]) + member * members)
    with at_most(4 * LARGEST):
        first, line, *rest = shown(tmp_path / "bomb.gz")
    assert first == "0"
    assert line == "bomb.gz:2: the line was skipped: it is longer than 16,777,216 bytes"
    if members == 14:
        (reason,) = rest
        assert "bomb.gz: the rest cannot be decompressed: it expands to more than 500 times its size" in reason


def test_a_file_of_ordinary_lines_is_no_bomb(tmp_path, monkeypatch):
    monkeypatch.setattr(decompression, "GROWTH", 1000)
    lines = b"".join(
        json.dumps(stream_record(new={"id": str(n), "text": "a b " * 500}, sequence=str(n))).encode() + b"\n"
        for n in range(1000)
    )
    (tmp_path / "r.jsonl.gz").write_bytes(gzip.compress(lines))
    assert len(lines) > 100 * (tmp_path / "r.jsonl.gz").stat().st_size
    assert len(read(tmp_path / "r.jsonl.gz")) == 1000


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> int:
    """Lower the limit of a line to 2,000 bytes, and return it."""
    monkeypatch.setattr(lines_module, "LARGEST", 2000)
    return 2000


@pytest.mark.parametrize("end", [b"\n", b""])
@pytest.mark.parametrize("place", [0, 1, 3])
def test_a_line_that_is_too_long_is_one_record_that_cannot_be_read(tmp_path, small, place, end):
    whole = [*LINES]
    whole.insert(place, b"x" * small * 3 + b"\n")
    (tmp_path / "r.jsonl").write_bytes(b"".join(whole).removesuffix(b"\n") + end)
    expected = ["0", "1", "2"]
    expected.insert(place, f"r.jsonl:{place + 1}: the line was skipped: it is longer than 2,000 bytes")
    assert shown(tmp_path / "r.jsonl") == expected
    assert [len(one.raw) for one in read(tmp_path / "r.jsonl") if isinstance(one, Undecodable)] == [1024]


@pytest.mark.parametrize(("size", "fits"), [(1999, True), (2000, True), (2001, False)])
def test_a_line_of_the_largest_size_is_read(tmp_path, small, size, fits):
    (tmp_path / "r.jsonl").write_bytes(LINES[0] + b"x" * (size - 1) + b"\n" + LINES[1])
    first, broken, last = shown(tmp_path / "r.jsonl")
    assert (first, last) == ("0", "1")
    assert ("not JSON" in broken) == fits


def test_a_broken_first_line_hides_no_others_where_the_file_is_larger_than_the_limit(tmp_path, small):
    (tmp_path / "r.jsonl").write_bytes(b"\n\n{broken\n" + b"".join(LINES) * 10)
    broken, *rest = shown(tmp_path / "r.jsonl")
    assert broken.startswith("r.jsonl:3: not JSON")
    assert rest == ["0", "1", "2"] * 10


def test_a_document_of_many_lines_that_is_too_large_is_one_record_that_cannot_be_read(tmp_path, small):
    text = json.dumps(lambda_event(*RECORDS * 10), indent=2)
    (tmp_path / "event.json").write_text(text)
    (reason,) = shown(tmp_path / "event.json")
    assert reason == (
        "event.json:1: larger than 2,000 bytes and not JSON lines: the rest of the file was not read"
    )


def manifest(folder: Path, files: bytes, summary: bytes = b'{"tableArn": "arn:aws:dynamodb:::table/t"}') -> Path:
    (folder / "manifest-summary.json").write_bytes(summary)
    (folder / "manifest-files.json").write_bytes(files)
    return folder / "manifest-summary.json"


@pytest.mark.parametrize("line", [b"[", b"{}", b"[]", b'{"dataFileS3Key": 7}', b"x" * 3000])
def test_a_manifest_that_names_no_files_is_an_error_with_its_line(tmp_path, small, line):
    where = manifest(tmp_path, b"\n" + line + b"\n")
    with pytest.raises(SettingsError, match=r"manifest-files\.json:2 "):
        list(Recordings([str(where)], Context()).read())


def test_a_manifest_that_is_a_bomb_takes_bounded_memory(tmp_path):
    for files, summary in ((b"", b" " * LARGEST * 3), (b'"' * LARGEST * 3, b"")):
        where = manifest(tmp_path, gzip.compress(files), *([gzip.compress(summary)] if summary else []))
        with at_most(4 * LARGEST), pytest.raises(SettingsError, match="16,777,216 bytes"):
            list(Recordings([str(where)], Context()).read())
