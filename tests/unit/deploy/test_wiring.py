"""The resources that are deployed for routes: tables, buckets, queues and notifications, by logical name."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from shop_scene import Customers, Orders

from infra.deploy import wiring
from routes.images import Images, ImageUploads
from service.errors import SettingsError
from service.routing import BucketRoute, Delete, Router, TableRoute

TABLES = {"images": {"name": "images-lab", "arn": "arn:t", "stream_arn": "arn:t/stream/1"}}
BUCKETS = {"images-in": {"name": "in-lab", "arn": "arn:b"}, "logs-a": {"name": "a", "arn": "arn:a"}}


class People(TableRoute):
    table: ClassVar = "people-*"
    key: ClassVar = {"PK": "S", "SK": "N"}
    where: ClassVar = {"PK": "USER#*"}
    index: ClassVar = "people"

    def document(self, item: Any) -> Any:
        return dict(item)


class Photos(BucketRoute):
    bucket: ClassVar = "logs-*"
    prefix: ClassVar = "photos/2026"
    suffix: ClassVar = ".jpg"
    index: ClassVar = "photos"
    ignore: ClassVar = ("ObjectDeleted",)

    def created(self, upload: Any, context: Any) -> Any:
        return [Delete()]


class Pictures(Photos):
    prefix: ClassVar = "photos/a b"
    suffix: ClassVar = ".png"
    index: ClassVar = "pictures"


def test_tables_have_the_keys_of_their_routes_and_patterns_are_no_names():
    assert wiring.tables_to_make([Images(), People()]) == {
        "images": {"hash_key": "id", "range_key": None, "attributes": {"id": "S"}}
    }
    assert wiring.key_of(People.key) == {"hash_key": "PK", "range_key": "SK", "attributes": {"PK": "S", "SK": "N"}}
    assert wiring.buckets_to_make([Images(), ImageUploads(), Photos()]) == ["images-in"]


def test_a_pattern_listens_to_each_table_that_fits():
    tables = {name: {"stream_arn": f"arn:{name}"} for name in ("people-a", "people-b", "pets")}
    found = wiring.streams_of(Router([People()]), tables)
    assert [stream["arn"] for stream in found.values()] == ["arn:people-a", "arn:people-b"]
    assert all('"USER#"' in pattern for stream in found.values() for pattern in stream["filters"])


def test_a_bucket_tells_of_all_that_its_routes_do_not_ignore():
    found = wiring.notifications_of(Router([ImageUploads()]), BUCKETS)
    assert found == {
        "images-in": {
            "name": "in-lab",
            "arn": "arn:b",
            "events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:LifecycleExpiration:*"],
            "prefix": None,
            "suffix": None,
        }
    }


def test_a_bucket_tells_only_of_objects_that_some_route_is_for():
    (one,) = wiring.notifications_of(Router([Photos()]), BUCKETS).values()
    assert (one["events"], one["prefix"], one["suffix"]) == (["s3:ObjectCreated:*"], "photos/2026", ".jpg")
    (both,) = wiring.notifications_of(Router([Photos(), Pictures()]), BUCKETS).values()
    assert (both["prefix"], both["suffix"]) == ("photos/", "g")


@pytest.mark.parametrize(
    ("texts", "alike"),
    [(["a b/c"], "a"), (["abc", "abd"], "ab"), (["abc", "ab"], "ab"), (["", "a"], ""), (["x", "y"], "")],
)
def test_affixes_have_only_what_a_filter_takes_as_it_is(texts, alike):
    assert wiring.common(texts) == alike


def test_each_module_has_a_queue_of_its_own():
    router = Router([Images(), ImageUploads(), Photos()])
    assert wiring.queues_of(router, BUCKETS) == {
        "pending-images": {"buckets": ["images-in"]},
        "pending-test_wiring": {"buckets": ["logs-a"]},
    }


def test_what_is_not_deployed_is_named_with_the_remedy():
    wiring.check_made(Router([Images(), ImageUploads()]), TABLES, BUCKETS)
    with pytest.raises(SettingsError, match=r"no table 'images' is deployed.*more_tables or existing_tables"):
        wiring.check_made(Router([ImageUploads()]), {}, BUCKETS)
    with pytest.raises(SettingsError, match=r"no bucket 'images-in' is deployed.*TARGET=data"):
        wiring.check_made(Router([ImageUploads()]), TABLES, {})


def test_a_function_knows_the_names_that_its_routes_use():
    names = {"table/images": "a", "bucket/images-in": "b", "table/people-x": "c", "queue/pending-images": "d"}
    assert wiring.names_for([Images()], names) == {"table/images": "a", "queue/pending-images": "d"}
    assert wiring.names_for([People()], names) == {"table/people-x": "c", "queue/pending-images": "d"}


def test_a_function_knows_the_tables_that_its_routes_read():
    names = {"table/customers": "a", "table/orders": "b", "table/others": "c"}
    assert wiring.names_for([Customers()], names) == {"table/customers": "a", "table/orders": "b"}
    made = {"orders": TABLES["images"]}
    with pytest.raises(SettingsError, match="no table 'customers' is deployed"):
        wiring.check_made(Router([Orders()]), made, {})
