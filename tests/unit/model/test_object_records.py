"""Records of buckets: S3 notifications, EventBridge events, and pointers with a bucket and a key."""

from __future__ import annotations

import pytest
from botocore.session import Session
from builders import eventbridge, s3_record
from hypothesis import given
from hypothesis import strategies as st

from service.errors import DecodeError
from service.model import CREATED, DELETED
from service.model.events import OBJECT_FAMILIES, object_event
from service.model.object_record import from_eventbridge, from_notification, from_pointer
from service.model.versions import NO_VERSION

KEYS = [
    "plain.jpg",
    "with space.jpg",
    "a+b.jpg",
    "folder/a.jpg",
    "100%.jpg",
    "Füße/日本 🦶.jpg",
    "a%2Fb",
    "a&b=c?d#e",
]


@pytest.mark.parametrize(
    ("name", "event"),
    [
        ("ObjectCreated:Put", CREATED),
        ("ObjectCreated:CompleteMultipartUpload", CREATED),
        ("s3:ObjectCreated:Copy", CREATED),
        ("ObjectCreated", CREATED),
        ("Object Created", CREATED),
        ("ObjectRemoved:Delete", DELETED),
        ("ObjectRemoved:DeleteMarkerCreated", DELETED),
        ("s3:ObjectRemoved:DeleteMarkerCreated", DELETED),
        ("ObjectDeleted", DELETED),
        ("Object Deleted", DELETED),
        ("LifecycleExpiration:Delete", DELETED),
        ("s3:LifecycleExpiration:DeleteMarkerCreated", DELETED),
        ("ObjectTagging:Put", "ObjectTagging"),
        ("s3:ObjectTagging:Delete", "ObjectTagging"),
        ("Object Tags Added", "ObjectTagging"),
        ("Object Tags Deleted", "ObjectTagging"),
        ("ObjectAcl:Put", "ObjectAcl"),
        ("Object ACL Updated", "ObjectAcl"),
        ("ObjectRestore:Post", "ObjectRestore"),
        ("ObjectRestore:Completed", "ObjectRestore"),
        ("ObjectRestore:Delete", "ObjectRestore"),
        ("Object Restore Initiated", "ObjectRestore"),
        ("Object Restore Completed", "ObjectRestore"),
        ("Object Restore Expired", "ObjectRestore"),
        ("IntelligentTiering", "IntelligentTiering"),
        ("Object Access Tier Changed", "IntelligentTiering"),
        ("LifecycleTransition", "LifecycleTransition"),
        ("Object Storage Class Changed", "LifecycleTransition"),
        ("Replication:OperationFailedReplication", "Replication"),
        ("ReducedRedundancyLostObject", "ReducedRedundancyLostObject"),
        ("ObjectLifecycle:Expiration:Current", DELETED),
        ("s3:ObjectLifecycle:Transition:Noncurrent", "LifecycleTransition"),
        ("ObjectSynced:Create", CREATED),
        ("ObjectSynced:DeletionMarkerCreated", DELETED),
        ("s3:ObjectTransition:Complete", "LifecycleTransition"),
        ("s3:ObjectAccessed:Head", "ObjectAccessed"),
    ],
)
def test_an_event_is_known_by_every_name_it_has(name, event):
    assert object_event(name) == event
    assert event in OBJECT_FAMILIES


def test_every_event_of_s3_that_botocore_knows_belongs_to_a_family():
    shape = Session().get_service_model("s3").shape_for("Event")
    families = {object_event(name) for name in shape.enum}
    assert families == OBJECT_FAMILIES - {"ObjectAccessed"}  # ObjectAccessed is a family of MinIO's events


def test_s3s_own_notification_is_read():
    raw = s3_record("a b.jpg", bucket="in", sequencer="0055AED6DCD90281E5", size=3)
    raw["s3"]["object"]["versionId"] = "v1"
    record = from_notification(raw, "m-1")
    assert (record.bucket, record.key, record.size, record.etag) == ("in", "a b.jpg", 3, "d41d8cd9")
    assert (record.event, record.name, record.version_id) == (CREATED, "ObjectCreated:Put", "v1")
    assert (record.sequencer, record.source) == ("55AED6DCD90281E5", "arn:aws:s3:::in")
    assert record.identifier == "m-1"
    assert record.raw is raw


def test_an_event_of_eventbridge_is_read():
    raw = eventbridge("a b.jpg", "Object Deleted", bucket="in", sequencer="617f08299329d189")
    raw["detail"]["object"]["version-id"] = "v1"
    record = from_eventbridge(raw, "m-1")
    assert (record.bucket, record.key, record.size, record.etag) == ("in", "a b.jpg", 3, "d41d8cd9")
    assert (record.event, record.name, record.version_id) == (DELETED, "Object Deleted", "v1")
    assert (record.sequencer, record.source) == ("617F08299329D189", "arn:aws:s3:::in")
    assert record.identifier == "m-1"
    assert record.raw is raw


def test_a_pointer_says_that_an_object_is_there():
    record = from_pointer({"bucket": "in", "key": "a+b%20c.jpg"})
    assert (record.event, record.bucket, record.key) == (CREATED, "in", "a+b%20c.jpg")
    assert (record.size, record.etag, record.sequencer, record.version) == (None, "", "", NO_VERSION)


@pytest.mark.parametrize("key", KEYS)
def test_a_key_is_decoded_from_s3_and_left_alone_from_eventbridge(key):
    assert from_notification(s3_record(key)).key == key
    assert from_eventbridge(eventbridge(key)).key == key


@pytest.mark.parametrize(
    ("encoded", "key"),
    [
        ("my+photo.jpg", "my photo.jpg"),
        ("my%20photo.jpg", "my photo.jpg"),
        ("a%2Bb", "a+b"),
        ("folder%2Fa", "folder/a"),
        ("folder/a", "folder/a"),
        ("100%25", "100%"),
        ("a%252Fb", "a%2Fb"),
        ("F%C3%BC%c3%9fe", "Füße"),
    ],
)
def test_a_key_of_s3_is_decoded_once_as_s3_encodes_it(encoded, key):
    raw = s3_record("x")
    raw["s3"]["object"]["key"] = encoded
    assert from_notification(raw).key == key


@given(st.text(min_size=1, alphabet=st.characters(exclude_categories=["Cs"])))
def test_every_key_comes_back_from_its_encoding(key):
    assert from_notification(s3_record(key)).key == key


def test_a_key_whose_encoding_is_not_utf8_is_an_error():
    raw = s3_record("x")
    raw["s3"]["object"]["key"] = "%FF%FE"
    with pytest.raises(DecodeError, match="UTF-8"):
        from_notification(raw)


def test_two_records_of_one_object_have_one_subject():
    one, other = from_notification(s3_record("a b")), from_eventbridge(eventbridge("a b", "Object Deleted"))
    assert one.subject == other.subject
    assert from_notification(s3_record("a b", bucket="other")).subject != one.subject
    assert from_notification(s3_record("a")).subject != one.subject


@pytest.mark.parametrize("path", ["eventName", "s3", "s3.bucket", "s3.bucket.name", "s3.object", "s3.object.key"])
@pytest.mark.parametrize("junk", [None, 5, "", [], {}])
def test_a_notification_without_a_part_or_with_junk_there_is_an_error(path, junk):
    raw = s3_record("k")
    *outer, last = path.split(".")
    inner = raw
    for name in outer:
        inner = inner[name]
    inner[last] = junk
    with pytest.raises(DecodeError, match="record"):
        from_notification(raw)
    del inner[last]
    with pytest.raises(DecodeError, match=f"lacks a field: '{last}'"):
        from_notification(raw)


@pytest.mark.parametrize("part", ["detail-type", "detail"])
def test_an_eventbridge_event_without_a_part_is_an_error_that_names_it(part):
    raw = eventbridge("k")
    del raw[part]
    with pytest.raises(DecodeError, match=f"lacks a field: '{part}'"):
        from_eventbridge(raw)


@pytest.mark.parametrize("pointer", [{"bucket": "", "key": "k"}, {"bucket": "b", "key": ""}])
def test_a_pointer_to_nothing_is_an_error(pointer):
    with pytest.raises(DecodeError, match="is empty or not a string"):
        from_pointer(pointer)


def test_details_that_are_left_out_are_none_or_empty():
    raw = s3_record("k", "ObjectRemoved:Delete")
    raw["s3"]["object"] = {"key": "k"}
    record = from_notification(raw)
    assert (record.size, record.etag, record.version_id, record.sequencer) == (None, "", "", "")


@pytest.mark.parametrize("junk", ["3", [3], {"a": 1}])
def test_a_size_that_is_no_whole_number_is_none(junk):
    assert from_notification(s3_record("k", size=junk)).size is None


def of_minio(**changes):
    """Return the sample in MinIO's documentation ("Bucket Notifications")."""
    entry = {
        "key": "folder%2Fan+image%2B1.jpg",
        "size": 84452,
        "eTag": "eb52f8e46f60a27a8a1a704e25757f30",
        "contentType": "image/jpeg",
        "userMetadata": {"content-type": "image/jpeg"},
        "sequencer": "182178E8B3728CAC",
    }
    bucket = {"name": "test-bucket", "ownerIdentity": {"principalId": "a"}, "arn": "arn:aws:s3:::test-bucket"}
    return {
        "eventVersion": "2.0",
        "eventSource": "minio:s3",
        "awsRegion": "",
        "eventTime": "2025-02-06T01:04:31.998Z",
        "eventName": "s3:ObjectCreated:Put",
        "userIdentity": {"principalId": "a"},
        "s3": {"s3SchemaVersion": "1.0", "configurationId": "Config", "bucket": bucket, "object": entry},
        "source": {"host": "192.168.1.10", "port": "", "userAgent": "MinIO (linux; amd64) minio-go/v7.0.83"},
        **changes,
    }


def of_ceph(**changes):
    """Return the sample in Ceph's documentation ("Bucket Notifications"). URL decoding would change its key."""
    entry = {
        "key": "folder/a+b%20c.jpg",
        "size": 1024,
        "eTag": "37b51d194a7513e45b56f6524f2d51f2",
        "versionId": "",
        "sequencer": "F7E6D75DC742D108",
        "metadata": [],
        "tags": [],
    }
    bucket = {"name": "mybucket1", "arn": "arn:aws:s3:zonegroup1::mybucket1", "id": "503a4c37.5332.38"}
    return {
        "eventVersion": "2.1",
        "eventSource": "ceph:s3",
        "awsRegion": "zonegroup1",
        "eventTime": "2019-11-22T13:47:35.124724Z",
        "eventName": "ObjectCreated:Put",
        "userIdentity": {"principalId": "tester"},
        "s3": {"s3SchemaVersion": "1.0", "configurationId": "mynotif1", "bucket": bucket, "object": entry},
        "eventId": "",
        "opaqueData": "me@example.com",
        **changes,
    }


def test_a_notification_of_minio_is_read():
    record = from_notification(of_minio())
    assert (record.event, record.bucket, record.key) == (CREATED, "test-bucket", "folder/an image+1.jpg")
    assert (record.size, record.etag) == (84452, "eb52f8e46f60a27a8a1a704e25757f30")
    assert from_notification(of_minio(eventName="s3:ObjectRemoved:Delete")).event == DELETED


def test_a_notification_of_ceph_is_read_and_its_key_is_not_decoded():
    record = from_notification(of_ceph())
    assert (record.event, record.bucket, record.key) == (CREATED, "mybucket1", "folder/a+b%20c.jpg")
    assert (record.size, record.etag) == (1024, "37b51d194a7513e45b56f6524f2d51f2")
    assert from_notification(of_ceph(eventName="s3:ObjectRemoved:DeleteMarkerCreated")).event == DELETED


@pytest.mark.parametrize("sample", [of_minio, of_ceph])
def test_the_sequencer_of_another_store_than_s3_orders_nothing(sample):
    record = from_notification(sample())
    assert (record.sequencer, record.version) == ("", NO_VERSION)
    assert record.created is not None
