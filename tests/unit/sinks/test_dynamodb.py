"""The item sink: conditional on the version of the record, in order, and strict about invalid items."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from botocore.exceptions import ClientError
from builders import s3_record, stream_record
from fakes import raising, records

from service import DeleteItem, PutItem, UpdateItem
from service.context import Context
from service.errors import Halt, LeaseLost
from service.pipeline import Outcome, Write
from service.sinks.dynamodb import ItemSink


@pytest.fixture
def dynamodb(mocked_dynamodb):
    mocked_dynamodb.create_table(
        TableName="images",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return mocked_dynamodb


def write(action: Any, sequencer: str = "0055AED6DCD90281E5", table: str = "images") -> Write:
    (record,) = records(s3_record("a", sequencer=sequencer))
    return Write(record, action, table, "", record.version)


def outcomes(client: Any, *writes: Write) -> list[str]:
    return [result.outcome.name for result in ItemSink(Context(dynamodb=client)).write(writes)]


def item(client: Any, name: str = "a") -> dict[str, Any] | None:
    return client.get_item(TableName="images", Key={"id": {"S": name}}).get("Item")


def test_an_item_is_put_with_the_sequencer_of_its_object(dynamodb):
    assert outcomes(dynamodb, write(PutItem({"id": "a", "width": 3, "ratio": 1.5}))) == ["APPLIED"]
    found = item(dynamodb)
    assert found["width"] == {"N": "3"}
    assert Decimal(found["ratio"]["N"]) == Decimal("1.5")
    assert found["_streamdex"]["S"].startswith("55AED6DCD90281E5")


@pytest.mark.parametrize(
    "action", [PutItem({"id": "a", "n": 1}), UpdateItem({"id": "a", "n": 1}), DeleteItem({"id": "a"})]
)
def test_what_comes_from_an_older_event_changes_nothing(dynamodb, action):
    outcomes(dynamodb, write(PutItem({"id": "a", "n": 2}), "0055AED6DCD90281E6"))
    assert outcomes(dynamodb, write(action, "0055AED6DCD90281E5")) == ["STALE"]
    assert item(dynamodb)["n"] == {"N": "2"}


def test_a_repeated_event_is_applied_again(dynamodb):
    assert outcomes(dynamodb, *[write(PutItem({"id": "a"}))] * 2) == ["APPLIED", "APPLIED"]


def test_sequencers_of_different_length_compare_as_padded_text(dynamodb):
    outcomes(dynamodb, write(PutItem({"id": "a"}), "55AE"))
    assert outcomes(dynamodb, write(PutItem({"id": "a"}), "55AE01")) == ["APPLIED"]
    assert outcomes(dynamodb, write(PutItem({"id": "a"}), "55AE")) == ["STALE"]


def test_an_update_leaves_what_others_put_there(dynamodb):
    dynamodb.put_item(TableName="images", Item={"id": {"S": "a"}, "title": {"S": "Dusk"}, "n": {"N": "1"}})
    assert outcomes(dynamodb, write(UpdateItem({"id": "a", "n": 2, "new": "x"}))) == ["APPLIED"]
    found = item(dynamodb)
    assert (found["title"], found["n"], found["new"]) == ({"S": "Dusk"}, {"N": "2"}, {"S": "x"})


def test_an_update_of_nothing_but_the_key_asks_for_just_that(dynamodb):
    sent: list[dict[str, Any]] = []

    class Client:
        describe_table = dynamodb.describe_table

        def update_item(self, **arguments: Any) -> None:  # moto does not support this request
            sent.append(arguments)

    assert outcomes(Client(), write(UpdateItem({"id": "a"}, create=True), sequencer="")) == ["APPLIED"]
    assert sent == [{"TableName": "images", "Key": {"id": {"S": "a"}}}]


@pytest.mark.parametrize("sequencer", ["", "0055AED6DCD90281E5"])
def test_an_update_creates_no_item_unless_it_says_so(dynamodb, sequencer):
    (result,) = ItemSink(Context(dynamodb=dynamodb)).write([write(UpdateItem({"id": "a", "n": 1}), sequencer)])
    assert result.outcome is Outcome.SKIPPED
    assert "create=True" in result.reason
    assert item(dynamodb) is None
    assert outcomes(dynamodb, write(UpdateItem({"id": "a", "n": 1}, create=True), sequencer)) == ["APPLIED"]
    assert item(dynamodb)["n"] == {"N": "1"}


def changed(action: Any, version: int) -> Write:
    """Return a write for a record of a table."""
    (record,) = records(stream_record(new={"id": "a"}))
    return Write(record, action, "images", "", version)


@pytest.mark.parametrize(
    "action", [PutItem({"id": "a", "n": 1}), UpdateItem({"id": "a", "n": 1}), DeleteItem({"id": "a"})]
)
def test_what_comes_from_an_older_record_changes_nothing_and_says_what_is_there(dynamodb, action):
    newest = 2**63 - 1
    outcomes(dynamodb, changed(PutItem({"id": "a", "n": 2}), newest))
    assert item(dynamodb)["_streamdex"] == {"N": str(newest)}
    (result,) = ItemSink(Context(dynamodb=dynamodb)).write([changed(action, 99)])
    assert (result.outcome, result.conflict) == (Outcome.STALE, newest)
    assert item(dynamodb)["n"] == {"N": "2"}
    assert outcomes(dynamodb, changed(action, newest)) == ["APPLIED"]


@pytest.mark.parametrize("mark", ["1e37", "9" * 38, "9223372036854775808"])
def test_a_mark_that_is_no_version_is_not_taken_for_one(dynamodb, mark):
    dynamodb.put_item(TableName="images", Item={"id": {"S": "a"}, "_streamdex": {"N": mark}})
    (result,) = ItemSink(Context(dynamodb=dynamodb)).write([changed(PutItem({"id": "a"}), 5)])
    assert (result.outcome, result.conflict) == (Outcome.STALE, None)


def test_a_mark_of_the_other_kind_holds_nobody_up(dynamodb):
    of_object, of_record = write(PutItem({"id": "a", "n": 1})), changed(UpdateItem({"id": "a", "n": 2}), 5)
    for one, other in ((of_object, of_record), (of_record, of_object)):
        assert outcomes(dynamodb, one, other) == ["APPLIED", "APPLIED"]


def test_a_mark_that_a_route_copies_along_is_replaced(dynamodb):
    outcomes(dynamodb, changed(PutItem({"id": "a", "_streamdex": 7}), 5))
    assert item(dynamodb)["_streamdex"] == {"N": "5"}


def test_a_delete_removes_the_item(dynamodb):
    outcomes(dynamodb, write(PutItem({"id": "a"})), write(DeleteItem({"id": "a"})))
    assert item(dynamodb) is None


def test_an_update_without_its_key_is_rejected(dynamodb):
    assert outcomes(dynamodb, write(UpdateItem({"n": 1}))) == ["REJECTED"]


def test_a_value_that_dynamodb_cannot_hold_is_rejected(dynamodb):
    assert outcomes(dynamodb, write(PutItem({"id": "a", "x": object()}))) == ["REJECTED"]


def test_an_item_that_dynamodb_refuses_is_rejected(dynamodb):
    assert outcomes(dynamodb, write(PutItem({"no": "key"}))) == ["REJECTED"]


def test_a_missing_table_halts_and_names_it(dynamodb):
    with pytest.raises(Halt, match="elsewhere"):
        outcomes(dynamodb, write(PutItem({"id": "a"}), table="elsewhere"))


def test_what_follows_a_throttled_write_of_the_same_object_waits():
    class Throttled:
        delete_item = put_item = staticmethod(
            raising(ClientError({"Error": {"Code": "ThrottlingException"}}, "PutItem"))
        )

    writes = [write(PutItem({"id": "a"})), write(DeleteItem({"id": "a"}))]
    results = ItemSink(Context(dynamodb=Throttled())).write(writes)
    assert [result.outcome for result in results] == [Outcome.RETRY, Outcome.BLOCKED]


def test_the_fence_is_asked_before_each_item(dynamodb):
    with pytest.raises(LeaseLost):
        ItemSink(Context(dynamodb=dynamodb)).write([write(PutItem({"id": "a"}))], raising(LeaseLost("taken over")))
    assert item(dynamodb) is None
