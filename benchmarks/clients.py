"""DynamoDB clients, and a table to read."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .work import TABLE, item


def aws_client(url: str, service: str) -> Any:
    import boto3

    return boto3.client(
        service,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="streamdex",
        aws_secret_access_key="streamdex",
    )


def make_table(client: Any) -> None:
    """Create the table, empty, with a stream of old and new images."""
    if TABLE in client.list_tables()["TableNames"]:
        client.delete_table(TableName=TABLE)
        client.get_waiter("table_not_exists").wait(TableName=TABLE)
    client.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )


def fill(client: Any, items: int, size: str) -> None:
    """Put items into the table in batches of 25. Each item has its own key, so each makes one record."""

    def put(first: int) -> None:
        chance = random.Random(first)
        puts = [
            {"PutRequest": {"Item": plain(item(f"item-{number:07d}", size, chance))}}
            for number in range(first, min(first + 25, items))
        ]
        answer = client.batch_write_item(RequestItems={TABLE: puts})
        assert not answer.get("UnprocessedItems")

    with ThreadPoolExecutor(4) as pool:
        for _ in pool.map(put, range(0, items, 25)):
            pass


def plain(image: Any) -> Any:
    """Return an image in the format of boto3, with binary values as bytes."""
    import base64

    if isinstance(image, dict):
        if set(image) == {"B"} and isinstance(image["B"], str):
            return {"B": base64.b64decode(image["B"])}
        return {name: plain(member) for name, member in image.items()}
    return [plain(member) for member in image] if isinstance(image, list) else image
