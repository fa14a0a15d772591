"""Commands on index patterns and routing values: what they send, select, accept and print."""

from __future__ import annotations

from fnmatch import fnmatchcase
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from builders import stream_record
from fakes import NOW, Truth, records
from policies import policy

from service import TableRoute
from service.commands.backfill.task_checks import check_task
from service.commands.doctor.aliases import check_rebuilds
from service.commands.doctor.cluster import _auto_create
from service.commands.index_documents import Stored, stored
from service.commands.indices.remedies import renewal
from service.commands.inspection import look_up
from service.commands.rebuild.rebuild import RebuildOptions, is_open
from service.commands.routes.command import cells_of, in_words
from service.commands.routes.explanation import explain
from service.commands.routes.listing import listed
from service.commands.verify import Finding, Kind
from service.commands.verify.command import as_value, as_words
from service.context import Context
from service.errors import Halt, Reject
from service.model.backfill_task import BackfillTask
from service.pipeline.rereads import Rereads
from service.routing import Location, Router
from service.settings import Settings
from service.sinks.opensearch.alias_targets import Target


class Reviews(TableRoute):
    table: ClassVar = "reviews"
    key: ClassVar = {"tenant": "S", "at": "S"}
    index: ClassVar = "reviews-*"
    aliases: ClassVar = ("all",)

    def index_of(self, keys):
        return f"reviews-{keys['tenant']}"

    def routing_of(self, keys):
        return keys["at"]

    def document(self, item):
        return {"text": item["text"]}


def read(answers: list[Any], *locations: Location, missing: Any = ()) -> tuple[list[Any], list[Stored]]:
    """Read documents from a server with these answers. Return what it was asked for, and the documents."""
    asked: list[Any] = []

    def mget(body: Any) -> Any:
        asked.extend(body["docs"])
        return {"docs": answers}

    context = Context(Settings(), search=SimpleNamespace(mget=mget))
    return asked, stored(context, locations, missing)


def test_a_document_is_read_with_its_routing_value_and_others_without():
    found = {"found": True, "_version": 3, "_source": {}}
    asked, documents = read([found | {"_routing": "r"}, found], Location("i", "a", "r"), Location("i", "b"))
    assert asked == [{"_index": "i", "_id": "a", "routing": "r"}, {"_index": "i", "_id": "b"}]
    assert documents == [Stored(3, {}), Stored(3, {})]


@pytest.mark.parametrize(("routing", "found"), [("r", "other"), ("r", None), (None, "r")])
def test_a_document_with_another_routing_value_is_not_at_the_location(routing, found):
    """A shard identifies a document by its id alone: OpenSearch 3.6 answers with the routing value that it has."""
    answer = {"found": True, "_version": 3, "_source": {}, **({"_routing": found} if found else {})}
    assert read([answer], Location("i", "a", routing))[1] == [Stored(3)]


def test_only_an_index_of_a_pattern_may_be_missing():
    answer = {"_index": "i", "error": {"type": "index_not_found_exception", "reason": "no such index [i]"}}
    assert read([answer], Location("i", "a"), missing={"i"})[1] == [Stored()]
    with pytest.raises(Halt, match="no such index"):
        read([answer], Location("i", "a"), missing={"j"})


@pytest.mark.parametrize(("routing", "sent"), [("r", {"routing": "r"}), (None, {})])
def test_the_page_looks_a_document_up_with_its_routing_value(routing, sent):
    asked: list[Any] = []

    def get(**parameters: Any) -> Any:
        asked.append(parameters)
        return {"found": True, "_version": 3, "_source": {"n": 1}}

    held = look_up(Context(Settings(), search=SimpleNamespace(get=get)), Location("i", "a", routing))
    assert held == (Stored(3, {"n": 1}), "")
    assert asked == [{"index": "i", "id": "a", "realtime": True, "ignore": [404], **sent}]


def test_explain_shows_the_index_and_the_routing_value():
    (record,) = records(
        stream_record(
            table="reviews", keys={"tenant": "a", "at": "7"}, new={"tenant": "a", "at": "7", "text": "x"}
        )
    )
    explanation = explain(record, Router([Reviews()]), Rereads(Truth(), 1800.0, now=lambda: NOW), Context())
    assert '  Index -> reviews-a (routing value 7) {"text": "x"}' in in_words(explanation, record).splitlines()
    assert explanation.steps[0].actions[0]["routing"] == "7"


def test_the_list_of_routes_shows_the_pattern_and_that_there_are_routing_values():
    cells = cells_of(listed(Router([Reviews()]))[0])
    assert cells[3] == "-> index reviews-*"
    assert "routing_of()" in cells[4]


@pytest.mark.parametrize(
    ("location", "belongs", "words"),
    [
        (Location("i", "a"), None, "orphan    i/a"),
        (Location("i", "a", "r"), None, "orphan    i/a (routing value r)"),
        (Location("i", "a", "r"), Location("j", "a", "r"), "orphan    i/a (routing value r), belongs to j"),
        (
            Location("i", "a", "r"),
            Location("i", "a", "s"),
            "orphan    i/a (routing value r), belongs to the routing value s",
        ),
    ],
)
def test_verify_prints_where_an_orphan_is_and_where_it_belongs(location, belongs, words):
    found = Finding(Kind.ORPHAN, location, "mine:Reviews", {}, belongs=belongs)
    assert as_words(found, "") == words
    value = as_value(found, "")
    assert (value["index"], value["id"], value["routing"]) == (location.index, "a", location.routing)
    assert (value["belongs"] or {}).get("index") == (belongs.index if belongs else None)


STATES = {
    "searched": Target("i", "i-000001"),
    "being built": Target("i", "i-000001", also=("i-000002",)),
    "failed": Target("i", "i-000001", stale=("i-000002",)),
    "replaced": Target("i", "i-000002", also=("i-000001",), old=("i-000001",)),
    "replaced and stale": Target("i", "i-000002", stale=("i-000001",), old=("i-000001",)),
}


@pytest.mark.parametrize(
    ("what", "states"),
    [
        ({"rebuild": True}, {"searched", "being built", "failed"}),
        ({"rebuild": True, "loaded": True}, {"being built"}),
        ({"rollback": True}, {"replaced", "replaced and stale"}),
        ({"drop_old": True}, {"replaced", "replaced and stale"}),
        ({"abandon": True}, {"being built", "failed"}),
    ],
)
def test_an_operation_on_a_pattern_selects_the_indices_in_a_state_for_it(what, states):
    assert {name for name, target in STATES.items() if is_open(target, RebuildOptions(**what))} == states


def test_remedies_name_the_index_of_a_pattern():
    router = Router([Reviews()])
    target = Target("reviews-a", "reviews-a-000001", stale=("reviews-a-000002",))
    rebuild = "python -m service backfill --route=test_pattern_commands:Reviews --index=reviews-a"
    assert renewal(router, target) == f"{rebuild} --rebuild"
    (finding,) = check_rebuilds(target, [], list(router.bound))
    assert f"`{rebuild} --abandon`" in finding.remedy


@pytest.mark.parametrize(
    ("value", "warned"),
    [("true", True), ("+*", True), ("-reviews-*,-reviews-*-0*,+*", False), ("-others,+*", True), ("false", False)],
)
def test_the_doctor_warns_if_a_write_creates_an_index_of_a_pattern(value, warned):
    patient: Any = SimpleNamespace(indices={"reviews-*": []}, search=SimpleNamespace(name="s"))
    found = list(_auto_create(patient, {"action.auto_create_index": value}))
    assert bool(found) is warned
    assert all('"-reviews-*,-reviews-*-0*,+*"' in one.remedy for one in found)


@pytest.mark.parametrize(
    ("index", "accepted"),
    [
        ("reviews-a", True),
        ("reviews-b", True),
        ("reviews-a-000001", False),
        ("others", False),
        ("reviews-*", True),
    ],
)
def test_a_task_fills_only_an_index_of_its_routes(index, accepted):
    names = ("test_pattern_commands:Reviews",)
    task = BackfillTask("reviews", names, segment=0, segments=1, index=index, into=f"{index}-000002")
    router = Router([Reviews()])
    if accepted:
        assert list(check_task(task, router, "")) == list(router.bound)
    else:
        with pytest.raises(Reject, match="fills a copy of an index that its routes do not fill"):
            check_task(task, router, "")


REQUESTS = (
    "Get reviews-*/_alias",
    "Get reviews-a-000001*/_alias",
    "Get reviews-a-000001",
    "Put reviews-a-000001",
    "Post reviews-*/_search",
    "Post reviews-a/_refresh",
    "Post reviews-a-000002/_refresh",
    "Delete reviews-a/_doc/1",
    "Delete reviews-a-000002/_doc/1",
    "Put reviews-a-000001/_mapping",
    "Put _index_template/streamdex-reviews-all",
    "Get _alias/all",
    "Get reviews-a/_doc/1",
)


def test_the_policy_covers_the_requests_to_all_indices_of_a_pattern_and_to_no_others():
    url = "https://search-shop-abc.eu-west-1.es.amazonaws.com"
    allowed = []
    for operator in (False, True):
        for one in policy(
            Reviews(),
            operator=operator,
            search_url=url,
            search_auth="sigv4",
            index_templates=True,
            page_port=80 if not operator else 0,
        ):
            if one["Action"][0].startswith("es:"):
                resources = one["Resource"] if isinstance(one["Resource"], list) else [one["Resource"]]
                method = one["Action"][0].removeprefix("es:ESHttp")
                allowed += [f"{method} {resource.partition(':domain/shop/')[2]}" for resource in resources]
    missing = [request for request in REQUESTS if not any(fnmatchcase(request, one) for one in allowed)]
    assert missing == []
    for request in ("Put others-000001", "Post others/_search", "Delete rev/_doc/1"):
        assert not any(fnmatchcase(request, one) for one in allowed)
