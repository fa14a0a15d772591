"""Reproducible zip files, independent of the machine and the time."""

from __future__ import annotations

import zipfile

from infra.build.archive import unzipped_bytes, write_zip


def test_entries_are_sorted_readable_by_all_and_of_no_time(tmp_path):
    made = write_zip(tmp_path / "new" / "a.zip", {"b/x.py": b"1", "a.py": b"22", "B.py": b"333"})
    with zipfile.ZipFile(made) as archive:
        entries = archive.infolist()
    assert [entry.filename for entry in entries] == ["B.py", "a.py", "b/x.py"]
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {entry.external_attr >> 16 for entry in entries} == {0o100644}
    assert unzipped_bytes(made) == 6


def test_the_order_in_which_a_disk_lists_its_files_does_not_matter(tmp_path):
    one = write_zip(tmp_path / "one.zip", {"a": b"1", "b": b"2"})
    other = write_zip(tmp_path / "other.zip", {"b": b"2", "a": b"1"})
    assert one.read_bytes() == other.read_bytes()


def test_what_is_no_zip_file_has_no_size_unpacked(tmp_path):
    (tmp_path / "a.tar").write_bytes(b"x")
    assert unzipped_bytes(tmp_path / "a.tar") is None
