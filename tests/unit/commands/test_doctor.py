"""`python -m service doctor`: output and exit codes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from service.commands.doctor import Finding, command
from service.entrypoints.cli import main


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch, tmp_path):
    """Remove the settings of the local environment, and make AWS unreachable."""
    for name in ("SEARCH_URL", "FUNC", "AWS_PROFILE", "READ_QUEUE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")


@pytest.fixture
def found(monkeypatch) -> list[Any]:
    """Return the list of findings that the doctor reports. Tests append to it."""
    findings: list[Any] = []
    monkeypatch.setattr(command, "diagnose", lambda patient: iter(findings))
    return findings


def test_what_is_found_is_told_with_its_remedy_and_exit_code_1(found, capsys):
    found.append(Finding("clock", "AWS", "it is late", "set it", "warning"))
    assert main(["doctor"]) == 1
    assert capsys.readouterr().out == "warning  AWS: it is late\n         -> set it\n"


def test_where_all_is_well_nothing_is_printed(found, capsys):
    assert main(["doctor"]) == 0
    assert capsys.readouterr().out == ""


def test_notes_alone_are_no_findings_to_a_script(found):
    found.append(Finding("permissions", "bucket b", "not looked at", "run it as another", "note"))
    assert main(["doctor"]) == 0


def test_scripts_get_one_object_for_each_finding(found, capsys):
    found += [Finding("clock", "AWS", "p", "r"), Finding("queue", "queue q", "p", "r", "note")]
    assert main(["doctor", "--json"]) == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        {"topic": "clock", "subject": "AWS", "problem": "p", "remedy": "r", "severity": "error"},
        {"topic": "queue", "subject": "queue q", "problem": "p", "remedy": "r", "severity": "note"},
    ]


def test_an_interrupt_ends_it_with_the_shells_code(monkeypatch):
    def interrupted(patient: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "diagnose", interrupted)
    assert main(["doctor"]) == 130


def test_a_policy_is_printed_alone_even_where_nothing_is_known_of_the_account(capsys):
    assert main(["doctor", "--policy"]) == 0
    out, err = capsys.readouterr()
    statements = json.loads(out)["Statement"]
    assert statements[0]["Sid"] == "ListStreams"
    assert statements[1]["Resource"].startswith("arn:aws:dynamodb:*:*:table/images/")
    assert "the AWS account is unknown" in err


def test_an_operator_has_a_policy_of_its_own(capsys):
    assert main(["doctor", "--policy", "--operator"]) == 0
    sids = [statement["Sid"] for statement in json.loads(capsys.readouterr().out)["Statement"]]
    assert "ScanImages" in sids
    assert "ReadStreamOfImages" not in sids


def test_help_shows_an_example_and_the_options_of_doctor_first(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["doctor", "--help"])
    assert ended.value.code == 0
    out = capsys.readouterr().out
    assert "Example: python -m service doctor --" in out
    assert out.index("--policy") < out.index("--search-url")


def test_without_anything_set_up_it_names_what_is_missing(capsys):
    assert main(["doctor", "--json"]) == 1
    topics = [(line["topic"], line["subject"]) for line in map(json.loads, capsys.readouterr().out.splitlines())]
    assert ("endpoints", "search server") in topics
    assert ("endpoints", "dynamodb at http://127.0.0.1:1") in topics
