"""Positions are kept by group, stream and shard, in a file or in a table."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError
from fakes import raising

from service.context import Context
from service.errors import Halt, SettingsError, Unreachable
from service.settings import Settings
from service.sources.checkpoints import ENDED, Checkpoint, SqliteCheckpoints, TableCheckpoints, make_checkpoints


@pytest.fixture(params=["file", "table"])
def open_store(request, tmp_path, mocked_dynamodb):
    """Opens the same store for a group, as often as asked."""
    opened = []

    def opening(group: str = "g"):
        """Another process of the group, once the one before it has ended."""
        for before in opened:
            before.close()
        where = str(tmp_path / "new" / "c.sqlite") if request.param == "file" else "dynamodb://positions"
        store = make_checkpoints(Context(Settings(checkpoints=where), dynamodb=mocked_dynamodb), group)
        opened.append(store)
        deadline = time.monotonic() + 10
        while not store.lease.token() and time.monotonic() < deadline:
            time.sleep(0.01)
        return store

    yield opening
    for store in opened[-1:]:
        store.close()


def test_a_position_is_there_after_a_restart(open_store):
    open_store().write("stream", "shard", Checkpoint("17", 1_700_000_000.5))
    assert open_store().read("stream") == {"shard": Checkpoint("17", 1_700_000_000.5)}


def test_the_last_position_counts(open_store):
    store = open_store()
    for position in ("1", "2", ENDED):
        store.write("stream", "shard", Checkpoint(position, 1.0))
    assert store.read("stream")["shard"].position == ENDED


def test_what_is_removed_is_forgotten(open_store):
    store = open_store()
    for shard in ("one", "other"):
        store.write("stream", shard, Checkpoint("1", 1.0))
    store.remove("stream", "one")
    store.remove("stream", "never seen")
    assert list(store.read("stream")) == ["other"]


def test_groups_streams_and_shards_do_not_meet(open_store):
    store = open_store()
    for stream, shard in (("stream", "shard"), ("stream", "sibling"), ("other", "cousin")):
        store.write(stream, shard, Checkpoint("17", 1.0))
    assert set(store.read("stream")) == {"shard", "sibling"}
    assert set(store.read("other")) == {"cousin"}
    assert open_store("another group").read("stream") == {}


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


def test_a_table_is_made_where_it_is_missing(open_store):
    store = open_store()
    if isinstance(store, TableCheckpoints):
        again = open_store()
        again.write("s", "s", Checkpoint("1", 1.0))
        assert store.read("s") == {"s": Checkpoint("1", 1.0)}


def test_a_checkpoint_that_could_not_be_written_now_stops_nothing_and_one_that_never_can_halts(open_store, caplog):
    store = open_store()
    if not isinstance(store, TableCheckpoints):
        return
    exceptions = store._dynamodb.exceptions
    store._dynamodb = SimpleNamespace(
        transact_write_items=raising(ConnectionError("reset")), exceptions=exceptions
    )
    store.write("stream", "shard", Checkpoint("1", 1.0))
    assert "checkpoint not written" in caplog.text
    store._dynamodb = SimpleNamespace(
        transact_write_items=raising(ClientError({"Error": {"Code": "AccessDenied"}}, "PutItem")),
        exceptions=exceptions,
    )
    with pytest.raises(Halt, match="permission"):
        store.write("stream", "shard", Checkpoint("2", 1.0))


def test_a_table_that_cannot_be_reached_at_the_start_is_told():
    class Exceptions:
        class ResourceNotFoundException(Exception):
            pass

    client = SimpleNamespace(exceptions=Exceptions, describe_table=raising(ConnectionError("refused")))
    with pytest.raises(Unreachable, match="positions"):
        make_checkpoints(Context(Settings(checkpoints="dynamodb://positions"), dynamodb=client), "g")
