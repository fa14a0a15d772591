"""Findings about the pipelines that routes declare or name."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from planted import Clinic

from routes.images import Images, ImageUploads
from service.commands.doctor import ERROR, WARNING, Finding

BODY = {"processors": [{"set": {"field": "v", "value": 1}}]}
SEARCH = {"request_processors": [{"filter_query": {}}]}


class Declaring(Images):
    pipeline: ClassVar = "embed"
    pipelines: ClassVar = {"embed": BODY}
    search_pipelines: ClassVar = {"hybrid": SEARCH}


class Naming(Images):
    pipeline: ClassVar = "theirs"


def found(clinic: Clinic, route: Any, answers: dict[str, Any], **settings: Any) -> list[Finding]:
    clinic.change(**settings)
    clinic.serve(route(), ImageUploads())
    clinic.search.answers |= {f"/_{path}": body for path, body in answers.items()}
    return [finding for finding in clinic.findings() if finding.topic == "pipeline"]


AS_DECLARED = {"ingest/pipeline/embed": {"embed": BODY}, "search/pipeline/hybrid": {"hybrid": SEARCH}}


def test_pipelines_that_are_as_declared_are_no_finding(clinic: Clinic):
    assert found(clinic, Declaring, AS_DECLARED) == []


def test_what_elasticsearch_adds_is_no_difference(clinic: Clinic):
    added = {**BODY, "created_date_millis": 1, "modified_date_millis": 2}
    assert found(clinic, Declaring, {**AS_DECLARED, "ingest/pipeline/embed": {"embed": added}}) == []


def test_a_pipeline_that_differs_is_a_warning_with_the_commands(clinic: Clinic):
    other = {"processors": [], "description": "of another release"}
    (finding,) = found(clinic, Declaring, {**AS_DECLARED, "ingest/pipeline/embed": {"embed": other}})
    assert (finding.subject, finding.severity) == ("ingest pipeline embed", WARNING)
    assert "ingest pipeline embed: differs in description, processors" in finding.problem
    assert finding.remedy.startswith("`python -m service indices apply --index=images`; a rebuild of images")


def test_a_missing_pipeline_is_an_error_where_the_service_does_not_create_it(clinic: Clinic):
    assert found(clinic, Declaring, {}) == []
    both = found(clinic, Declaring, {}, create_indices=False)
    assert [(one.subject, one.severity) for one in both] == [
        ("ingest pipeline embed", ERROR),
        ("search pipeline hybrid", ERROR),
    ]
    assert both[0].remedy == "`python -m service indices apply --index=images`"


def test_a_pipeline_that_others_manage_must_exist(clinic: Clinic):
    (finding,) = found(clinic, Naming, {})
    assert (finding.subject, finding.severity) == ("ingest pipeline theirs", ERROR)
    assert "create it (PUT /_ingest/pipeline/theirs)" in finding.remedy
    assert found(clinic, Naming, {"ingest/pipeline/theirs": {"theirs": BODY}}) == []


@pytest.mark.parametrize("body", [[], {"embed": []}, {"other": BODY}])
def test_an_answer_of_another_shape_is_a_finding(clinic: Clinic, body: Any):
    clinic.serve(Declaring(), ImageUploads())
    clinic.search.answers["/_ingest/pipeline/embed"] = body
    assert [one for one in clinic.findings() if one.subject == "check of pipelines" or one.topic == "endpoints"]
