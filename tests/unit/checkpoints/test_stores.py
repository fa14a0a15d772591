"""Checkpoints by group, stream and shard, in a file and in a table."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError
from fakes import raising
from positions_model import PositionsModel

from service.checkpoints.lease import TableLease
from service.checkpoints.stores import (
    ENDED,
    LATEST,
    Checkpoint,
    NoCheckpoints,
    SqliteCheckpoints,
    make_checkpoints,
)
from service.checkpoints.table_store import TableCheckpoints
from service.context import Context
from service.errors import Halt, LeaseLost, SettingsError, Unreachable
from service.settings import Settings
from service.timing import Timing


@pytest.fixture(params=["file", "table", "model"])
def open_store(request, tmp_path):
    """Return a function that opens the same store for a group, any number of times."""
    opened = []
    dynamodb = request.getfixturevalue("mocked_dynamodb") if request.param == "table" else PositionsModel()

    def opening(group: str = "g"):
        """Open the store as the next process of the group, after the previous process has ended."""
        for before in opened:
            before.close()
        where = str(tmp_path / "new" / "c.sqlite") if request.param == "file" else "dynamodb://positions"
        store = make_checkpoints(Context(Settings(checkpoints=where), dynamodb=dynamodb), group)
        opened.append(store)
        deadline = time.monotonic() + 10
        while not store.lease.token() and time.monotonic() < deadline:
            time.sleep(0.01)
        return store

    yield opening
    for store in opened[-1:]:
        store.close()


def write(store, stream: str, shard: str, position: str, time: float = 1.0) -> bool:
    return store.write(stream, shard, Checkpoint(position, time), store.lease.token())


def test_a_position_is_there_after_a_restart(open_store):
    assert write(open_store(), "stream", "shard", "17", 1_700_000_000.5)
    store = open_store()
    assert store.read("stream") == {"shard": Checkpoint("17", 1_700_000_000.5)}
    assert store.claim("stream", store.lease.token()) == store.read("stream")


def test_the_last_position_counts(open_store):
    store = open_store()
    for position in ("1", "2", ENDED):
        assert write(store, "stream", "shard", position)
    assert store.read("stream")["shard"].position == ENDED


def test_what_is_removed_is_forgotten(open_store):
    store = open_store()
    for shard in ("one", "other"):
        write(store, "stream", shard, "1")
    store.remove("stream", "one", store.lease.token())
    store.remove("stream", "never seen", store.lease.token())
    assert list(store.read("stream")) == ["other"]


def test_groups_streams_and_shards_do_not_meet(open_store):
    store = open_store()
    for stream, shard in (("stream", "shard"), ("stream", "sibling"), ("other", "cousin")):
        write(store, stream, shard, "17")
    assert set(store.read("stream")) == {"shard", "sibling"}
    assert set(store.claim("other", store.lease.token())) == {"cousin"}
    another = open_store("another group")
    assert another.read("stream") == another.claim("stream", another.lease.token()) == {}


def test_positions_that_are_not_kept_are_none():
    store = NoCheckpoints()
    assert write(store, "stream", "shard", "17")
    store.remove("stream", "shard", 1)
    assert store.read("stream") == store.claim("stream", 1) == {}


def test_the_store_is_what_the_setting_names(tmp_path):
    store = make_checkpoints(Context(Settings(checkpoints=str(tmp_path / "c"))), "g")
    assert isinstance(store, SqliteCheckpoints)
    store.close()
    with pytest.raises(SettingsError, match="dynamodb://TABLE"):
        make_checkpoints(Context(Settings(checkpoints="redis://x")), "g")


def test_a_file_that_cannot_be_written_halts_with_the_remedy(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Halt, match="STREAMDEX_CHECKPOINTS"):
        SqliteCheckpoints(tmp_path / "file" / "c.sqlite", "g")


def test_a_stream_that_was_begun_at_its_end_is_known_to_be_even_if_the_power_fails(tmp_path):
    """The copy lacks the write-ahead log, which may not be on disk when the power fails."""
    store = SqliteCheckpoints(tmp_path / "c.sqlite", "g")
    write(store, "stream", "shard", LATEST)
    write(store, "stream", "shard", "17")
    (tmp_path / "copy.sqlite").write_bytes((tmp_path / "c.sqlite").read_bytes())
    store.close()
    copy = SqliteCheckpoints(tmp_path / "copy.sqlite", "g")
    assert copy.read("stream")["shard"].position == LATEST
    copy.close()


def test_a_checkpoint_in_a_file_does_not_wait_for_the_disk(tmp_path):
    store = SqliteCheckpoints(tmp_path / "c.sqlite", "g")
    normal = 1
    assert store._execute("PRAGMA synchronous") == [(normal,)]
    assert store._execute("PRAGMA journal_mode") == [("wal",)]
    store.close()


def test_a_table_that_cannot_be_reached_at_the_start_is_told():
    class Exceptions:
        class ResourceNotFoundException(Exception):
            pass

    client = SimpleNamespace(exceptions=Exceptions, describe_table=raising(ConnectionError("refused")))
    with pytest.raises(Unreachable, match="positions"):
        make_checkpoints(Context(Settings(checkpoints="dynamodb://positions"), dynamodb=client), "g")


class Fixed:
    """A lease with a manual token."""

    def __init__(self, token: int):
        self.now = token

    def token(self) -> int:
        return self.now


def store_of(model: PositionsModel, token: int) -> TableCheckpoints:
    """Return the checkpoints of a process that holds the lease with this token."""
    settings = Settings(checkpoints="dynamodb://positions")
    store = make_checkpoints(Context(settings, dynamodb=model), "g", competes=False)
    assert isinstance(store, TableCheckpoints)
    store.lease = Fixed(token)
    return store


def test_a_table_is_made_where_it_is_missing(mocked_dynamodb):
    settings = Settings(checkpoints="dynamodb://positions")
    make_checkpoints(Context(settings, dynamodb=mocked_dynamodb), "g", competes=False)
    assert mocked_dynamodb.list_tables()["TableNames"] == ["positions"]


@pytest.mark.parametrize("status", ["missing", "CREATING"])
def test_a_table_that_another_process_is_making_is_waited_for(mocked_dynamodb, status):
    describe, waited = mocked_dynamodb.describe_table, []

    def describe_first(**arguments):
        """Let the other process create the table after this check."""
        settings = Settings(checkpoints="dynamodb://positions")
        mocked_dynamodb.describe_table = describe
        make_checkpoints(Context(settings, dynamodb=mocked_dynamodb), "g", competes=False)
        if status == "missing":
            raise mocked_dynamodb.exceptions.ResourceNotFoundException({"Error": {}}, "DescribeTable")
        return {"Table": {"TableStatus": status}}

    def get_waiter(name):
        waited.append(name)
        return waiter(name)

    waiter, mocked_dynamodb.describe_table = mocked_dynamodb.get_waiter, describe_first
    mocked_dynamodb.get_waiter = get_waiter
    store = make_checkpoints(
        Context(Settings(checkpoints="dynamodb://positions"), dynamodb=mocked_dynamodb), "g", competes=False
    )
    assert waited == ["table_exists"] * 2
    assert store.read("stream") == {}


def test_a_checkpoint_that_could_not_be_written_now_stops_nothing_and_one_that_never_can_halts(caplog):
    model = PositionsModel()
    store = store_of(model, 1)
    throttled = ClientError({"Error": {"Code": "ProvisionedThroughputExceededException"}}, "PutItem")
    for error in (ConnectionError("reset"), throttled):
        model.put_item = raising(error)
        assert not write(store, "stream", "shard", "1")
    assert caplog.text.count("checkpoint not written") == 2
    model.put_item = raising(ClientError({"Error": {"Code": "AccessDenied"}}, "PutItem"))
    with pytest.raises(Halt, match="permission"):
        write(store, "stream", "shard", "2")


def test_once_a_row_is_claimed_nobody_with_an_earlier_token_writes_or_removes_it():
    model = PositionsModel()
    before, after = store_of(model, 1), store_of(model, 2)
    write(before, "stream", "shard", "1")
    assert after.claim("stream", 2) == {"shard": Checkpoint("1", 1.0)}
    for change in (lambda: write(before, "stream", "shard", "2"), lambda: before.remove("stream", "shard", 1)):
        with pytest.raises(LeaseLost, match="another poller claimed"):
            change()
    with pytest.raises(LeaseLost):
        before.claim("stream", 1)
    assert after.read("stream") == {"shard": Checkpoint("1", 1.0)}
    assert write(after, "stream", "shard", "3")


def test_what_was_read_under_an_earlier_token_of_the_same_process_is_not_written():
    model = PositionsModel()
    store = store_of(model, 1)
    store.lease.now = 2
    with pytest.raises(LeaseLost):
        store.write("stream", "shard", Checkpoint("1", 1.0), 1)
    store.lease.now = 0
    with pytest.raises(LeaseLost):
        store.write("stream", "shard", Checkpoint("1", 1.0), 0)
    assert not model.rows


def test_a_position_that_moves_while_rows_are_claimed_is_found_where_it_moved_to():
    model = PositionsModel()
    before, after = store_of(model, 1), store_of(model, 2)
    write(before, "stream", "shard", "1")
    update = model.update_item

    def late(**arguments):
        model.update_item = update
        write(before, "stream", "shard", "2")
        return update(**arguments)

    model.update_item = late
    assert after.claim("stream", 2)["shard"].position == "2"


def test_a_row_that_is_removed_while_it_is_claimed_is_not_made_anew():
    model = PositionsModel()
    before, after = store_of(model, 1), store_of(model, 2)
    write(before, "stream", "shard", "1")
    update = model.update_item

    def late(**arguments):
        before.remove("stream", "shard", 1)
        return update(**arguments)

    model.update_item = late
    with pytest.raises(LeaseLost):
        after.claim("stream", 2)
    assert after.claim("stream", 2) == {}


def test_who_only_looks_claims_nothing():
    model = PositionsModel()
    write(store_of(model, 1), "stream", "shard", "1")
    looker = make_checkpoints(
        Context(Settings(checkpoints="dynamodb://positions"), dynamodb=model), "g", competes=False
    )
    rows = dict(model.rows)
    assert looker.read("stream") == {"shard": Checkpoint("1", 1.0)}
    assert model.rows == rows
    with pytest.raises(LeaseLost):
        looker.claim("stream", looker.lease.token())
    looker.close()
    assert model.rows == rows


def test_rows_of_earlier_versions_have_no_token_and_are_claimed_and_written():
    model = PositionsModel()
    for shard in ("one", "other"):
        key = {"stream": {"S": "g|stream"}, "shard": {"S": shard}}
        model.rows["g|stream", shard] = {**key, "position": {"S": "1"}, "time": {"N": "1.0"}, "format": {"N": "2"}}
    store = store_of(model, 1)
    assert write(store, "stream", "other", "2")
    assert {shard: at.position for shard, at in store.claim("stream", 1).items()} == {"one": "1", "other": "2"}
    assert all(row["token"] == {"N": "1"} for row in model.rows.values())


def test_thousands_of_rows_are_claimed_each_once_also_if_that_is_interrupted():
    model = PositionsModel()
    before, after = store_of(model, 1), store_of(model, 2)
    for number in range(1500):
        write(before, "stream", f"shard-{number}", str(number))
    update, left = model.update_item, iter(range(500))

    def throttled(**arguments):
        if next(left, None) is None:
            raise ClientError({"Error": {"Code": "ThrottlingException"}}, "UpdateItem")
        return update(**arguments)

    model.units, model.update_item = 0, throttled
    with pytest.raises(ClientError, match="Throttling"):
        after.claim("stream", 2)
    model.update_item = update
    assert after.claim("stream", 2) == {f"shard-{number}": Checkpoint(str(number), 1.0) for number in range(1500)}
    assert after.claim("stream", 2) == after.read("stream")
    assert model.units == 1500


def test_a_claim_ends_as_soon_as_the_lease_is_lost():
    model = PositionsModel()
    before, after = store_of(model, 1), store_of(model, 2)
    for number in range(100):
        write(before, "stream", f"shard-{number}", "1")
    update = model.update_item

    def last(**arguments):
        after.lease.now = 0
        return update(**arguments)

    model.units, model.update_item = 0, last
    with pytest.raises(LeaseLost):
        after.claim("stream", 2)
    assert model.units < 50


def test_sixteen_threads_and_the_lease_get_in_nobodys_way_and_a_checkpoint_is_one_write_unit():
    """Transactions on a shared item would cancel each other if they overlapped."""
    model = PositionsModel(seconds=0.005)
    store = store_of(model, 1)
    lease = TableLease(model, "positions", "g", 30.0, Timing(now=lambda: 1.0), owner="me")
    lease.beat()
    store.lease = lease
    model.units, renewals = 0, 0

    def read_on(shard: int) -> None:
        for position in range(20):
            assert write(store, "stream", f"shard-{shard}", str(position))

    with ThreadPoolExecutor(16) as pool:
        readers = [pool.submit(read_on, shard) for shard in range(16)]
        while not all(reader.done() for reader in readers):
            lease.beat()
            renewals += 1
            assert lease.token() == 1
    for reader in readers:
        reader.result()
    assert model.conflicts == 0
    assert model.units - renewals == 16 * 20
    assert {at.position for at in store.read("stream").values()} == {"19"}
