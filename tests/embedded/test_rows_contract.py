"""The contract of rows in any database: SQLite here, MariaDB and PostgreSQL in the real tier."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Barrier, Thread

import pytest
from rows import Database, upload

from infra.shim.probes import free_port
from service.context import Context
from service.errors import Halt, Reject
from service.model.outcomes import APPLIED
from service.pipeline import Outcome, Write
from service.routing import BadRow, InsertRows
from service.settings import Settings
from service.sinks.sql import RowSink, row_loading

ADA, BOB, EVE = ("Ada", 1), ("Bob", 2), ("Eve", 3)


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/rows.sqlite"


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url)
    yield made
    made.close()


def test_rows_are_added_once_however_often_their_content_comes(database: Database):
    for _ in range(3):
        assert database.add([ADA, BOB]) == APPLIED
    assert database.rows() == [ADA, BOB]
    assert database.ledger() == [("s3://raw-data/a.csv", "v1", 2)]


def test_another_version_another_etag_and_another_key_are_added_too(database: Database):
    for record in (upload("v1"), upload("v2"), upload("", etag="e1"), upload("null", etag="e2"), upload(key="b")):
        assert database.add([ADA], record) == APPLIED
    assert database.rows() == [ADA] * 5


def test_a_request_ends_at_the_number_and_at_the_size_of_its_rows(database: Database, monkeypatch):
    sizes: list[int] = []
    insert = row_loading.Loading._insert

    def counted(loading, batch):
        sizes.append(len(batch))
        return insert(loading, batch)

    monkeypatch.setattr(row_loading.Loading, "_insert", counted)
    monkeypatch.setattr(row_loading, "BATCH_BYTES", 3 * row_loading.size_of(ADA))
    assert database.add([ADA] * 7) == APPLIED
    assert sizes == [3, 3, 1]


def test_a_repeat_reads_no_row(database: Database):
    database.add([ADA])

    def unread():
        raise AssertionError("read")
        yield

    assert database.add(unread()) == APPLIED


def test_a_record_that_names_no_content_is_rejected(database: Database):
    result = database.add([ADA], upload(""))
    assert result.outcome is Outcome.REJECTED
    assert "twice" in result.reason
    assert database.rows() == []


def test_values_are_bound_and_never_pasted(database: Database):
    hostile = [f"'); DROP TABLE {database.table}; --", "%s", "100%", "a\\'b", 'say "x"', "`", "Zoë 日本 😀", ""]
    assert database.add([(name, 0) for name in hostile]) == APPLIED
    assert sorted(name for name, _ in database.rows()) == sorted(hostile)


def test_text_becomes_what_the_column_is(database: Database):
    database.add([("Ada", "30"), ("Bob", None)])
    assert sorted(database.rows(), key=str) == [("Ada", 30), ("Bob", None)]


def test_a_percent_sign_is_written_twice_and_quotes_keep_what_they_hold(database: Database):
    joined = "CONCAT('%s 5%% ', %s)" if database.url.startswith("mysql") else "'%s 5%% ' || %s"
    statement = f"INSERT INTO {database.table} (name, age) VALUES ({joined}, %s) /* %s */"
    assert database.add([ADA], statement=statement) == APPLIED
    assert database.rows() == [("%s 5% Ada", 1)]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (("Mal",), "row 3: 1 columns, but the statement has 2"),
        (("Mal", 1, 2), "row 3: 3 columns"),
        (("Mal", -1), "row 3: "),
        ((None, 1), "row 3: "),
        (BadRow("torn"), "row 3: torn"),
        ("ab", "row 3: a row must be a sequence of values, not str"),
        (({"a": 1}, 1), ""),
    ],
)
def test_a_bad_row_refuses_all_and_names_itself(database: Database, row, reason):
    result = database.add([ADA, BOB, row, EVE])
    assert result.outcome is Outcome.REJECTED
    assert reason in result.reason
    assert database.rows() == []
    assert database.ledger() == []
    assert database.add([ADA, BOB, EVE]) == APPLIED  # without the bad row


def test_a_bad_row_is_told_without_its_values_in_logs(database: Database):
    result = database.add([("secret-name", -1)])
    assert "secret-name" not in result.summary


def test_bad_rows_are_kept_aside_and_the_others_added(database: Database):
    rows = [ADA, ("Mal",), BOB, BadRow("torn"), ("Neg", -1), EVE]
    for _ in range(2):  # a repeat, after a lost dead letter, gives the same result
        result = database.add(rows, keep_bad=True)
        assert result.outcome is Outcome.REJECTED
        assert "3 rows added, 3 rejected: row 2: 1 columns" in result.reason
        assert "row 4: torn; row 5: " in result.reason
    assert database.rows() == [ADA, BOB, EVE]


def test_once_they_are_mended_only_the_rows_that_were_left_out_are_added(database: Database):
    database.add([ADA, ("Bob",), BadRow("torn")], keep_bad=True)
    assert "rejected: row 3: torn" in database.add([ADA, BOB, BadRow("torn")], keep_bad=True).reason
    assert database.add([ADA, BOB, EVE]) == APPLIED
    assert database.add([ADA, BOB, EVE]) == APPLIED
    assert database.rows() == [ADA, BOB, EVE]
    assert database.ledger()[0][2] == 3


def test_with_too_many_bad_rows_the_object_is_refused(database: Database):
    result = database.add([ADA, *[BadRow("torn")] * 1001], keep_bad=True)
    assert "more than 1000 rows are invalid; the first is row 2: torn" in result.reason
    assert database.rows() == []


def test_a_bad_row_is_found_in_the_middle_of_many(database_url: str):
    database = Database(database_url, db_batch=64)
    rows = [(f"n{number}", number) for number in range(1000)]
    rows[700] = ("Neg", -1)
    assert database.add(rows).reason.partition("row 701: ")[2]
    assert database.add(rows, keep_bad=True).reason.count("row 701: ") == 1
    assert len(database.rows()) == 999
    database.close()


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (Reject("no"), Outcome.REJECTED),
        (ConnectionError("cut off"), Outcome.RETRY),
        (KeyError("x"), Outcome.REJECTED),
    ],
)
def test_rows_that_break_off_leave_nothing(database_url: str, error, outcome):
    database = Database(database_url, db_batch=2)

    def rows():
        yield from [ADA, BOB, EVE] * 4
        raise error

    assert database.add(rows()).outcome is outcome
    assert database.rows() == []
    assert database.add([ADA]) == APPLIED
    database.close()


def test_a_load_that_runs_out_of_time_comes_again_and_leaves_nothing(database_url: str):
    database = Database(database_url, db_batch=2)
    left = iter([60.0, 50.0, 40.0, 30.0])

    def rows():
        yield from [ADA, BOB, EVE] * 100

    with database.within(lambda: next(left, 2.0)):
        result = database.add(rows())
    assert result.outcome is Outcome.RETRY
    assert "deadline" in result.reason
    assert database.rows() == []
    assert database.ledger() == []
    database.close()


def test_a_table_that_is_missing_halts_and_one_that_is_made_goes_on(database: Database):
    other = f"{database.table}_later"
    statement = database.statement.replace(database.table, other)
    with pytest.raises(Halt, match=other):
        database.add([ADA], statement=statement)
    database.execute(f"CREATE TABLE {other} (name VARCHAR(200), age INTEGER)")
    assert database.add([ADA], statement=statement) == APPLIED
    database.execute(f"DROP TABLE {other}")


@pytest.mark.parametrize(
    "statement",
    ["INSERT INTO x VALUES ('a')", "INSERT INTO x VALUES (%d)", "INSERT INTO x VALUES (%s, 'a)", "%s %s"],
)
def test_a_statement_that_is_none_halts(database: Database, statement):
    with pytest.raises(Halt, match=r"statement|syntax"):
        database.add([ADA], statement=statement)
    assert database.rows() == []


def test_a_ledger_that_is_removed_is_made_again(database: Database):
    database.add([ADA])
    database.execute("DROP TABLE streamdex_ledger")
    with pytest.raises(Halt, match="streamdex_ledger"):
        database.add([BOB], upload("v2"))
    assert database.add([BOB], upload("v2")) == APPLIED


def test_who_waits_too_long_for_another_comes_again(database_url: str):
    database, other = Database(database_url), Database(database_url, db_timeout=1.0)
    other.add([ADA], upload("v0"))
    results = []

    def rows():
        yield ADA
        results.append(other.add([ADA, BOB], upload(), database.statement, action=database.action))
        yield BOB

    assert database.add(rows()) == APPLIED
    assert [result.outcome for result in results] == [Outcome.RETRY]
    assert database.rows() == [ADA, BOB]
    other.close()
    database.close()


def test_two_at_the_same_time_add_the_rows_once(database_url: str):
    database, other = Database(database_url), Database(database_url)
    together = Barrier(2)
    results = []

    def load(place: Database) -> None:
        together.wait()
        results.append(place.add([ADA, BOB], upload(), database.statement, action=database.action))

    for _ in range(5):
        threads = [Thread(target=load, args=[place]) for place in (database, other)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert set(results) == {APPLIED}
    assert database.rows() == [ADA, BOB]
    other.close()
    database.close()


SLOWLY = """
import sys, time
from rows import Database

url, table = sys.argv[1:]
database = Database(url, db_batch=100)
database.statement = database.statement.replace(database.table, table)
database.table = table

def rows():
    for number in range(1000):
        yield (f"n{number}", number)
    print("half", flush=True)
    time.sleep(60)

database.add(rows())
"""


def test_a_process_that_is_killed_halfway_leaves_no_half(database: Database):
    command = [sys.executable, "-c", SLOWLY, database.url, database.table]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([".", "tests/embedded"])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout.readline() == b"half\n"
        process.send_signal(signal.SIGKILL)
    assert database.rows() == []
    rows = [(f"n{number}", number) for number in range(2000)]
    deadline = time.monotonic() + 20  # until the server notices that the process is gone
    while (result := database.add(rows)).outcome is Outcome.RETRY and time.monotonic() < deadline:
        time.sleep(0.2)
    assert result == APPLIED
    assert len(database.rows()) == 2000


@pytest.mark.parametrize("kind", ["mysql", "postgresql"])
def test_a_database_that_does_not_answer_comes_again(kind):
    url = f"{kind}://root:hunter2@127.0.0.1:{free_port()}/activity"
    with Context(Settings(db_url=url, db_timeout=2.0)) as context:
        action = InsertRows("INSERT INTO people VALUES (%s, %s)", [ADA])
        (result,) = RowSink(context).write([Write(upload(), action, "sql", "tests:x 0", 0)])
    assert result.outcome is Outcome.RETRY
    assert "hunter2" not in result.reason
