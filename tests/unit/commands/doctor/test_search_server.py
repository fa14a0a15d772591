"""Findings about the search server: its address, its certificate and its clock."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest
from opensearchpy.exceptions import ConnectionTimeout, SSLError
from planted import HEALTH, NOW, Clinic
from planted_search import SERVER, index

from service.commands.doctor import ERROR, WARNING, DoctorContext, diagnose
from service.context import Context


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
