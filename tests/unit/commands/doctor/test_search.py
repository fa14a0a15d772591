"""Findings about the search server and its indices: each fault is named with a remedy, and nothing else."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from opensearchpy.exceptions import ConnectionTimeout, SSLError
from planted import HEALTH, NOW, SETTINGS, Clinic, index_of

from routes.images import Images
from service.bootstrap.selection import choose
from service.commands.doctor import ERROR, NOTE, WARNING, DoctorContext, diagnose
from service.commands.doctor.cluster import creates
from service.commands.doctor.settings import seconds_of
from service.context import Context
from service.entrypoints.command_list import command_of
from service.errors import SettingsError
from service.model import ObjectRecord
from service.routing import Action, BucketRoute, Index

SERVER = "search server http://search"


def answer(path: str, value: Any) -> Callable[[Clinic], None]:
    def plant(clinic: Clinic) -> None:
        clinic.search.answers[path] = value

    return plant


def status(number: int, request: str = "GET /") -> Callable[[Clinic], None]:
    def plant(clinic: Clinic) -> None:
        clinic.search.statuses[request] = number

    return plant


def setting(name: str, value: Any) -> Callable[[Clinic], None]:
    """Set a persistent setting of the cluster."""
    return lambda clinic: clinic.search.answers[SETTINGS]["persistent"].update({name: value})


def health(**counts: int) -> Callable[[Clinic], None]:
    return lambda clinic: clinic.search.answers[HEALTH].update(counts)


def index(**settings: Any) -> Callable[[Clinic], None]:
    return indices({"images-000001": index_of(settings=settings, images={})})


def indices(there: dict[str, Any]) -> Callable[[Clinic], None]:
    """Replace the indices of the server."""

    def plant(clinic: Clinic) -> None:
        clinic.search.indices = there

    return plant


def beside(name: str, **aliases: Any) -> Callable[[Clinic], None]:
    """Add an index next to the one that is searched."""
    return lambda clinic: clinic.search.indices.update({name: index_of(**aliases)})


def mapping(**properties: Any) -> Callable[[Clinic], None]:
    """Change fields in the mapping of the index. None removes a field."""

    def plant(clinic: Clinic) -> None:
        fields = {**Images.mapping["properties"], **properties}
        there = {name: field for name, field in fields.items() if field is not None}
        clinic.search.indices["images-000001"]["mappings"]["properties"] = there

    return plant


def alias(*says: bool | None) -> Callable[[Clinic], None]:
    """Point the alias to one index per value. Each value is its `is_write_index`; None leaves it out."""
    said = [{} if one is None else {"is_write_index": one} for one in says]
    return indices({f"images-{number:06d}": index_of(images=of) for number, of in enumerate(said, 1)})


def both(*plants: Callable[[Clinic], Any]) -> Callable[[Clinic], None]:
    def plant(clinic: Clinic) -> None:
        for one in plants:
            one(clinic)

    return plant


MANY = {f"f{number}": {"type": "keyword", "fields": {"text": {"type": "text"}}} for number in range(400)}

PLANTED: list[tuple[str, Callable[[Clinic], Any], tuple[str, str, str], str]] = [
    (
        "something else at the address",
        answer("/", {"hello": 1}),
        ("endpoints", SERVER, ERROR),
        "not an OpenSearch",
    ),
    ("a page at the address", answer("/", "<html>"), ("endpoints", SERVER, ERROR), "not an OpenSearch"),
    ("a path that leads nowhere", answer("/", None), ("endpoints", SERVER, ERROR), "GET / returns 404"),
    ("a server that is not well", status(503), ("endpoints", SERVER, ERROR), "503"),
    ("no credentials", status(401), ("credentials", SERVER, ERROR), "rejects the service's credentials (401)"),
    (
        "credentials that may do nothing",
        both(status(403), status(403, "POST /_bulk")),
        ("credentials", SERVER, ERROR),
        "rejects the service's credentials (403)",
    ),
    ("a user who may only write", status(403), ("permissions", SERVER, NOTE), "not checked"),
    (
        "settings that are not shown",
        status(403, f"GET {SETTINGS}"),
        ("permissions", SERVER, NOTE),
        "not checked",
    ),
    (
        "a server that makes indices by itself",
        setting("action.auto_create_index", "true"),
        ("index", SERVER, WARNING),
        "if images is deleted",
    ),
    (
        "a read-only server",
        setting("cluster.blocks.read_only", "true"),
        ("limits", SERVER, ERROR),
        "rejects writes",
    ),
    (
        "as many shards as there may be",
        health(active_shards=799),
        ("limits", SERVER, WARNING),
        "800 of at most 1000",
    ),
    (
        "an index that is missing, and nobody to make it",
        both(indices({}), lambda clinic: clinic.change(create_indices=False)),
        ("index", "index images", ERROR),
        "does not exist",
    ),
    (
        "a write block",
        index(blocks={"write": "true"}),
        ("index", "index images-000001", ERROR),
        "index.blocks.write is set",
    ),
    (
        "a disk that was full",
        index(blocks={"read_only_allow_delete": "true"}),
        ("index", "index images-000001", ERROR),
        "read_only_allow_delete",
    ),
    ("an index that forgets soon", index(gc_deletes="60s"), ("index", "index images-000001", ERROR), "after 60s"),
    ("an index that forgets at once", index(gc_deletes="-1"), ("index", "index images-000001", ERROR), "after -1"),
    (
        "an index that forgets when records are doubted",
        index(gc_deletes="1800s"),
        ("index", "index images-000001", ERROR),
        "1800 s (hint_after)",
    ),
    (
        "a field of another type",
        mapping(title={"type": "keyword"}, metadata={"properties": {}}),
        ("mapping", "index images-000001", ERROR),
        "metadata: type object -> flat_object; title: type keyword -> text",
    ),
    (
        "a type that the first number decided",
        mapping(price={"type": "long"}, more={"properties": {"rate": {"type": "float"}, "n": {"type": "double"}}}),
        ("mapping", "index images-000001", WARNING),
        "more.rate (float), price (long): searches and sums lose fractions",
    ),
    (
        "numbers whose type the first one will decide",
        lambda clinic: clinic.search.indices["images-000001"]["mappings"].pop("dynamic_templates"),
        ("mapping", "index images-000001", WARNING),
        "dynamic_templates",
    ),
    ("a field that is not there", mapping(caption=None), ("mapping", "index images-000001", WARNING), "caption"),
    (
        "as many fields as there may be",
        mapping(**MANY),
        ("limits", "index images-000001", WARNING),
        "805 of at most 1000 fields",
    ),
    (
        "an alias without an index that is written",
        alias(None, None),
        ("alias", "alias images", ERROR),
        "images-000001, images-000002",
    ),
    (
        "an alias of two that are written",
        alias(True, True),
        ("alias", "alias images", ERROR),
        "exactly one write index",
    ),
    (
        "an alias that may not be written",
        alias(False),
        ("alias", "alias images", ERROR),
        "exactly one write index",
    ),
    (
        "an alias that was rolled over",
        alias(False, True),
        ("alias", "alias images", ERROR),
        "found twice",
    ),
    (
        "an alias that will be rolled over",
        index(plugins={"index_state_management": {"rollover_alias": "images"}}),
        ("alias", "index images-000001", WARNING),
        "index.plugins.index_state_management.rollover_alias is set",
    ),
    (
        "an alias that Elasticsearch will roll over",
        index(lifecycle={"name": "p", "rollover_alias": "images"}),
        ("alias", "index images-000001", WARNING),
        "index.lifecycle.rollover_alias is set",
    ),
    (
        "an index whose alias is gone",
        indices({"images-000003": index_of()}),
        ("alias", "alias images", ERROR),
        "the next write creates images-000004",
    ),
    (
        "an index whose alias is gone, and nobody to make another",
        both(indices({"images-000003": index_of()}), lambda clinic: clinic.change(create_indices=False)),
        ("alias", "alias images", ERROR),
        "may belong to it: images-000003",
    ),
    (
        "an index that is no alias",
        indices({"images": index_of()}),
        ("alias", "index images", WARNING),
        "not an alias",
    ),
    (
        "a rebuild that nobody ended",
        beside("images-000002", images__also={}, images__new={}),
        ("rebuild", "index images-000002", WARNING),
        "a rebuild of images that is running or was interrupted",
    ),
    (
        "a rebuild that has failed",
        beside("images-000002", images__new={}),
        ("rebuild", "index images-000002", WARNING),
        "the rebuild of images failed",
    ),
    (
        "an index that was replaced, and is kept",
        beside("images-000000", images__also={}, images__old={}),
        ("rebuild", "index images-000000", WARNING),
        "replaced by images-000001 and is kept",
    ),
    (
        "an index that was replaced, and has missed writes",
        beside("images-000000", images__old={}),
        ("rebuild", "index images-000000", WARNING),
        "has missed writes since: a rollback would lose them",
    ),
    (
        "an index that nobody uses",
        beside("images-000000"),
        ("rebuild", "index images-000000", WARNING),
        "neither written nor searched",
    ),
]


@pytest.mark.long(after=12)
@pytest.mark.parametrize(("plant", "expected", "words"), [p[1:] for p in PLANTED], ids=[p[0] for p in PLANTED])
def test_each_fault_is_named_alone(clinic: Clinic, plant, expected, words):
    plant(clinic)
    (found,) = clinic.findings()
    assert (found.topic, found.subject, found.severity) == expected
    assert words in found.problem
    assert found.remedy


@pytest.mark.parametrize(
    "plant",
    [
        indices({}),  # the service creates it
        indices({"products": index_of(images={})}),
        beside("images-000002", old={}),  # an index of the operator
        beside("images-thumbnails"),
        alias(True),
        index(lifecycle={"name": "p", "rollover_alias": "another"}),
        setting("action.auto_create_index", "-images,-images-0*,+*"),
        index(gc_deletes="1801s"),
        health(active_shards=798),
    ],
)
def test_what_is_as_it_should_be_is_not_mentioned(clinic: Clinic, plant):
    plant(clinic)
    assert clinic.findings() == []


@pytest.mark.parametrize(
    ("plant", "commands"),
    [
        (indices({"images": index_of()}), ["--rebuild --replace-index"]),
        (beside("images-000002", images__also={}, images__new={}), ["--rebuild", "--abandon"]),
        (beside("images-000002", images__new={}), ["--rebuild", "--abandon"]),
        (beside("images-000000", images__also={}, images__old={}), ["--drop-old", "--rollback"]),
        (beside("images-000000", images__old={}), ["--drop-old", "--rollback --accept-stale"]),
        (mapping(title={"type": "keyword"}), ["--rebuild"]),
    ],
)
def test_remedies_are_commands_that_can_be_run(clinic: Clinic, plant, commands):
    plant(clinic)
    (found,) = clinic.findings()
    told = re.findall(r"`python -m service (.*?)`", found.remedy)
    assert told == [f"backfill --route=images:Images {options}" for options in commands]
    for words in told:
        name, *options = words.split()
        choose(*command_of(name).options(), arguments=options)  # raises for an unknown option


class Uploads(BucketRoute):
    bucket: ClassVar = "images-in"
    index: ClassVar = "images"

    def created(self, upload: ObjectRecord, context: Context) -> list[Action]:
        return [Index({"key": upload.key})]


def test_an_index_that_no_scan_fills_gets_its_alias_otherwise(clinic: Clinic):
    clinic.serve(Uploads())
    indices({"images": index_of()})(clinic)
    (found,) = [finding for finding in clinic.findings() if finding.topic == "alias"]
    assert "/_reindex" in found.remedy
    assert "backfill" not in found.remedy


def test_the_index_that_is_written_is_the_one_that_is_looked_at(clinic: Clinic):
    alias(False, True)(clinic)
    clinic.search.indices["images-000001"]["settings"]["index"]["gc_deletes"] = "60s"
    assert [found.subject for found in clinic.findings()] == ["alias images"]
    clinic.search.indices["images-000002"]["settings"]["index"]["gc_deletes"] = "60s"
    assert [found.subject for found in clinic.findings()] == ["alias images", "index images-000002"]


def test_an_alias_that_was_rolled_over_is_mended_as_the_remedy_says(clinic: Clinic):
    alias(False, True, None)(clinic)
    (found,) = clinic.findings()
    actions = json.loads(re.search(r"POST /_aliases (\{.*\}),", found.remedy)[1])["actions"]
    assert [action["remove"] for action in actions] == [
        {"index": "images-000001", "alias": "images"},
        {"index": "images-000003", "alias": "images"},
    ]
    for action in actions:
        clinic.search.indices[action["remove"]["index"]]["aliases"].clear()
    assert {found.topic for found in clinic.findings()} == {"rebuild"}  # the indices without an alias remain
    (command,) = re.findall(r"`python -m service verify (.*?)`", found.remedy)
    choose(*command_of("verify").options(), arguments=command.split())


def test_an_index_that_goes_while_it_is_looked_at_is_left_alone(clinic: Clinic):
    clinic.search.answers["/images-000001"] = None
    assert clinic.findings() == []


def test_a_user_who_may_only_do_what_the_service_does_still_learns_of_aliases(clinic: Clinic):
    status(403)(clinic)
    status(403, "GET /images-000001")(clinic)
    assert [finding.severity for finding in clinic.findings()] == [NOTE]
    alias(False)(clinic)
    assert [(finding.topic, finding.severity) for finding in clinic.findings()] == [
        ("permissions", NOTE),
        ("alias", ERROR),
    ]
    status(403, "GET /images*/_alias")(clinic)
    assert [(finding.topic, finding.severity) for finding in clinic.findings()] == [
        ("permissions", NOTE),
        ("credentials", ERROR),
    ]


@pytest.mark.parametrize(
    ("value", "made"),
    [
        ("true", True),
        ("false", False),
        ("-images,+*", False),
        ("+*,-images", True),
        ("logs-*", False),
        ("+im*", True),
        ("images", True),
    ],
)
def test_the_first_pattern_that_matches_says_whether_an_index_is_made(value, made):
    assert creates(value, "images") is made


@pytest.mark.parametrize(
    ("text", "seconds"), [("1h", 3600), ("90s", 90), ("2d", 172800), ("5m", 300), ("1500ms", 1.5), ("60 s", 60)]
)
def test_times_of_opensearch_are_read(text, seconds):
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "-1", "1", "h", "1 fortnight"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(SettingsError):
        seconds_of(text)


def alone(clinic: Clinic, **settings: Any) -> list[Any]:
    """Return the findings with a search client that the service makes."""
    clinic.change(**settings)
    with Context(clinic.settings, **vars(clinic.clients)) as context:
        return list(diagnose(DoctorContext(context, clinic.router, lambda: NOW)))


def test_an_address_that_is_not_set_is_named(clinic: Clinic):
    (found,) = alone(clinic, search_url="")
    assert (found.topic, found.subject) == ("endpoints", "search server")
    assert "SEARCH_URL is not set" in found.problem


def test_a_server_that_does_not_answer_is_asked_once(clinic: Clinic):
    clinic.search.trouble = ConnectionTimeout("TIMEOUT", "timed out", TimeoutError())
    (found,) = clinic.findings()
    assert found.problem == "it does not answer: timed out"
    assert clinic.search.asked == ["GET /"]


def test_a_certificate_that_is_not_trusted_is_named_with_what_to_set(clinic: Clinic):
    clinic.search.trouble = SSLError("N/A", "self-signed certificate", OSError())
    (found,) = clinic.findings()
    assert "its certificate is not trusted: self-signed" in found.problem
    assert "SEARCH_CA_CERTS" in found.remedy


def test_an_address_where_nothing_listens_is_named_without_its_password(clinic: Clinic):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://user:secret@127.0.0.1:{free.getsockname()[1]}"
        (found,) = alone(clinic, search_url=url)
    assert found.topic == "endpoints"
    assert "does not answer" in found.problem
    assert "secret" not in json.dumps(vars(found))


@pytest.mark.parametrize(("ahead", "severity"), [(61, WARNING), (-120, WARNING), (301, ERROR)])
def test_a_clock_that_is_off_is_named(clinic: Clinic, ahead, severity):
    clinic.search.ahead = ahead
    (found,) = clinic.findings()
    assert (found.topic, found.subject, found.severity) == ("clock", SERVER, severity)
    assert f"{abs(ahead)} s {'ahead of' if ahead > 0 else 'behind'}" in found.problem


@pytest.mark.parametrize("ahead", [-400, 400])
def test_a_clock_of_aws_that_is_off_is_named_once(clinic: Clinic, ahead):
    clinic.clients.ahead = ahead
    (found,) = clinic.findings()
    assert (found.topic, found.subject, found.severity) == ("clock", "AWS", ERROR)


@pytest.mark.parametrize("ahead", [-59, 59])
def test_a_clock_that_is_about_right_is_not_mentioned(clinic: Clinic, ahead):
    clinic.search.ahead = ahead
    assert clinic.findings() == []


def test_a_check_that_fails_itself_is_named_and_the_others_go_on(clinic: Clinic):
    clinic.search.answers[HEALTH]["active_shards"] = "many"
    index(gc_deletes="60s")(clinic)
    failed, forgetful = clinic.findings()
    assert (failed.topic, failed.subject) == ("doctor", "check of cluster")
    assert "ValueError" in failed.problem
    assert forgetful.subject == "index images-000001"
