"""Records of a shard: decoding, the shard that they name, and redelivery."""

from __future__ import annotations

from typing import Any

import pytest
from builders import stream_arn, stream_record
from stream_model import StreamModel
from stream_poller import Poller, position, root

from service.checkpoints.stores import TRIM_HORIZON, Checkpoint
from service.model import Undecodable
from service.pipeline import Lag, Observer, Outcome, Report, Result
from service.sources.dynamodb_streams.shard_reader import ShardReader, time_of, to_record
from service.timing import RETENTION


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
    assert (record.shard, record.source) == (root(model).id, model.streams[-1].arn)
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


ARN = stream_arn("images")


@pytest.mark.parametrize("raw", [{"dynamodb": {"SequenceNumber": "7"}}, {"dynamodb": {}}, {}])
def test_a_record_that_cannot_be_decoded_is_kept_whole(raw):
    record = to_record(raw, ARN, "shard")
    assert isinstance(record, Undecodable)
    assert (record.raw, record.source, record.reason[:18]) == (raw, ARN, "the stream record ")
    assert record.identifier == raw.get("dynamodb", {}).get("SequenceNumber", "")


def test_the_time_of_records_is_that_of_the_last_one_with_a_time():
    timed, untimed = (to_record(stream_record(created=at), ARN, "shard") for at in (1_700_000_000.0, None))
    assert time_of([timed, untimed, to_record({}, ARN, "shard")]) == 1_700_000_000.0
    assert time_of([untimed]) is time_of([]) is None


def test_a_reader_that_has_read_nothing_yet_lags_since_its_checkpoint():
    reader = ShardReader(StreamModel(), ARN, "shard", print, at=Checkpoint("7", 100.0), limit=1, now=lambda: 160.0)
    assert (reader.finished, reader.missing, reader.confirmed, reader.doubts) == (False, False, False, 0)
    assert reader.lag() == Lag(60.0, RETENTION - 60.0, 0.0)
    assert reader.quiet_for() == 0.0


def reader_of(model: StreamModel) -> ShardReader:
    shard, at = root(model).id, Checkpoint(TRIM_HORIZON, model.now)
    return ShardReader(model, model.streams[-1].arn, shard, print, at=at, limit=10, now=lambda: model.now)


@pytest.mark.parametrize(
    ("records", "closed", "doubts"), [(1, False, 0), (1, True, 0), (0, False, 0), (0, True, 1)]
)
def test_doubts_about_an_end_last_until_a_page_shows_that_the_shard_goes_on(records, closed, doubts):
    model = StreamModel(page=10)
    reader = reader_of(model)
    model.write(root(model), records)
    if closed:
        model.split(root(model))
    reader.resume(doubt=True)
    assert len(reader.read()) == records
    assert reader.doubts == doubts


def test_unread_records_lag_since_the_first_of_them():
    model = StreamModel(page=10)
    reader, since = reader_of(model), int(model.now)
    model.write(root(model), 1)
    model.now += 50
    model.write(root(model), 1)
    assert len(reader.read()) == 2
    assert reader.lag().unread == model.now - since


def test_the_lag_of_a_checkpoint_grows_and_what_is_past_retention_has_no_time_left():
    now = iter([160.0, 200.0, 200.0 + RETENTION])
    reader = ShardReader(StreamModel(), ARN, "shard", print, at=Checkpoint("7", 100.0), limit=1, now=now.__next__)
    assert reader.lag() == Lag(100.0, RETENTION - 100.0, 40.0)
    assert reader.lag() == Lag(RETENTION + 100.0, 0.0, RETENTION + 40.0)
