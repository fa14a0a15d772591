"""SQL statements with %s, translated for each driver."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import Halt
from service.sinks.sql.statement import translated

MANY = [("a", 1), ("b", 2)]


@pytest.mark.parametrize(
    ("statement", "sqlite", "postgresql"),
    [
        ("INSERT INTO t VALUES (%s,%s)", "INSERT INTO t VALUES (?,?)", "INSERT INTO t VALUES (%s,%s)"),
        ("SELECT %s %% 2", "SELECT ? % 2", "SELECT %s %% 2"),
        ("SELECT '%s', %s", "SELECT '%s', ?", "SELECT '%%s', %s"),
        ("SELECT '5%', '5%%', %s", "SELECT '5%', '5%', ?", "SELECT '5%%', '5%%', %s"),
        ("SELECT 'it''s %s', %s", "SELECT 'it''s %s', ?", "SELECT 'it''s %%s', %s"),
        ('SELECT "%s", `%s`, %s', 'SELECT "%s", `%s`, ?', 'SELECT "%%s", `%%s`, %s'),
        ("SELECT %s -- %s\n, %s", "SELECT ? -- %s\n, ?", "SELECT %s -- %%s\n, %s"),
        ("SELECT %s /* '%s */, %s", "SELECT ? /* '%s */, ?", "SELECT %s /* '%%s */, %s"),
    ],
)
def test_only_what_is_outside_of_quotes_and_comments_is_a_column(statement, sqlite, postgresql):
    assert translated(statement, "sqlite", "qmark").text == sqlite
    assert translated(statement, "postgresql", "pyformat").text == postgresql


def test_a_backslash_keeps_a_quote_in_mysql_alone():
    statement = r"INSERT INTO t VALUES ('it\'s %s', %s) # %s"
    assert translated(statement, "mysql", "format").text == r"INSERT INTO t VALUES ('it\'s %%s', %s) # %%s"
    with pytest.raises(Halt, match="is not closed"):
        translated(statement, "sqlite", "qmark")


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("INSERT INTO t VALUES (1)", "has no %s"),
        ("INSERT INTO t VALUES ('%s')", "has no %s"),
        ("INSERT INTO t VALUES (%d)", "'%d' at character 23: write %s for a column"),
        ("INSERT INTO t VALUES (%(a)s)", r"'%(' at character 23"),
        ("SELECT %s %", "'%' at character 11"),
        ("SELECT %s, 'open", '"\'" at character 12: it is not closed'),
        ("SELECT %s /* open", "is not closed"),
    ],
)
def test_what_cannot_be_meant_halts_and_says_where(statement, reason):
    with pytest.raises(Halt, match=re.escape(reason)):
        translated(statement, "postgresql", "format")


@pytest.mark.parametrize("tail", ["", " ON CONFLICT DO NOTHING", " RETURNING 5 %% 2"])
def test_postgresql_gets_many_rows_in_one_statement(tail):
    text, values = translated(f"INSERT INTO t (a, b) values ( %s,%s ){tail}", "postgresql", "format").with_rows(
        MANY
    )
    assert text == f"INSERT INTO t (a, b) values (%s, %s), (%s, %s){tail}"
    assert values == ("a", 1, "b", 2)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO t VALUES (%s, UPPER(%s))",
        "INSERT INTO t SELECT %s, %s",
        "INSERT INTO t VALUES (%s) ON CONFLICT (a) DO UPDATE SET b = %s",
        "SELECT add_person(%s, %s)",
    ],
)
def test_other_statements_are_sent_for_each_row(statement):
    text, values = translated(statement, "postgresql", "format").with_rows(MANY)
    assert (text, values) == (statement, MANY)


@given(st.text("%s'\"`-/*?\\# \na"))
def test_whatever_the_statement_it_is_read_or_refused_and_never_misread(statement):
    try:
        made = translated(statement, "sqlite", "qmark")
    except Halt:
        return
    back = translated(statement, "postgresql", "format")
    assert made.columns == back.columns <= statement.count("%s")
    assert back.text % (("?",) * back.columns) == made.text
