"""Findings about contradictory settings, missing credentials, and stores that cannot be written."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import boto3
import pytest
from planted import NOW, Clinic

from service.commands.doctor import ERROR, NOTE, WARNING, DoctorContext, diagnose
from service.commands.doctor.stores import PROBE
from service.context import Context

CONTRADICTIONS: list[tuple[dict[str, Any], tuple[str, str], str]] = [
    ({"gc_deletes": "30m"}, ("hint_after", ERROR), "1800 s"),
    ({"gc_deletes": "soon"}, ("gc_deletes", ERROR), "not a time"),
    ({"retry_for": 90_000.0}, ("retry_for", ERROR), "90000 s"),
    ({"search_timeout": 400.0}, ("stall_after", ERROR), "1220 s"),
    ({"checkpoints": "dynamodb://positions", "lease_time": 5.0}, ("lease_time", WARNING), "5 s"),
    ({"search_auth": "basic", "search_user": "me"}, ("search_auth", ERROR), "SEARCH_PASSWORD"),
    ({"search_user": "me"}, ("search_auth", WARNING), "not used"),
    ({"read_queue": ()}, ("read_queue", NOTE), "no queue for the events of images-in"),
    ({"read_streams": False}, ("read_queue", NOTE), "no queue is declared to carry the changes of images"),
    ({"read_queue": ("uploads", "uploads=bucket/images-in+table/none")}, ("read_queue", WARNING), "table/none"),
    (
        {"dead_letters": "sqs://uploads", "dead_letters_large": "s3://images-in"},
        ("dead_letters", ERROR),
        "the service reads",
    ),
    ({"dead_letters": "sqs://uploads-failed"}, ("dead_letters_large", WARNING), "256 KiB"),
]


COLLECTION = {
    "search_url": "https://abc123.us-east-1.aoss.amazonaws.com",
    "search_auth": "sigv4",
    "search_service": "aoss",
}


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set credentials for clients made from settings, in moto."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("AWS_ACCOUNT_ID_ENDPOINT_MODE", "disabled")


@pytest.mark.parametrize(("settings", "expected", "words"), CONTRADICTIONS, ids=lambda value: str(value)[:40])
def test_settings_that_contradict_are_named(clinic: Clinic, settings, expected, words):
    clinic.change(**settings)
    (found,) = clinic.findings()
    assert (found.topic, found.subject, found.severity) == ("settings", *expected)
    assert words in found.problem


def test_what_is_signed_for_another_service_is_named(clinic: Clinic):
    url = "https://abcdef.eu-west-1.aoss.amazonaws.com"
    clinic.change(search_url=url, search_auth="sigv4", search_service="es")
    found = [f for f in clinic.findings() if f.topic == "settings"]
    assert [f.subject for f in found] == ["search_service"]
    assert found[0].remedy == "set SEARCH_SERVICE=aoss"


@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize(("kind", "severity"), [("SEARCH", None), ("TIMESERIES", ERROR), ("VECTORSEARCH", ERROR)])
def test_a_collection_that_gives_ids_of_its_own_is_named(clinic: Clinic, kind, severity):
    serverless = boto3.client("opensearchserverless", region_name="us-east-1")
    policy = '{"Rules":[{"ResourceType":"collection","Resource":["collection/images"]}],"KmsARN":"none"}'
    serverless.create_security_policy(name="images", type="encryption", policy=policy)
    made = serverless.create_collection(name="images", type=kind)["createCollectionDetail"]["id"]
    clinic.change(**COLLECTION | {"search_url": f"https://{made}.us-east-1.aoss.amazonaws.com"})
    found = [(f.topic, f.severity) for f in clinic.findings()]
    assert found == ([("collection", severity)] if severity else [])
    assert "GET /" not in clinic.search.asked  # collections do not have this path


@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize("denied", [False, True])
def test_a_collection_whose_type_is_not_told_is_a_note_that_says_what_to_see(clinic: Clinic, denied):
    clinic.change(**COLLECTION)
    if denied:
        clinic.deny("opensearchserverless.BatchGetCollection")
    (found,) = clinic.findings()
    assert (found.topic, found.subject, found.severity) == ("collection", "collection abc123", NOTE)
    assert ("aoss:BatchGetCollection is denied" in found.problem) == denied
    assert "SEARCH" in found.remedy


@pytest.mark.usefixtures("credentials")
def test_a_collection_that_does_not_let_the_service_look_is_an_error(clinic: Clinic):
    clinic.change(**COLLECTION)
    clinic.search.statuses["GET /images*/_alias"] = 403
    assert ("credentials", ERROR) in [(f.topic, f.severity) for f in clinic.findings()]


def own_clients(clinic: Clinic) -> list[Any]:
    """Return the findings with AWS clients made from settings, except about the clock: moto uses its own date."""
    with Context(clinic.settings, search=clinic.search) as context:
        found = diagnose(DoctorContext(context, clinic.router, lambda: NOW))
        return [finding for finding in found if finding.topic != "clock"]


def test_missing_credentials_are_named_once(clinic: Clinic, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    (found,) = own_clients(clinic)
    assert (found.topic, found.severity) == ("credentials", ERROR)
    assert "NoCredentialsError" in found.problem


def test_a_profile_that_is_not_there_is_named(clinic: Clinic):
    clinic.change(aws_profile="nobody")
    (found,) = own_clients(clinic)
    assert found.topic == "credentials"
    assert "nobody" in found.problem


def test_credentials_that_are_refused_are_named_and_not_as_missing_permissions(clinic: Clinic):
    clinic.clients.answers["dynamodb.DescribeTable"] = (400, "UnrecognizedClientException")
    (found,) = clinic.findings()
    assert found.topic == "credentials"
    assert "UnrecognizedClientException" in found.problem


def test_a_request_that_is_refused_for_its_time_is_a_matter_of_clocks(clinic: Clinic):
    clinic.clients.answers["dynamodb.DescribeTable"] = (400, "RequestExpired")
    assert {found.topic for found in clinic.findings()} == {"clock"}


@pytest.mark.usefixtures("credentials")
def test_an_endpoint_that_is_no_address_is_named(clinic: Clinic):
    clinic.change(aws_endpoint_url_s3="nowhere")
    (found,) = own_clients(clinic)
    assert (found.topic, found.subject) == ("endpoints", "s3 at nowhere")


def test_an_endpoint_that_does_not_answer_is_named_once_for_each_service(clinic: Clinic):
    closed = "http://127.0.0.1:1"
    clinic.change(aws_endpoint_url=closed)
    (found,) = own_clients(clinic)
    assert found.topic == "endpoints"
    assert closed in found.subject


def test_one_service_of_aws_that_is_out_of_reach_keeps_no_other_from_being_looked_at(clinic: Clinic):
    """For example, the network has no route to one service."""
    clinic.clients.answers["sqs.GetQueueUrl"] = (0, "")
    clinic.deny("dynamodb.BatchGetItem")
    clinic.deny("s3.HeadObject")
    found = [(finding.topic, finding.subject) for finding in clinic.findings()]
    assert found == [
        ("endpoints", "sqs at AWS"),
        ("permissions", "table images"),
        ("permissions", "bucket images-in"),
    ]


@pytest.mark.parametrize(("name", "topic"), [("dead_letters", "dead letters"), ("checkpoints", "checkpoints")])
def test_a_store_below_what_is_a_file_is_named(clinic: Clinic, tmp_path, name, topic):
    (tmp_path / "file").write_text("x")
    clinic.change(**{name: str(tmp_path / "file" / "below" / "deep")})
    (found,) = clinic.findings()
    assert (found.topic, found.severity) == (topic, ERROR)
    assert f"{tmp_path}/file" in found.problem


def test_a_file_of_checkpoints_that_is_something_else_is_named(clinic: Clinic, tmp_path):
    (tmp_path / "checkpoints.sqlite").write_text("something else, and long enough to be looked at" * 100)
    (found,) = clinic.findings()
    assert (found.topic, found.subject) == ("checkpoints", f"file {tmp_path}/checkpoints.sqlite")
    assert "not a database" in found.problem


def test_a_file_of_checkpoints_that_is_in_use_is_fine(clinic: Clinic, tmp_path):
    connection = sqlite3.connect(tmp_path / "checkpoints.sqlite")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE positions (grp TEXT)")
    assert clinic.findings() == []
    connection.close()


@pytest.mark.parametrize(
    ("name", "path", "topic"),
    [("dead_letters", "letters", "dead letters"), ("checkpoints", "c.sqlite", "checkpoints")],
)
def test_a_store_that_other_users_may_read_is_named(clinic: Clinic, name, path, topic):
    folder = Path(tempfile.mkdtemp())  # pytest's own folders are private
    try:
        folder.chmod(0o755)
        (folder / "letters").mkdir(mode=0o755)
        (folder / "c.sqlite").touch(mode=0o644)
        clinic.change(**{name: str(folder / path)})
        (found,) = clinic.findings()
        assert (found.topic, found.severity) == (topic, WARNING)
        subprocess.run(["/bin/sh", "-c", found.remedy], check=True)
        assert clinic.findings() == []
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("where", "subject"), [("s3://absent/letters", "bucket absent"), ("sqs://absent", "queue absent")]
)
def test_a_store_of_letters_that_is_not_there_is_named(clinic: Clinic, where, subject):
    clinic.change(dead_letters=where, dead_letters_large="s3://images-in/large")
    (found,) = clinic.findings()
    assert (found.topic, found.subject, found.severity) == ("dead letters", subject, ERROR)


@pytest.mark.parametrize(
    ("where", "operation", "problem"),
    [
        ("s3://images-in/letters", "s3.PutObject", "s3:PutObject is denied"),
        ("sqs://uploads-failed", "sqs.GetQueueUrl", "sqs:GetQueueUrl is denied"),
    ],
)
def test_a_store_of_letters_that_may_not_be_written_is_named(clinic: Clinic, where, operation, problem):
    clinic.change(dead_letters=where, dead_letters_large="s3://images-in/large", read_queue=())
    clinic.deny(operation)
    assert problem in [found.problem for found in clinic.findings()]


def test_a_store_that_looks_at_digests_keeps_nothing_and_is_fine(clinic: Clinic):
    """S3 checks the digest of an upload, moto does not."""
    clinic.change(dead_letters="s3://images-in/letters")
    clinic.clients.answers["s3.PutObject"] = (400, "BadDigest")
    clinic.deny("s3.DeleteObject")
    assert clinic.findings() == []


def test_a_probe_that_cannot_be_removed_is_told(clinic: Clinic):
    clinic.change(dead_letters="s3://images-in/letters")
    clinic.deny("s3.DeleteObject")
    (found,) = clinic.findings()
    assert (found.topic, found.severity) == ("dead letters", NOTE)
    assert f"letters/{PROBE}" in found.problem
