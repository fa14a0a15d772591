"""`routes explain`: the path of a record and its reasons, as the dispatcher decides it, without writes."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from botocore.exceptions import NoCredentialsError
from builders import s3_record, sqs_message, stream_record
from fakes import NOW, Items, Truth, records
from hypothesis import given
from hypothesis import strategies as st

from service import BucketRoute, Context, Delete, DeleteItem, Index, PutItem, TableRoute, UpdateItem
from service.commands.routes.command import in_words
from service.commands.routes.explanation import Explanation, Step, explain, version_in_words
from service.model import ObjectRecord
from service.model.versions import EPOCH
from service.pipeline.matching import match
from service.pipeline.rereads import Rereads
from service.routing import Names, Router


class Users(TableRoute):
    table: ClassVar = "single"
    key: ClassVar = {"PK": "S", "SK": "S"}
    where: ClassVar = {"PK": "USER#*", "SK": "PROFILE"}
    index: ClassVar = "users"
    ignore: ClassVar = ("REMOVE",)

    def wants(self, record):
        return "secret" not in (record.new or {})

    def document(self, item):
        return {"name": item["name"]}


class Uploads(BucketRoute):
    bucket: ClassVar = "images-in"
    suffix: ClassVar = ".jpg"
    writes: ClassVar = {"table": "images"}

    def created(self, upload, context):
        return [PutItem({"id": upload.key, "size": upload.size})]

    def deleted(self, upload, context):
        return [DeleteItem({"id": upload.key})]


class Audit(TableRoute):
    """A route that handles only new items."""

    table: ClassVar = "single"
    key: ClassVar = {"PK": "S", "SK": "S"}
    writes: ClassVar = {"table": "audit"}

    def insert(self, record, context):
        return [PutItem({"PK": record.keys["PK"]})]


def explained(raw: Any, *routes: Any, names: Any = None, **rereads: Any) -> Explanation:
    (record,) = records(raw)
    judge = Rereads(Truth(), 1800.0, now=lambda: NOW, **rereads)
    return explain(record, Router(routes, Names(names or {})), judge, Context())


def step(raw: Any, one: Any, **more: Any) -> Step:
    (found,) = explained(raw, one, **more).steps
    return found


def user(event: str = "INSERT", pk: str = "USER#1", sk: str = "PROFILE", **rest: Any) -> Any:
    keys = {"PK": pk, "SK": sk}
    image = None if event == "REMOVE" else {**keys, "name": "Ada", **rest}
    return stream_record(event, table="single", keys=keys, new=image)


def test_a_record_that_is_taken_shows_its_id_version_and_document():
    found = step(user(), Users(), names={"index/users": "users-lab"})
    assert (found.takes, found.hint, found.reason) == (True, "", "")
    assert found.id == "USER#1|PROFILE"
    assert found.version == (1_700_000_000 - EPOCH) << 32 | 1
    assert found.actions == ({"action": "Index", "target": "users-lab", "document": {"name": "Ada"}},)


@pytest.mark.parametrize(
    ("raw", "one", "reason"),
    [
        (user(), Items(), "table single does not match images"),
        (user(pk="ORDER#1"), Users(), "PK = ORDER#1 does not match USER#*"),
        (user(sk="LOGIN"), Users(), "SK = LOGIN does not match PROFILE"),
        (user(secret=True), Users(), "wants() returns False"),
        (user("REMOVE"), Users(), "it ignores REMOVE"),
        (user("MODIFY"), Audit(), "it has no method for MODIFY"),
        (user(), Uploads(), "it listens to bucket images-in"),
        (s3_record("a.jpg"), Users(), "it listens to table single"),
        (s3_record("a.png"), Uploads(), "key a.png does not match ….jpg"),
        (s3_record("a.jpg", bucket="others"), Uploads(), "bucket others does not match images-in"),
    ],
)
def test_a_record_that_is_not_taken_says_what_does_not_fit(raw, one, reason):
    found = step(raw, one)
    assert (found.takes, found.reason, found.actions) == (False, reason, ())


def test_a_name_that_stands_for_another_table_is_told():
    names = {"table/single": "single-lab"}
    assert step(user(), Users(), names=names).reason == "the setting names maps table single to another table"
    there = stream_record(table="single-lab", keys={"PK": "USER#1", "SK": "PROFILE"}, new={"name": "Ada"})
    assert step(there, Users(), names=names).takes


def test_a_route_that_fails_when_it_is_asked_says_where():
    class Picky(Items):
        def wants(self, record):
            return record.new["missing"]

    found = explained(stream_record(new={"id": "a"}), Picky())
    assert "'missing' is missing" in found.steps[0].reason
    assert not found.arrives


def test_a_document_that_cannot_be_made_is_a_dead_letter_and_told():
    raw = stream_record(table="single", keys={"PK": "USER#1", "SK": "PROFILE"}, new={"x": 1})
    found = explained(raw, Users())
    assert found.steps[0].reason.startswith("REJECTED: ")
    assert "'name' is missing" in found.steps[0].reason
    assert not found.arrives


@pytest.mark.parametrize(
    ("raw", "one", "words"),
    [
        (user(), Users(), ""),
        (stream_record("MODIFY", keys={"id": "a"}), Items(), "it lacks an image that the route needs"),
        (
            sqs_message(stream_record(new={"id": "a"}, sequence="42")),
            Items(),
            "does not order changes within a second",
        ),
        (
            sqs_message(stream_record(new={"id": "a"}, created=NOW - 3600, sequence=f"7{1:020}")),
            Items(),
            "unordered and older than hint_after (1800 s)",
        ),
        (stream_record(new={"id": "a"}, created=5), Items(), "no usable time"),
        (s3_record("a.jpg"), Uploads(), "it is unordered, and the route writes items"),
    ],
)
def test_a_hint_says_why(raw, one, words):
    found = step(raw, one)
    assert words in found.hint
    assert bool(found.hint) == bool(words)


def test_a_hint_of_a_route_that_always_looks():
    class Looking(Items):
        fetch: ClassVar = True

    class Unversioned(Items):
        versions: ClassVar = None

    for one in (Looking(), Unversioned()):
        assert step(stream_record(new={"id": "a"}), one).hint == "the route declares fetch or versions = None"
    assert step(stream_record(new={"id": "a"}), Unversioned()).version is None


def test_a_change_that_would_be_skipped_is_said_to_be_unchanged_unless_its_item_is_re_read():
    class Quiet(Items):
        skip_unchanged: ClassVar = True

    images = {"old": {"id": "a", "n": 1}, "new": {"id": "a", "n": 1, "note": 2}}
    raw = stream_record("MODIFY", **images)
    found = step(raw, Quiet())
    assert (found.takes, found.hint, found.actions) == (True, "", ())
    assert found.reason.startswith("SKIPPED: unchanged: ")
    assert explained(raw, Quiet()).arrives
    late = step(sqs_message(stream_record("MODIFY", created=NOW - 3600, sequence=f"7{1:020}", **images)), Quiet())
    assert late.hint
    assert [action["document"] for action in late.actions] == [{"n": 1}]


def test_without_an_image_the_document_is_said_to_come_from_what_is_read():
    found = step(stream_record("MODIFY", keys={"id": "a"}), Items())
    assert found.takes
    assert "built from the re-read item" in found.reason


def test_actions_of_every_kind_are_shown_as_they_are_written():
    class Each(TableRoute):
        table: ClassVar = "images"
        key: ClassVar = {"id": "S"}
        index: ClassVar = "items"
        writes: ClassVar = {"table": "others"}

        def insert(self, record, context):
            searches = [Index({"b": b"\0"}), Delete()]
            return [*searches, PutItem({"id": {"x"}}), UpdateItem({"id": "a"}), DeleteItem({"id": "a"})]

    actions = step(stream_record(new={"id": "a"}), Each()).actions
    assert actions == (
        {"action": "Index", "target": "items", "document": {"b": "AA=="}},
        {"action": "Delete", "target": "items"},
        {"action": "PutItem", "target": "others", "item": {"id": ["x"]}},
        {"action": "UpdateItem", "target": "others", "item": {"id": "a"}, "create": False},
        {"action": "DeleteItem", "target": "others", "key": {"id": "a"}},
    )


def test_a_write_to_a_table_that_routes_read_names_them():
    class Next(Items):
        table: ClassVar = "audit"

    raw = stream_record(table="single", new={"PK": "USER#1", "SK": "PROFILE"}, keys={"PK": "USER#1", "SK": "x"})
    (action,) = explained(raw, Audit(), Next()).steps[0].actions
    (name,) = action["read_by"]
    assert name.endswith("Next")


def test_a_document_that_cannot_be_json_says_so():
    class Odd(Items):
        def document(self, item):
            return {"n": float("nan")}

    (action,) = step(stream_record(new={"id": "a"}), Odd()).actions
    assert "n is not a finite number" in action["document"]


def test_what_a_route_would_look_up_and_cannot_here_is_told():
    class Looking(Uploads):
        def created(self, upload, context):
            raise NoCredentialsError

    found = explained(s3_record("a.jpg"), Looking())
    assert "its actions are unknown" in found.steps[0].reason
    assert found.arrives


@pytest.mark.parametrize(
    ("raw", "arrives"),
    [
        (user(), True),
        (user("REMOVE"), True),  # one route ignores it on purpose, the other has no method for it
        (user(pk="ORDER#1"), True),
        (user("MODIFY", pk="ORDER#1"), False),
        (stream_record(table="strangers", new={"id": "a"}), False),
        ({"eventSource": "aws:dynamodb", "dynamodb": {}}, False),
    ],
)
def test_a_record_arrives_unless_it_would_be_a_dead_letter_or_has_no_route(raw, arrives):
    assert explained(raw, Users(), Audit()).arrives == arrives


def test_versions_are_taken_apart():
    (ordered,) = records(stream_record(new={"id": "a"}, created=EPOCH + 10.0, sequence=f"5{0:020}"))
    assert (
        version_in_words(ordered.version, ordered)
        == f"{(10 << 32) + 5}: 10 s since 2012 (2012-01-01T00:00:10Z), then 5"
    )
    (upload,) = records(s3_record("a.jpg", sequencer="0055AED6DCD90281E5"))
    assert isinstance(upload, ObjectRecord)
    assert version_in_words(upload.version, upload).endswith(": from the sequencer 55AED6DCD90281E5")
    assert "no usable time" in version_in_words(0, ordered)
    assert "has no versions" in version_in_words(None, ordered)


@given(
    event=st.sampled_from(["INSERT", "MODIFY", "REMOVE"]),
    pk=st.sampled_from(["USER#1", "ORDER#1"]),
    sk=st.sampled_from(["PROFILE", "LOGIN"]),
    secret=st.booleans(),
    table=st.sampled_from(["single", "images"]),
)
def test_the_routes_that_are_said_to_take_a_record_are_those_that_the_dispatcher_asks(
    event, pk, sk, secret, table
):
    image = None if event == "REMOVE" else {"name": "Ada", **({"secret": True} if secret else {})}
    raw = stream_record(event, table=table, keys={"PK": pk, "SK": sk}, new=image)
    routes = [Users(), Audit(), Uploads(), Items()]
    (record,) = records(raw)
    asked = {task.route for task in match([record], Router(routes)) if task.bound}
    assert {one.route for one in explained(raw, *routes).steps if one.takes} == asked


class Piped(Users):
    pipeline: ClassVar = "embed"


def test_the_pipeline_of_a_document_is_shown():
    found = step(user(), Piped(), names={"pipeline/embed": "embed-lab"})
    document = {"action": "Index", "target": "users", "document": {"name": "Ada"}}
    assert found.actions == ({**document, "pipeline": "embed-lab"},)
    shown = in_words(explained(user(), Piped()), records(user())[0]).splitlines()
    assert shown[-1] == "    passes through ingest pipeline embed"


class Named(TableRoute):
    """A route with a document for each name of a user."""

    table: ClassVar = "single"
    key: ClassVar = {"PK": "S", "SK": "S"}
    where: ClassVar = {"PK": "USER#*", "SK": "PROFILE"}
    index: ClassVar = "users"

    def documents_of(self, item):
        return {name: {"name": name} for name in item["names"]}


def test_each_document_of_an_item_is_shown_with_its_id():
    keys = {"PK": "USER#1", "SK": "PROFILE"}
    old, new = ({**keys, "names": names} for names in (["Ada", "Countess"], ["Ada"]))
    raw = stream_record("MODIFY", table="single", keys=keys, old=old, new=new)
    found = step(raw, Named())
    assert (found.id, found.hint) == ("USER#1|PROFILE", "")
    parent = {"streamdex_parent": "USER#1|PROFILE"}
    assert found.actions == (
        {"action": "Index", "target": "users", "document": {"name": "Ada", **parent}, "id": "USER#1|PROFILE~/Ada"},
        {"action": "Delete", "target": "users", "id": "USER#1|PROFILE~/Countess"},
    )
    shown = in_words(explained(raw, Named()), records(raw)[0]).splitlines()
    assert shown[-1] == "  Delete -> users/USER#1|PROFILE~/Countess"


def test_a_removal_without_old_image_is_said_to_delete_what_the_index_has():
    keys = {"PK": "USER#1", "SK": "PROFILE"}
    found = step(stream_record("REMOVE", table="single", keys=keys), Named())
    assert found.hint == "it lacks an image that the route needs"
    assert "that the index has are deleted" in found.reason


def test_a_re_read_shows_unchanged_documents_and_all_that_it_deletes():
    class Quiet(Named):
        skip_unchanged: ClassVar = True

    keys = {"PK": "USER#1", "SK": "PROFILE"}
    old, new = ({**keys, "names": names} for names in (["Ada", "Countess"], ["Ada"]))
    raw = stream_record("MODIFY", table="single", keys=keys, old=old, new=new, sequence=f"7{1:020}")
    (deleted,) = step(raw, Quiet()).actions
    assert (deleted["action"], deleted["id"]) == ("Delete", "USER#1|PROFILE~/Countess")
    redriven = step(raw, Quiet(), always=True)
    assert [action["action"] for action in redriven.actions] == ["Index", "Delete"]
