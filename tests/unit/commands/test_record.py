"""The `record` command: it writes a stream to a file, and leaves the checkpoints of consumers unchanged."""

from __future__ import annotations

import json
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from stream_model import StreamModel

from service.checkpoints.stores import Checkpoint, NoCheckpoints, SqliteCheckpoints
from service.commands.record import record
from service.context import Context
from service.errors import Halt
from service.settings import Settings
from service.sinks.recordings import Masks, RecordingFile
from service.sources.dynamodb_streams import StreamSource
from service.sources.dynamodb_streams.idle_delay import GATHERING
from service.timing import Timing

NO_MASKS = Masks()


class Tapped:
    """The recording of a stream, which stops after 60 s of the model's clock."""

    def __init__(self, model: StreamModel, folder: Path, **settings: Any):
        self.model = model
        self.path = folder / "r.jsonl"
        self.stopping = Event()
        self._settings = settings
        self._until = model.now + 60

    def run(self, most: int = 0, masks: Masks = NO_MASKS) -> int:
        context = Context(Settings(**self._settings), dynamodb=self.model, dynamodb_streams=self.model)
        timing = Timing(lambda: self.model.now, lambda: self.model.now, self._wait, lambda: 0.5)
        source = StreamSource(context, "images", NoCheckpoints(), self.stopping, timing=timing)
        file = RecordingFile(self.path)
        try:
            return record(source, file, masks, self.stopping, most)
        finally:
            file.close()

    def _wait(self, condition: Any, seconds: float) -> None:
        self.model.now += seconds
        if self.model.now > self._until:
            self.stopping.set()

    def numbers(self) -> list[int]:
        lines = self.path.read_text().splitlines()
        return [int(json.loads(line)["dynamodb"]["SequenceNumber"]) for line in lines]


@pytest.fixture
def model() -> StreamModel:
    return StreamModel()


def test_all_that_the_stream_has_is_recorded_parents_before_children(model, tmp_path):
    first = next(iter(model.streams[0].shards.values()))
    numbers = model.write(first, 3)
    for child in model.split(first):
        numbers += model.write(child, 2)
    tapped = Tapped(model, tmp_path)
    assert tapped.run() == 7
    assert tapped.numbers()[:3] == numbers[:3]
    assert sorted(tapped.numbers()) == numbers


@pytest.mark.parametrize(("most", "rest"), [(1, 0.0), (3, GATHERING)])  # the second page comes after a delay
def test_it_ends_at_once_after_so_many_records_to_the_number(model, tmp_path, most, rest):
    model.write(model.living()[0], 5)
    tapped, began = Tapped(model, tmp_path), model.now
    assert tapped.run(most=most) == most
    assert model.now == pytest.approx(began + rest, abs=1e-3)
    assert tapped.numbers() == list(range(1, most + 1))


def test_from_latest_on_only_what_is_new_is_recorded(model, tmp_path):
    (shard,) = model.living()
    model.write(shard, 3)
    tapped = Tapped(model, tmp_path, start_at="LATEST")
    real = model.get_records

    def later(**arguments: Any) -> Any:
        """Write two records after the recording has started."""
        if len(shard.records) == 3:
            model.write(shard, 2)
        return real(**arguments)

    model.get_records = later  # type: ignore[method-assign]
    assert tapped.run() == 2
    assert tapped.numbers() == [4, 5]


def test_a_second_run_adds_what_the_stream_still_has(model, tmp_path):
    model.write(model.living()[0], 2)
    Tapped(model, tmp_path).run()
    tapped = Tapped(model, tmp_path)
    tapped.run()
    assert tapped.numbers() == [1, 2, 1, 2]


def test_the_positions_of_a_group_are_neither_read_nor_written(model, tmp_path):
    (shard,) = model.living()
    model.write(shard, 4)
    kept = SqliteCheckpoints(tmp_path / "checkpoints.sqlite", "streamdex")
    arn = model.streams[0].arn
    kept.write(arn, shard.id, Checkpoint("000000000000000000002", model.now), token=1)
    tapped = Tapped(model, tmp_path, checkpoints=str(tmp_path / "checkpoints.sqlite"))
    assert tapped.run() == 4
    assert {name: at.position for name, at in kept.read(arn).items()} == {shard.id: "000000000000000000002"}
    kept.close()


def test_the_images_are_masked(model, tmp_path):
    model.write(model.living()[0], 1)
    tapped = Tapped(model, tmp_path)
    tapped.run(masks=Masks(["id"]))  # the only attribute is the key, which the command refuses to mask
    (line,) = tapped.path.read_text().splitlines()
    assert json.loads(line)["dynamodb"]["NewImage"] == {"id": {"S": "***"}}


def test_a_file_that_cannot_be_written_ends_it_with_what_is_wrong(model, tmp_path):
    model.write(model.living()[0], 1)

    class Full:
        path = tmp_path / "full.jsonl"

        def append(self, text: bytes) -> None:
            raise OSError(28, "No space left on device")

    context = Context(Settings(), dynamodb=model, dynamodb_streams=model)
    source = StreamSource(context, "images", NoCheckpoints(), Event())
    with pytest.raises(Halt, match=r"full\.jsonl cannot be written: No space left"):
        record(source, Full(), NO_MASKS, Event())  # type: ignore[arg-type]
