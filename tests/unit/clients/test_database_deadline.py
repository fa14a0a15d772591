"""The deadline of work on the SQL database: it also holds if the server hangs or another process has a lock."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing
from typing import Any

import pytest
from hostile_server import hostile
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from test_deadline import LONG, soon

from service.clients.database import make_engine
from service.context import Context
from service.deadline import after, until
from service.settings import Settings
from service.sinks.sql.database_errors import Verdict, verdict_of

GREETING = b"N" + b"R\x00\x00\x00\x08\x00\x00\x00\x00" + b"Z\x00\x00\x00\x05I"
"""The bytes that PostgreSQL sends before the first query: no TLS, no password needed, ready."""


def connect(url: str) -> Any:
    engine = make_engine(Settings(db_url=url, db_timeout=LONG))
    try:
        with until(after(0.5)), engine.connect() as connection:
            return connection.execute(text("SELECT 1")).scalar()
    finally:
        engine.dispose()


@pytest.mark.parametrize("kind", ["mysql", "postgresql"])
def test_a_database_that_never_answers_is_given_up_at_the_deadline(kind: str):
    with hostile(silent=True) as server, soon(), pytest.raises(DBAPIError) as caught:
        connect(f"{kind}://u:p@{server.url.removeprefix('http://')}/db")
    assert verdict_of(caught.value) is Verdict.RETRY


def test_a_database_that_stops_answering_is_given_up_at_the_deadline():
    with hostile(silent=True, greeting=GREETING) as server, soon(), pytest.raises(DBAPIError) as caught:
        connect(f"postgresql://u:p@{server.url.removeprefix('http://')}/db?gssencmode=disable")
    assert verdict_of(caught.value) is Verdict.RETRY


def test_after_the_deadline_no_connection_is_opened(tmp_path):
    engine = make_engine(Settings(db_url=f"sqlite:///{tmp_path}/rows.sqlite"))
    with until(after(0.0)), pytest.raises(TimeoutError, match="the deadline passed"):
        engine.connect()


def test_a_lock_of_sqlite_is_waited_for_until_the_deadline_alone(tmp_path):
    path = f"{tmp_path}/rows.sqlite"
    engine = make_engine(Settings(db_url=f"sqlite:///{path}", db_timeout=LONG))
    engine.connect().close()
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with soon(), until(after(0.3)), pytest.raises(DBAPIError) as caught, engine.begin():
            pass
    assert verdict_of(caught.value) is Verdict.RETRY
    engine.dispose()


def test_a_statement_of_sqlite_that_runs_on_is_ended_and_the_connection_works_again(tmp_path):
    engine = make_engine(Settings(db_url=f"sqlite:///{tmp_path}/rows.sqlite"))
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    with soon(), until(after(0.3)), pytest.raises(DBAPIError) as caught, engine.begin() as connection:
        connection.execute(text(endless))
    assert verdict_of(caught.value) is Verdict.RETRY
    with engine.begin() as connection:
        assert connection.execute(text("SELECT 1")).scalar() == 1
    engine.dispose()


def test_without_a_deadline_no_thread_watches(tmp_path):
    with closing(Context(Settings(db_url=f"sqlite:///{tmp_path}/rows.sqlite"))) as context:
        before = threading.active_count()
        with context.sql.begin() as connection:
            connection.execute(text("SELECT 1"))
            assert threading.active_count() == before


def test_a_connection_that_is_returned_is_not_cut(tmp_path):
    engine = make_engine(Settings(db_url=f"sqlite:///{tmp_path}/rows.sqlite"))
    before = threading.active_count()
    with until(after(LONG)), engine.begin() as connection:
        connection.execute(text("SELECT 1"))
        assert threading.active_count() == before + 1
    for _ in range(200):
        if threading.active_count() == before:
            break
        time.sleep(0.01)
    assert threading.active_count() == before
    engine.dispose()
