"""Placement: the index and the routing value of a document are functions of its key."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from builders import stream_record
from fakes import records
from hypothesis import given
from hypothesis import strategies as st

from service import BucketRoute, CollectionRoute, Delete, Index, TableRoute
from service.errors import DeclarationError, DecodeError, Reject, SettingsError, Skip
from service.model import TableRecord
from service.pipeline.route_calls import search_write
from service.pipeline.sub_documents import names_of, sub_writes
from service.routing import Names, Router
from service.routing.placement import Location
from service.testing import insert, modify, remove, run, upload
from service.testing import location as location_in
from service.testing import record_of as record_in


class Reviews(TableRoute):
    table: ClassVar = "reviews"
    key: ClassVar = {"tenant": "S", "at": "S"}
    index: ClassVar = "reviews-*"

    def index_of(self, keys):
        return f"reviews-{keys['tenant']}-{keys['at'][:7]}"

    def routing_of(self, keys):
        return keys["tenant"]

    def document(self, item):
        return {"text": item.get("text")}


def variant(base: Any = Reviews, **declared: Any) -> Any:
    return type("Mine", (base,), declared)()


def item(tenant: str = "acme", at: str = "2026-01-31") -> dict[str, Any]:
    return {"tenant": tenant, "at": at, "text": "fine"}


def location(tenant: str, at: str = "2026-01-31", names: Any = None, route: Any = None) -> Location:
    """Return the location of the document of a key."""
    (bound,) = Router([route or Reviews()], Names(names)).bound
    return bound.location(record_in(Reviews(), insert(item(tenant, at))))


def test_a_write_has_the_index_and_the_routing_value_of_its_key():
    (bound,) = Router([Reviews()]).bound
    write = search_write(bound, record_in(Reviews(), insert(item())), Index({}))
    assert (write.target, write.id, write.routing) == ("reviews-acme-2026-01", "acme|2026-01-31", "acme")


def test_a_route_without_these_methods_has_no_placement_and_no_routing_value():
    (bound,) = Router([variant(TableRoute, table="t", key={"id": "S"}, index="i", document=lambda *_: {})]).bound
    (record,) = records(stream_record(new={"id": "a"}))
    assert bound.placement is None
    assert search_write(bound, record, Index({})).routing is None
    assert bound.location(record) == Location("i", "a")


def test_a_route_may_have_a_routing_value_in_a_single_index():
    plain = variant(TableRoute, table="t", key={"id": "S"}, index="i", document=lambda *_: {})
    routed = variant(type(plain), routing_of=lambda self, keys: keys["id"][0])
    (bound,) = Router([routed]).bound
    (record,) = records(stream_record(new={"id": "abc"}))
    assert bound.location(record) == Location("i", "abc", "a")


def test_documents_of_objects_are_placed_by_bucket_and_key():
    uploads = variant(
        BucketRoute,
        bucket="in",
        index="files-*",
        created=lambda *_: [Index({})],
        deleted=lambda *_: [Delete()],
        index_of=lambda self, keys: f"files-{keys['key'].partition('/')[0]}",
        routing_of=lambda self, keys: keys["bucket"],
    )
    (bound,) = Router([uploads]).bound
    assert bound.location(record_in(uploads, upload("acme/a.pdf"))) == Location("files-acme", "acme/a.pdf", "in")


@pytest.mark.parametrize(
    ("prefix", "routing"),
    [("", "acme"), ("2026-01", "acme/2026-01")],
)
def test_a_collection_has_one_place_whichever_of_its_items_changes(prefix, routing):
    class Months(CollectionRoute):
        table: ClassVar = "reviews"
        key: ClassVar = {"tenant": "S", "at": "S"}
        index: ClassVar = "months-*"

        def index_of(self, keys):
            return f"months-{keys['tenant']}"

        def routing_of(self, keys):
            return "/".join(keys.values())

        def document(self, items):
            return {"count": len(items)}

    if prefix:
        Months.sort_prefix = lambda self, sort: sort[: len(prefix)]
    (bound,) = Router([Months()]).bound
    places = {
        bound.location(r)
        for at in ("2026-01-01", "2026-01-02")
        for r in records(stream_record(new=item("acme", at), keys={"tenant": "acme", "at": at}))
    }
    assert {(place.index, place.routing) for place in places} == {("months-acme", routing)}
    assert len(places) == 1


def test_all_documents_of_an_item_have_the_place_of_its_key():
    chunks = variant(
        document=TableRoute.document,
        documents_of=lambda self, item: {str(at): {"chunk": word} for at, word in enumerate(item["text"].split())},
    )
    (bound,) = Router([chunks]).bound
    changed = modify(item() | {"text": "one two three"}, item() | {"text": "one"})
    record = record_in(chunks, changed)
    assert isinstance(record, TableRecord)
    writes = sub_writes(bound, record, names_of(bound, record)[0])
    assert [write.kind for write in writes] == ["Index", "Delete", "Delete"]
    assert {(write.target, write.routing) for write in writes} == {("reviews-acme-2026-01", "acme")}


def test_a_test_of_a_route_sees_where_a_document_goes():
    assert location_in(Reviews(), remove(item())) == Location("reviews-acme-2026-01", "acme|2026-01-31", "acme")
    with pytest.raises(Reject, match="does not match the pattern"):
        location_in(variant(index_of=lambda self, keys: "others"), remove(item()))


def test_names_map_the_pattern_and_keep_the_text_in_place_of_the_star():
    assert location("acme", names={"index/reviews-*": "prod-reviews-*"}).index == "prod-reviews-acme-2026-01"
    assert location("acme", names={"index/reviews-*": "r-*-prod"}).index == "r-acme-2026-01-prod"


@pytest.mark.parametrize(
    ("logical", "actual"),
    [
        ("reviews-*", "reviews"),
        ("reviews", "reviews-*"),
        ("reviews-*", "*"),
        ("reviews-*", "*-reviews"),
        ("reviews-*", "a-*-*"),
        ("reviews-*", "A-*"),
        ("reviews-*", "a-*--new"),
    ],
)
def test_a_pattern_that_is_mapped_to_no_pattern_is_an_error_that_names_both(logical, actual):
    with pytest.raises(SettingsError, match="Map an index pattern to another one") as caught:
        Names({f"index/{logical}": actual})
    assert logical in str(caught.value)
    assert actual in str(caught.value)


HOSTILE = [
    "../_all",
    "ACME",
    "x" * 300,
    "",
    "a,b",
    "a*",
    "<a>",
    "a b",
    "a\n",
    'a"',
    "$(reboot)",
    "a/../b",
    "a%2fb",
    "\ud800",
    "e\u0301",
    "\u0130",
    "a-000001",
    "a--also",
    "a--new",
    "a--old",
]


def index_or_reason(tenant: str) -> str:
    """Return the index of a document of a tenant, or the reason of its dead letter."""
    (bound,) = Router([variant(index_of=lambda self, keys: f"reviews-{keys['tenant']}")]).bound
    record = record_in(Reviews(), insert(item("a")))
    record.raw["dynamodb"]["Keys"]["tenant"]["S"] = tenant
    try:
        return bound.location(record).index
    except (DecodeError, Reject) as error:
        return str(error)


@pytest.mark.parametrize("tenant", HOSTILE)
def test_a_hostile_name_is_a_dead_letter(tenant):
    reason = index_or_reason(tenant)
    assert "index_of() returned" in reason or reason == "the key is not valid Unicode"
    assert len(reason) < 400


@pytest.mark.parametrize("tenant", ["_alias", "_all", "..", "-"])
def test_a_name_that_would_be_another_resource_alone_is_harmless_within_the_pattern(tenant):
    assert index_or_reason(tenant) == f"reviews-{tenant}"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("others-a", r"'others-a': it does not match the pattern 'reviews-\*'"),
        ("reviews-", r"does not match the pattern"),
        ("reviews", r"does not match the pattern"),
        ("reviews-A", r"only letters in lower case"),
        ("reviews-a-000001", r"the service adds endings such as -000001"),
        ("reviews-" + "x" * 241, r"at most 248 bytes"),
        (None, r"returned NoneType: return the name of an index"),
        (7, r"returned int"),
    ],
)
def test_an_index_that_cannot_be_used_is_a_dead_letter_with_the_reason(answer, reason):
    route = variant(index_of=lambda self, keys: answer)
    with pytest.raises(Reject, match=reason):
        run(route, insert(item()))


def test_the_longest_name_is_one_that_the_index_behind_it_can_have():
    route = variant(index_of=lambda self, keys: "reviews-" + "x" * 240)
    assert run(route, insert(item())) == [Index({"text": "fine"})]


@pytest.mark.parametrize(
    ("value", "reason"), [("", "an empty text"), (None, "NoneType"), (7, "int"), (b"a", "bytes")]
)
def test_a_routing_value_that_is_no_text_is_a_dead_letter_with_the_reason(value, reason):
    with pytest.raises(Reject, match=rf"routing_of\(\) returned {reason}: return a text"):
        run(variant(routing_of=lambda self, keys: value), remove(item()))


@pytest.mark.parametrize(
    ("mine", "message"),
    [
        (variant(index="*"), r"must be a valid index name with one \*"),
        (variant(index="*-reviews"), r"not its first character"),
        (variant(index="a-*-*"), r"one \*"),
        (variant(index="A-*"), r"valid index name"),
        (variant(index="a-*--old"), r"must not end like the names that the service makes"),
        (variant(index="reviews"), r"has index_of\(\), but its index is no pattern"),
        (variant(index_of=TableRoute.index_of), r"does not name the index of a document\. Implement index_of"),
        (
            variant(mapping={"_routing": {"required": True}}, routing_of=TableRoute.routing_of),
            r"Implement routing_of",
        ),
        (
            variant(
                index="",
                index_of=TableRoute.index_of,
                document=TableRoute.document,
                insert=lambda *_: [],
                writes={"table": "x"},
            ),
            r"has routing_of\(\), but no index",
        ),
    ],
)
def test_a_declaration_that_cannot_work_is_refused_at_start(mine, message):
    with pytest.raises(DeclarationError, match=message):
        Router([mine])


@pytest.mark.parametrize(
    ("index", "index_of"),
    [
        ("reviews", None),
        ("reviews-acme", None),
        ("reviews-a-*", Reviews.index_of),
        ("rev*", Reviews.index_of),
        ("r*s-x", Reviews.index_of),
    ],
)
def test_indices_that_could_be_one_are_refused_at_start(index, index_of):
    others = variant(index=index, table="others", index_of=index_of or TableRoute.index_of)
    with pytest.raises(DeclarationError, match="one index could belong to both"):
        Router([Reviews(), others])


def test_indices_that_names_keep_apart_are_taken():
    others = variant(index="reviews-a-*", table="others")
    Router([Reviews(), others], Names({"index/reviews-a-*": "others-*"}))


def test_two_routes_of_a_pattern_whose_ids_can_meet_are_refused_at_start():
    with pytest.raises(DeclarationError, match=r"could write the same document of index 'reviews-\*'"):
        Router([Reviews(), variant(table="others")])
    Router([variant(where={"tenant": "a*"}), variant(where={"tenant": "b*"})])


def test_an_alias_that_the_pattern_matches_is_refused_at_start():
    with pytest.raises(DeclarationError, match="'reviews-all' is already the index of a route"):
        Router([variant(aliases=("reviews-all",))])
    Router([variant(aliases=("reviews",))])


def test_the_owners_and_the_declaration_of_an_index_of_a_pattern_are_those_of_the_pattern():
    router = Router([variant(mapping={"dynamic": "strict"})], Names({"index/reviews-*": "prod-*"}))
    (bound,) = router.bound
    for name in ("prod-*", "prod-a"):
        assert router.owners(name) == [bound]
        declared = router.declaration(name)
        assert declared is not None
        assert (declared.name, declared.mapping) == (name, {"dynamic": "strict"})
    for name in ("prod-a-000001", "prod-a--new", "prod-", "others"):
        assert router.owners(name) == []
        assert router.declaration(name) is None


@pytest.mark.parametrize(
    ("typed", "actual"),
    [
        ("reviews-*", "prod-*"),
        ("prod-*", "prod-*"),
        ("reviews-a", "prod-a"),
        ("prod-a", "prod-a"),
        ("prod-a-000001", None),
        ("reviews", None),
        ("others-*", None),
    ],
)
def test_an_operator_names_a_pattern_or_one_of_its_indices(typed, actual):
    router = Router([Reviews()], Names({"index/reviews-*": "prod-*"}))
    assert router.index_named(typed) == actual


def test_the_filling_of_one_index_skips_the_documents_of_the_others():
    names = Names({"index/reviews-*": "prod-*"}).filling("prod-acme-2026-01", "prod-acme-2026-01-000002")
    (bound,) = Router([Reviews()], names).bound
    assert bound.index == "prod-acme-2026-01-000002"
    assert bound.location(record_in(Reviews(), insert(item()))).index == "prod-acme-2026-01-000002"
    with pytest.raises(Skip):
        bound.location(record_in(Reviews(), insert(item(at="2026-02-01"))))


def test_the_filling_of_a_single_index_takes_its_documents():
    plain = variant(TableRoute, table="t", key={"id": "S"}, index="i", document=lambda *_: {})
    (bound,) = Router([plain], Names({"index/i": "prod"}).filling("prod", "prod-000002")).bound
    assert bound.index == "prod-000002"


letters = st.text(st.characters(categories=["Ll", "Nd"], include_characters="-_."), min_size=1, max_size=20)


@given(letters, letters)
def test_every_event_of_a_key_goes_to_one_place_and_names_map_one_to_one(tenant, other):
    def places(name: str, names: Any = None) -> set[Location]:
        route = variant(index_of=lambda self, keys: f"reviews-{keys['tenant']}")
        (bound,) = Router([route], Names(names)).bound
        keys = {"tenant": name, "at": "2026-01"}
        found = set()
        for event in ("INSERT", "MODIFY", "REMOVE"):
            images = {"new": keys | {"text": event}} if event != "REMOVE" else {"old": keys}
            (record,) = records(stream_record(event, keys=keys, **images))
            try:
                found.add(bound.location(record))
            except Reject:
                found.add(Location("", name))
        return found

    mapped = {"index/reviews-*": "prod-*-x"}
    (one,), (two,) = places(tenant), places(other)
    (one_mapped,), (two_mapped,) = places(tenant, mapped), places(other, mapped)
    assert (one == two) == (tenant == other)
    assert (one_mapped == two_mapped) == (tenant == other)
