"""The contract of rows on MariaDB and PostgreSQL."""

from __future__ import annotations

from dataclasses import replace

import pytest
from databases import PASSWORD
from rows import Database
from sqlalchemy.engine import make_url
from test_rows_contract import *  # noqa: F403  # the same tests run on SQLite
from test_rows_contract import ADA

from service.context import Context
from service.errors import Halt
from service.settings import Settings
from service.sinks.sql import RowSink


@pytest.fixture(params=["mariadb", "postgresql"])
def database_url(request) -> str:
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.mark.parametrize(
    ("part", "value"), [("password", "wrong"), ("username", "nobody"), ("database", "absent")]
)
def test_what_would_refuse_every_row_halts_and_does_not_tell_the_password(database: Database, part, value):
    url = make_url(database.url).set(**{part: value}).render_as_string(hide_password=False)
    with Context(Settings(db_url=url)) as context:
        database.sink = RowSink(context)
        with pytest.raises(Halt) as caught:
            database.add([ADA])
    assert PASSWORD not in str(caught.value)
    assert "wrong" not in str(caught.value)


def test_the_parts_of_an_address_are_those_of_mysql(mariadb_url: str):
    url = make_url(mariadb_url)
    parts = {"db_host": url.host, "db_port": url.port, "db_name": url.database}
    settings = replace(Settings(), **parts, db_user=url.username, db_pass=url.password)
    with Context(settings) as context, context.sql.connect() as connection:
        assert connection.exec_driver_sql("SELECT 1 + 1").scalar_one() == 2


def test_a_value_that_does_not_fit_its_column_is_a_bad_row(database: Database):
    for row in (("x" * 201, 1), ("Ada", "many"), ("Ada", 2**40)):
        assert "row 2: " in database.add([ADA, row]).reason
    assert database.rows() == []
