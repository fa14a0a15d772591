"""The CSV route: rows with any delimiter and newline, from chunks of any size."""

from __future__ import annotations

from typing import Any

import pytest
from contexts import Objects, bucket_with, empty_bucket, other_delimiter
from hypothesis import given
from hypothesis import strategies as st

from routes.worker import CHUNK, SAMPLE, CsvRows, lines, unescaped
from service import BadRow, Context, InsertRows, Reject, Skip, StreamdexError
from service.settings import Settings
from service.settings.reading import read_configuration
from service.testing import record_of, run, upload

ROWS = [("Ada", "reading", "30"), ("Zoë", "walking", "20")]
TEXT = "Ada,reading,30\nZoë,walking,20\n"


def rows_of(content: bytes, route: CsvRows | None = None, piece: int = 1 << 30) -> Any:
    (action,) = run(route or CsvRows(), upload("a.csv"), bucket_with({"a.csv": content}, piece))
    return action.rows


def test_each_line_is_a_row():
    context = bucket_with({"a.csv": TEXT.encode()})
    assert run(CsvRows(), upload("a.csv"), context) == [InsertRows(SAMPLE, ROWS)]


@pytest.mark.parametrize("text", [TEXT, TEXT.rstrip("\n"), "\ufeff" + TEXT])
def test_the_last_newline_and_a_byte_order_mark_make_no_difference(text):
    assert rows_of(text.encode()) == ROWS


def test_an_empty_object_has_no_rows_and_an_empty_line_within_is_one():
    assert rows_of(b"") == []
    assert rows_of(b"a\n\nb\n") == [("a",), ("",), ("b",)]


@pytest.mark.parametrize("piece", [1, 2, 3, 7])
@pytest.mark.parametrize("newline", [r"\n", r"\r\n", "||", "é"])
def test_a_character_or_a_newline_that_is_cut_in_two_is_whole_again(piece, newline):
    text = TEXT.replace("\n", unescaped(newline))
    assert rows_of(text.encode(), CsvRows(newline=newline), piece) == ROWS


@given(st.lists(st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"])), min_size=1), st.data())
def test_lines_are_the_same_however_they_are_cut(texts, data):
    content = "".join(f"{text}\n" for text in texts).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(content)))))
    chunks = [content[a:b] for a, b in zip([0, *cuts], [*cuts, len(content)], strict=True)]
    assert [line.decode() for line in lines(chunks, b"\n", 10**6)] == texts


def test_another_delimiter_and_newline_are_settings_with_escapes():
    route = CsvRows(delimiter="!", newline=r"\r\n")
    (action,) = run(route, upload("other.csv"), other_delimiter())
    assert action.rows == [("Ada", "reading, writing", "30"), ("Zoë", "walking", "20")]
    tabs = CsvRows(delimiter=r"\t", newline=r"\x1e")
    (action,) = run(tabs, upload("other.csv"), other_delimiter("\t", "\x1e"))
    assert len(action.rows) == 2


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        (r"\n", "\n"),
        (r"\r\n", "\r\n"),
        (r"\t", "\t"),
        (r"\\n", r"\n"),
        (r"\x1F", "\x1f"),
        (r"\q", r"\q"),
        ("\n", "\n"),
    ],
)
def test_escapes(text, meant):
    assert unescaped(text) == meant


@pytest.mark.parametrize("part", ["delimiter", "newline"])
def test_a_delimiter_of_nothing_is_refused(part):
    with pytest.raises(StreamdexError, match=part):
        CsvRows(**{part: ""})


def test_a_line_that_is_no_utf_8_is_bad_and_says_where():
    good, bad, last = rows_of(b"Ada\n" + "Zoë".encode("latin-1") + b"\nEve\n")
    assert (good, last) == (("Ada",), ("Eve",))
    assert bad == BadRow("the line is not UTF-8: unexpected end of data at byte 3")


def test_a_line_without_an_end_is_refused_and_not_held():
    with pytest.raises(Reject, match="a line has more than 10 bytes: check line_bytes and newline="):
        rows_of(b"x" * 100, CsvRows(line_bytes=10), piece=10)


def test_the_statement_and_what_becomes_of_bad_rows_are_settings():
    route = CsvRows(insert_statement="INSERT INTO t VALUES (%s)", bad_rows="keep")
    (action,) = run(route, upload("a.csv"), bucket_with({"a.csv": b"x\n"}))
    assert (action.statement, action.keep_bad) == ("INSERT INTO t VALUES (%s)", True)


@pytest.mark.parametrize(
    ("details", "asked"),
    [
        ({"versionId": "v1", "eTag": "e"}, {"VersionId": "v1"}),
        ({"eTag": "b5c0b187fe309af0f4d35982fd961d7e"}, {"IfMatch": '"b5c0b187fe309af0f4d35982fd961d7e"'}),
        (
            {"versionId": "null", "eTag": "b5c0b187fe309af0f4d35982fd961d7e"},
            {"IfMatch": '"b5c0b187fe309af0f4d35982fd961d7e"'},
        ),
        ({}, {}),
    ],
)
def test_the_content_that_the_event_names_is_read(details, asked):
    context = bucket_with({"a.csv": b"love", ("a.csv", "v1"): b"love"})
    run(CsvRows(), upload("a.csv", **details), context)
    assert context.s3.asked == [{"Bucket": "raw-data", "Key": "a.csv", **asked}]


def test_content_that_is_gone_or_overwritten_is_skipped():
    with pytest.raises(Skip, match="deleted before it was read"):
        run(CsvRows(), upload("a.csv"), empty_bucket())
    with pytest.raises(Skip, match="overwritten before it was read"):
        run(CsvRows(), upload("a.csv", eTag="older"), bucket_with({"a.csv": b"newer"}))


def test_nothing_is_read_before_the_first_row_is_wanted_and_all_is_closed_after_the_last():
    s3 = Objects({"a.csv": TEXT.encode()})
    (action,) = CsvRows().created(record_of(CsvRows(), upload("a.csv")), Context(s3=s3))
    assert s3.asked == []
    rows = iter(action.rows)
    next(rows)
    rows.close()
    assert s3.opened[0]._raw_stream.closed


def test_no_more_than_a_chunk_is_held():
    longest = 0

    def chunks():
        for _ in range(100):
            yield b"x" * 1000 + b"\n"

    for line in lines(chunks(), b"\n", CHUNK):
        longest = max(longest, len(line))
    assert longest == 1000


def test_a_deletion_does_nothing():
    assert run(CsvRows(), upload("a.csv", event="ObjectRemoved:Delete"), empty_bucket()) == []


@pytest.mark.parametrize("way", ["file", "environment", "command line"])
def test_the_statement_comes_nested_in_the_file_as_a_variable_and_as_an_option(tmp_path, way):
    wanted = "INSERT INTO t VALUES (%s, '50%%')"
    file = tmp_path / "const.yml"
    nested = f'sql:\n  insert_statement: "{wanted}"\n' if way == "file" else ""
    file.write_text(f"{nested}delimiter: '\\t'\nnewline: \"\\r\\n\"\n")
    arguments = [f"--const_path={file}", *([f"--insert_statement={wanted}"] if way == "command line" else [])]
    environment = {"INSERT_STATEMENT": wanted} if way == "environment" else {}
    route = read_configuration(Settings, CsvRows, arguments=arguments, environment=environment).build(CsvRows)
    assert (route.insert_statement, route.delimiter, route.newline) == (wanted, r"\t", "\r\n")
