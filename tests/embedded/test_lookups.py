"""Re-reads of the current items and objects: many at once, with any key, from several tables."""

from __future__ import annotations

from typing import Any

import pytest
from builders import s3_record, stream_arn
from deployments import Deployment, aws_client

from service.context import Context
from service.errors import Retry
from service.model import Revision, TableRecord
from service.model.object_record import from_notification
from service.model.serializer import typed
from service.sources.current_state import Lookups


def record(table: str, **keys: Any) -> TableRecord:
    change = {"Keys": typed(keys), "SequenceNumber": "1"}
    return TableRecord({"eventName": "MODIFY", "dynamodb": change}, source=stream_arn(table))


@pytest.fixture
def lookups(deployment: Deployment) -> Lookups:
    return Lookups(deployment.app.context)


def test_items_come_in_the_order_of_their_records_and_none_for_what_is_gone(
    deployment: Deployment, lookups: Lookups
):
    with deployment.items.batch_writer() as batch:
        for number in range(230):
            batch.put_item(Item={"id": f"i{number}", "n": number})
    wanted = [f"i{number}" for number in (3, 229, 3, *range(100, 225))]
    found = lookups.items([record(deployment.table, id=name) for name in [*wanted, "gone"]])
    assert found[-1] is None
    assert [item["id"]["S"] for item in found[:-1]] == wanted


def test_keys_of_two_parts_with_numbers_and_bytes_are_found_in_several_tables(
    deployment: Deployment, lookups: Lookups
):
    name = f"{deployment.table}-pairs"
    dynamodb = aws_client(deployment.aws_url, "dynamodb")
    dynamodb.create_table(
        TableName=name,
        AttributeDefinitions=[
            {"AttributeName": "PK", "AttributeType": "N"},
            {"AttributeName": "SK", "AttributeType": "B"},
        ],
        KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}, {"AttributeName": "SK", "KeyType": "RANGE"}],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.put_item(TableName=name, Item=typed({"PK": 1.5, "SK": b"\0\1", "n": 1}))
    deployment.items.put_item(Item={"id": "a", "n": 2})
    records = [record(name, PK=1.5, SK=b"\0\1"), record(deployment.table, id="a"), record(name, PK=1.5, SK=b"\0")]
    assert [item and item["n"] for item in lookups.items(records)] == [{"N": "1"}, {"N": "2"}, None]


def test_an_object_is_there_until_it_is_deleted(deployment: Deployment, lookups: Lookups):
    upload = from_notification(s3_record("a b+ü.jpg", bucket=deployment.bucket))
    assert lookups.revision(upload) is None
    deployment.upload("a b+ü.jpg", b"12345")
    found = lookups.revision(upload)
    stored = deployment.s3.list_objects_v2(Bucket=deployment.bucket)["Contents"][0]
    assert found == Revision("", stored["ETag"].strip('"'), 5, stored["LastModified"].timestamp())
    deployment.s3.delete_object(Bucket=deployment.bucket, Key="a b+ü.jpg")
    assert lookups.revision(upload) is None


def test_of_an_object_with_versions_the_current_one_is_found(deployment: Deployment, lookups: Lookups):
    versioning = {"Status": "Enabled"}
    deployment.s3.put_bucket_versioning(Bucket=deployment.bucket, VersioningConfiguration=versioning)
    old = deployment.s3.put_object(Bucket=deployment.bucket, Key="k", Body=b"1")["VersionId"]
    new = deployment.s3.put_object(Bucket=deployment.bucket, Key="k", Body=b"22")
    deployment.s3.delete_object(Bucket=deployment.bucket, Key="k", VersionId=old)
    found = lookups.revision(from_notification(s3_record("k", bucket=deployment.bucket)))
    assert found is not None
    assert (found.version_id, found.etag, found.size) == (new["VersionId"], new["ETag"].strip('"'), 2)


def test_a_bucket_that_cannot_be_read_is_no_bucket_without_objects(deployment: Deployment):
    class Busy:
        def head_object(self, **_: Any) -> None:
            raise ConnectionError("refused")

    with pytest.raises(ConnectionError):
        Lookups(Context(s3=Busy())).revision(from_notification(s3_record("a")))


class Slow:
    """A DynamoDB client that returns one key per request, and none after `most` requests."""

    def __init__(self, most: int):
        self.requests = 0
        self._most = most

    def batch_get_item(self, RequestItems: dict[str, Any]) -> Any:
        self.requests += 1
        ((table, request),) = RequestItems.items()
        if self.requests > self._most:
            return {"Responses": {}, "UnprocessedKeys": RequestItems}
        first, *rest = request["Keys"]
        left = {"UnprocessedKeys": {table: {**request, "Keys": rest}}} if rest else {}
        return {"Responses": {table: [first]}, **left}


def test_what_a_busy_table_left_out_is_asked_for_again():
    records = [record("images", id=name) for name in "abc"]
    slow = Slow(most=10)
    assert all(Lookups(Context(dynamodb=slow)).items(records))
    assert slow.requests == 3


def test_a_table_that_is_too_busy_is_tried_again_later():
    with pytest.raises(Retry, match="images"):
        Lookups(Context(dynamodb=Slow(most=1))).items([record("images", id=name) for name in "abc"])
