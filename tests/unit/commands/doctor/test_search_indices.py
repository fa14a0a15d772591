"""Findings about indices and aliases: their remedies can be run, and only the write index is checked."""

from __future__ import annotations

import json
import re
from typing import ClassVar

import pytest
from planted import Clinic, index_of
from planted_search import alias, beside, indices, mapping, status

from service.bootstrap.selection import choose
from service.commands.doctor import ERROR, NOTE
from service.commands.doctor.cluster import creates
from service.commands.doctor.settings import seconds_of
from service.context import Context
from service.entrypoints.command_list import command_of
from service.errors import SettingsError
from service.model import ObjectRecord
from service.routing import Action, BucketRoute, Index


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
        choose(*command_of(name).options, arguments=options)  # raises for an unknown option


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
    choose(*command_of("verify").options, arguments=command.split())


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
