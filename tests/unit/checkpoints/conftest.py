"""Fixtures of the tests of leases: a table of positions, and two pollers of one group."""

from __future__ import annotations

import pytest
from lease_poller import Poller


@pytest.fixture
def dynamodb(mocked_dynamodb):
    mocked_dynamodb.create_table(
        TableName="positions",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("stream", "shard")],
        KeySchema=[
            {"AttributeName": "stream", "KeyType": "HASH"},
            {"AttributeName": "shard", "KeyType": "RANGE"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    return mocked_dynamodb


@pytest.fixture
def pollers(dynamodb) -> tuple[Poller, Poller]:
    return Poller(dynamodb, "one"), Poller(dynamodb, "two")
