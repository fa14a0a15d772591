"""The permissions of the service's files: only its user can read them."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from builders import stream_record
from fakes import records

from service.checkpoints.stores import TRIM_HORIZON, Checkpoint, SqliteCheckpoints
from service.clients.database import EMBEDDED, make_engine
from service.pipeline import DeadLetter, Outcome, Result
from service.private_files import STATE, is_exposed, make_database, make_folder, opener
from service.settings import Settings
from service.sinks.dead_letters import DeadLetterFolder
from service.sinks.recordings import RecordingFile


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def modes(folder: Path) -> set[tuple[str, int]]:
    """Return the kinds and modes of a folder and its content."""
    return {("folder" if path.is_dir() else "file", mode(path)) for path in (folder, *folder.rglob("*"))}


@pytest.fixture(autouse=True)
def wide_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Use a working directory and a umask with which others may read new files."""
    monkeypatch.chdir(tmp_path)
    before = os.umask(0)
    yield
    os.umask(before)


def write_state() -> None:
    """Write all files that a service keeps with default settings."""
    settings = Settings()
    positions = SqliteCheckpoints(settings.checkpoints, "group")
    positions.write("stream", "shard", Checkpoint(TRIM_HORIZON, 0.0), 0)
    (record,) = records(stream_record(new={"id": "a"}))
    DeadLetterFolder(settings.dead_letters).store([DeadLetter(record, "r", Result(Outcome.REJECTED, "bad"))])
    recording = RecordingFile(Path(STATE, "recordings", "r.jsonl"))
    recording.append(b"{}\n")
    with make_engine(settings).begin() as connection:
        connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS t (n INTEGER)")
    assert Path(f"{settings.checkpoints}-wal").exists()
    assert modes(Path(STATE)) == {("folder", 0o700), ("file", 0o600)}
    positions.close()
    recording.close()


def test_the_state_of_a_service_is_readable_by_its_user_alone():
    write_state()


def test_the_state_of_an_earlier_version_is_tightened():
    write_state()
    Path(STATE).chmod(0o777)
    for path in (*Path(STATE).glob("*.sqlite*"), *Path(STATE, "recordings").iterdir()):
        path.chmod(0o666)
    write_state()


def test_what_sqlite_left_beside_its_file_is_tightened(tmp_path):
    for end in ("", "-wal", "-shm", "-journal"):
        Path(f"c.sqlite{end}").touch(mode=0o666)
    make_database("c.sqlite")
    assert {mode(path) for path in tmp_path.iterdir()} == {0o600}


def test_a_folder_that_others_use_keeps_its_mode_and_new_ones_below_are_private(tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o755)
    make_folder(shared / "a" / "b")
    make_folder(shared)
    assert [mode(path) for path in (shared, shared / "a", shared / "a" / "b")] == [0o755, 0o700, 0o700]


def test_the_working_directory_keeps_its_mode(tmp_path):
    tmp_path.chmod(0o755)
    make_database("c.sqlite")
    assert mode(tmp_path) == 0o755


def test_a_file_in_the_way_of_a_folder_is_an_error(tmp_path):
    Path("f").write_text("")
    for path in ("f", "f/below"):
        with pytest.raises(OSError, match="f"):
            make_folder(path)


def test_a_database_of_the_user_that_exists_keeps_its_mode(tmp_path):
    (tmp_path / "mine.sqlite").touch(mode=0o660)
    make_engine(Settings(db_url=f"sqlite:///{tmp_path}/mine.sqlite")).connect().close()
    make_engine(Settings(db_url=f"sqlite:///{tmp_path}/new.sqlite")).connect().close()
    assert (mode(tmp_path / "mine.sqlite"), mode(tmp_path / "new.sqlite")) == (0o660, 0o600)
    assert EMBEDDED.startswith(STATE)


def test_a_device_keeps_its_mode():
    with open(os.devnull, "ab", buffering=0, opener=opener) as file:
        assert stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077


def test_a_folder_is_exposed_where_no_folder_above_it_is_private():
    folder = Path(tempfile.mkdtemp())
    try:
        (folder / "letters").mkdir(mode=0o755)
        assert not is_exposed(folder / "letters")
        folder.chmod(0o755)
        assert is_exposed(folder / "letters")
        (folder / "letters").chmod(0o700)
        assert not is_exposed(folder / "letters")
        assert not is_exposed(folder / "absent")
    finally:
        shutil.rmtree(folder)
