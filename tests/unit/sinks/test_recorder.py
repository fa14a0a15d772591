"""The container's recorder: it records each dispatched record once, and never fails or changes a batch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from builders import stream_record
from fakes import Bench, Items
from recording_contents import NO_MASKS, contents

from service.model.outcomes import APPLIED
from service.pipeline import Dispatched, Outcome, Report, Result, Task
from service.settings import Settings
from service.settings.options import options_of
from service.sinks.recordings import Recorder
from service.sinks.recordings import recorder as recorder_module
from service.sources.envelopes import unwrap


def recording_to(where: Any, **options: Any) -> Settings:
    return Settings(record_to=str(where), **options)


def dispatched(*numbers: int, undone: Sequence[int] = ()) -> Dispatched:
    """Return a batch with one record per number, each on two routes."""
    records = [next(iter(unwrap(stream_record(new={"id": str(n)}, sequence=str(n))))) for n in numbers]
    results = [Result(Outcome.RETRY) if n in undone else APPLIED for n in numbers]
    tasks = [Task(place, record, None) for place, record in enumerate(records) for _ in range(2)]
    return Dispatched("table images", Report(results), tasks, [], 0.1)


def recorded(folder: Path) -> list[int]:
    """Return the numbers in all files of a folder, in the order of the file names."""
    text = b"".join(map(contents, sorted(folder.iterdir())))
    return [int(json.loads(line)["dynamodb"]["SequenceNumber"]) for line in text.splitlines()]


@pytest.mark.parametrize(
    ("where", "name"),
    [
        ("rec", "rec/records-00000001.jsonl"),
        ("rec/app.jsonl", "rec/app-00000001.jsonl"),
        ("rec/app.jsonl.gz", "rec/app-00000001.jsonl.gz"),
    ],
)
def test_what_is_dispatched_is_recorded_once_in_its_order(tmp_path, where, name):
    recorder = Recorder(recording_to(tmp_path / where), NO_MASKS)
    recorder.dispatched(dispatched(3, 1, 2))
    recorder.dispatched(dispatched(4))
    recorder.close()
    assert (tmp_path / name).exists()
    assert recorded(tmp_path / "rec") == [3, 1, 2, 4]


def test_what_comes_again_is_recorded_when_it_is_done(tmp_path):
    recorder = Recorder(recording_to(tmp_path), NO_MASKS)
    recorder.dispatched(dispatched(1, 2, 3, undone=[2, 3]))
    recorder.dispatched(dispatched(2, 3))
    recorder.close()
    assert recorded(tmp_path) == [1, 2, 3]


def test_a_file_that_is_full_is_followed_by_another_and_the_oldest_go(tmp_path):
    recorder = Recorder(recording_to(tmp_path, record_bytes=1024, record_files=3), NO_MASKS)
    for n in range(20):
        recorder.dispatched(dispatched(n))
    recorder.close()
    files = sorted(path.name for path in tmp_path.iterdir())
    assert len(files) == 3
    assert all(path.stat().st_size < 2048 for path in tmp_path.iterdir())
    found = recorded(tmp_path)
    assert found == list(range(found[0], 20))
    assert len(found) >= 5


def test_a_restart_goes_on_with_the_last_file(tmp_path):
    for n in range(2):
        recorder = Recorder(recording_to(tmp_path), NO_MASKS)
        recorder.dispatched(dispatched(n))
        recorder.close()
    assert recorded(tmp_path) == [0, 1]
    assert len(list(tmp_path.iterdir())) == 1


def test_files_of_others_in_the_folder_are_left_alone(tmp_path):
    for name in ("records-1.jsonl", "other-00000001.jsonl", "records-00000001.jsonl.old"):
        (tmp_path / name).write_text("mine")
    recorder = Recorder(recording_to(tmp_path, record_bytes=1024, record_files=1), NO_MASKS)
    for n in range(10):
        recorder.dispatched(dispatched(n))
    recorder.close()
    assert sum(path.read_text() == "mine" for path in tmp_path.iterdir()) == 3


def test_what_is_told_of_a_record_that_cannot_be_recorded_quotes_nothing_of_it(tmp_path, caplog, monkeypatch):
    def failing(records: Any, masks: Any) -> Any:
        raise ValueError("value-indigo")

    monkeypatch.setattr(recorder_module, "lines_of", failing)
    recorder = Recorder(recording_to(tmp_path), NO_MASKS)
    recorder.dispatched(dispatched(1))
    assert [record.reason for record in caplog.records] == ["ValueError"]


def test_a_recording_that_cannot_be_written_stops_nothing_and_is_told_once(tmp_path, caplog):
    folder = tmp_path / "rec"
    folder.write_text("a file stands in the way")
    recorder = Recorder(recording_to(folder), NO_MASKS)
    for n in range(3):
        recorder.dispatched(dispatched(n))
    folder.unlink()
    recorder.dispatched(dispatched(3))
    recorder.close()
    assert recorded(folder) == [3]
    assert recorder.missing == 3
    told = [(record.levelname, record.message, record.missing) for record in caplog.records]
    assert told == [("WARNING", "could not write recording", 1), ("WARNING", "recording incomplete", 3)]
    assert "File exists" in caplog.records[0].reason


def test_a_recorder_that_fails_does_not_change_the_outcome_of_a_batch(tmp_path):
    folder = tmp_path / "rec"
    folder.write_text("a file stands in the way")
    bench = Bench(Items())
    bench.dispatcher._observer = Recorder(recording_to(folder), NO_MASKS)
    assert bench.outcomes(stream_record(new={"id": "a"})) == ["APPLIED"]


def test_several_threads_record_without_mixing_their_lines(tmp_path):
    recorder = Recorder(recording_to(tmp_path, record_bytes=4096, record_files=1000), NO_MASKS)

    def work(first: int) -> None:
        for n in range(first, first + 50):
            recorder.dispatched(dispatched(n))

    threads = [Thread(target=work, args=(first,)) for first in (0, 100, 200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    recorder.close()
    found = recorded(tmp_path)
    for first in (0, 100, 200):
        assert [n for n in found if first <= n < first + 50] == list(range(first, first + 50))


def test_no_secret_of_the_settings_gets_into_a_recording(tmp_path):
    secrets = {option.name: f"hunter2-{option.name}" for option in options_of(Settings) if option.declared.secret}
    assert len(secrets) >= 4
    made = replace(recording_to(tmp_path), search_url="http://admin:hunter2-url@127.0.0.1:9200", **secrets)
    recorder = Recorder(made, NO_MASKS)
    recorder.dispatched(dispatched(1, 2))
    recorder.close()
    assert recorded(tmp_path) == [1, 2]
    assert b"hunter2" not in b"".join(map(contents, tmp_path.iterdir()))
