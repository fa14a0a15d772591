"""Files of recordings: each batch is appended whole, and a kill or a full disk costs no other batch."""

from __future__ import annotations

import base64
import gzip
import os
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from recording_contents import contents

from service.errors import SettingsError
from service.sinks.recordings import RecordingFile
from service.sinks.recordings.recording_files import whole_members


@pytest.fixture(params=["r.jsonl", "r.jsonl.gz"])
def path(request, tmp_path) -> Path:
    return tmp_path / "made" / request.param


def test_a_second_run_adds_to_the_first(path):
    for text in (b"1\n2\n", b"3\n"):
        file = RecordingFile(path)
        file.append(text)
        assert file.size == path.stat().st_size
        file.close()
    assert contents(path) == b"1\n2\n3\n"


def test_after_a_kill_at_any_byte_the_next_run_loses_no_line_that_was_whole_and_none_of_its_own(tmp_path):
    lines = [b'{"n": %d, "x": "%s"}\n' % (n, base64.b64encode(os.urandom(20))) for n in range(3)]
    whole = b"".join(lines)
    for end in range(len(whole)):
        path = tmp_path / f"{end}.jsonl"
        path.write_bytes(whole[:end])
        file = RecordingFile(path)
        file.append(b"later\n")
        file.close()
        found = path.read_bytes().splitlines(keepends=True)
        assert found[-1] == b"later\n"
        assert found[:-1][: whole[:end].count(b"\n")] == lines[: whole[:end].count(b"\n")]


def test_after_a_kill_a_compressed_file_goes_on_after_its_last_whole_batch(tmp_path):
    batches = [b'{"n": %d, "x": "%s"}\n' % (n, base64.b64encode(os.urandom(20))) for n in range(3)]
    members = [gzip.compress(batch, mtime=0) for batch in batches]
    whole = b"".join(members)
    ends = [sum(map(len, members[:n])) for n in range(4)]
    for end in range(len(whole) + 1):
        path = tmp_path / f"{end}.jsonl.gz"
        path.write_bytes(whole[:end])
        file = RecordingFile(path)
        file.append(b"later\n")
        file.close()
        kept = max(n for n in range(4) if ends[n] <= end)
        assert gzip.decompress(path.read_bytes()) == b"".join([*batches[:kept], b"later\n"])


def test_whole_members_are_found_in_a_file_of_any_size(tmp_path):
    path = tmp_path / "large.gz"
    first, second = gzip.compress(os.urandom(100_000)), gzip.compress(b"x" * 5_000_000)
    path.write_bytes(first + second + first[:50_000])
    assert whole_members(path) == len(first) + len(second)


def test_a_file_that_is_not_compressed_as_its_name_says_is_left_as_it_is(tmp_path):
    path = tmp_path / "notes.gz"
    path.write_bytes(b"notes\n")
    with pytest.raises(SettingsError, match="not a gzip file"):
        RecordingFile(path)
    assert path.read_bytes() == b"notes\n"


def test_what_is_written_in_part_because_the_disk_is_full_is_not_there(path, monkeypatch):
    file = RecordingFile(path)
    file.append(b"1\n")
    real = file._file

    class Full:
        def write(self, data: Any) -> int:
            if len(data) < 5:
                raise OSError(28, "No space left on device")
            return real.write(data[:4])

        truncate = real.truncate

    monkeypatch.setattr(file, "_file", Full())
    with pytest.raises(OSError, match="No space"):
        file.append(b"second\n")
    monkeypatch.setattr(file, "_file", real)
    file.append(b"3\n")
    file.close()
    assert contents(path) == b"1\n3\n"


def test_a_pipe_can_be_recorded_to(tmp_path):
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    file = RecordingFile(pipe)
    file.append(b"1\n")
    file.close()
    reader.join()
    assert got == [b"1\n"]
