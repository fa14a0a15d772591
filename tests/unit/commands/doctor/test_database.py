"""Findings about the SQL database and the bucket of CSV objects."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from planted import Clinic

from infra.shim.probes import free_port
from infra.shim.provision import provision
from routes.worker import CsvRows
from service.bootstrap.application import App
from service.commands.doctor import ERROR
from service.commands.policy import policy_of
from service.context import Context
from service.sinks.sql import ledger


@pytest.fixture
def worker(clinic: Clinic, tmp_path: Path) -> Clinic:
    """Yield a healthy deployment with only the worker route."""
    clinic.change(db_url=f"sqlite:///{tmp_path}/rows.sqlite", read_queue=("pending-worker",))
    clinic.serve(CsvRows())
    provision(App(clinic.settings, [CsvRows()], clinic.context))
    made = clinic.context.sql
    yield clinic
    made.dispose()


def test_a_worker_that_is_well_needs_nothing_and_is_left_without_a_trace(worker: Clinic):
    assert worker.findings() == []
    with worker.context.sql.connect() as connection:
        assert not connection.exec_driver_sql("SELECT name FROM sqlite_master").all()
    ledger.make_table(worker.context.sql)
    assert worker.findings() == []


def again(worker: Clinic) -> Context:
    """Return the same context with a new engine, made from the settings."""
    return Context(worker.settings, **{n: made for n, made in worker.context._clients.items() if n != "sql"})


@pytest.mark.parametrize("kind", ["mysql", "postgresql"])
def test_a_database_that_does_not_answer_is_named_without_its_password(worker: Clinic, kind):
    worker.change(db_url=f"{kind}://me:hunter2@127.0.0.1:{free_port()}/activity", db_timeout=1.0)
    worker.context = context = again(worker)
    (found,) = worker.findings()
    context.close()
    assert (found.topic, found.severity) == ("database", ERROR)
    assert "127.0.0.1" in found.subject
    assert "hunter2" not in str(found)


@pytest.mark.parametrize("url", ["nonsense", "oracle://x/y", "mysql+nothing://x/y"])
def test_an_address_that_leads_to_no_known_database_is_named(worker: Clinic, url):
    worker.change(db_url=url)
    worker.context = again(worker)
    (found,) = worker.findings()
    assert "DB_URL" in f"{found.problem} {found.remedy}"


def test_a_service_without_the_extra_says_what_to_install(worker: Clinic, monkeypatch):
    worker.context = again(worker)
    for name in ("sqlalchemy.engine", "sqlalchemy"):
        monkeypatch.setitem(sys.modules, name, None)
    (found,) = worker.findings()
    assert "install streamdex[sql]" in found.problem


def test_a_permission_that_is_missing_is_named(worker: Clinic):
    worker.deny("s3.HeadObject")
    assert {found.problem for found in worker.findings()} == {
        "s3:GetObject is denied",
        "s3:GetObjectVersion is denied",
    }


def test_the_policy_of_the_worker_reads_versions_and_that_of_others_does_not(worker: Clinic):
    statements = {s["Sid"]: s for s in policy_of(worker.router, worker.settings)["Statement"]}
    assert statements["ReadObjectsOfRawData"]["Action"] == ["s3:GetObject", "s3:GetObjectVersion"]
    assert "dynamodb" not in str(statements)
    assert statements["ReadQueuePendingWorker"]["Resource"].endswith(":pending-worker")
