"""Records of a shard: decoding, the shard that they name, and redelivery."""

from __future__ import annotations

from typing import Any

from stream_model import StreamModel
from stream_poller import Poller, position, root

from service.checkpoints.stores import TRIM_HORIZON, Checkpoint
from service.pipeline import Observer, Outcome, Report, Result
from service.sources.dynamodb_streams.shard_reader import ShardReader


def test_a_record_that_has_to_come_again_comes_with_everything_after_it(checkpoints):
    model = StreamModel(page=3)
    one, two, three, four = numbers = model.write(root(model), 4)
    poller = Poller(model, checkpoints)
    poller.failing = {two}
    poller.run(lambda: len(poller.seen) == 6)
    assert poller.seen == [one, two, three, two, three, four]
    assert position(checkpoints, model, root(model)) == f"{numbers[-1]:021d}"


def test_what_has_to_come_again_is_told_without_an_item_s_values(checkpoints, caplog):
    model = StreamModel()
    model.write(root(model), 1)
    batch = next(iter(Poller(model, checkpoints).source))
    batch.settle(Report([Result(Outcome.RETRY, "no such colour: indigo", log_text="KeyError")]))
    (log_text,) = [record for record in caplog.records if record.message == "retrying"]
    assert log_text.reason == "KeyError"


class Steps(Observer):
    def __init__(self) -> None:
        self.decoded: list[Any] = []

    def step(self, kind: str, name: str, of: Any = ()) -> Any:
        self.decoded.append((kind, name, len(of)))
        return super().step(kind, name, of)


def test_decoding_is_a_step_where_there_is_something_to_decode(checkpoints):
    model, steps = StreamModel(page=10), Steps()
    model.write(root(model), 3)
    at = Checkpoint(TRIM_HORIZON, model.now)
    arn = model.streams[-1].arn
    reader = ShardReader(model, arn, root(model).id, checkpoints, at=at, limit=10, observer=steps)
    assert (len(reader.read()), len(reader.read())) == (3, 0)
    assert steps.decoded == [("decode", "table images", 3)]


def test_a_record_says_which_shard_it_was_read_from(checkpoints):
    model = StreamModel()
    model.write(root(model), 1)
    poller = Poller(model, checkpoints)
    (record,) = next(iter(poller.source)).records
    assert record.shard == root(model).id
    assert record.as_now(None, 1).shard == root(model).id


def test_a_record_that_cannot_be_decoded_is_delivered_with_its_number(checkpoints):
    model = StreamModel()
    get_records = model.get_records

    def broken(**arguments: Any) -> Any:
        answer = get_records(**arguments)
        for record in answer["Records"]:
            del record["dynamodb"]["Keys"]
        return answer

    model.get_records = broken
    poller = Poller(model, checkpoints)
    poller.run(poller.has_seen(model.write(root(model), 1)))
