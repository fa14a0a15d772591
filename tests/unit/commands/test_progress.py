"""Progress output: a bar on a terminal, a few lines elsewhere."""

from __future__ import annotations

import sys

import pytest

from service.commands.progress import Lines, progress


def test_lines_come_every_ten_seconds_and_at_the_end_with_rate_and_time_left():
    now, lines = [0.0], []
    made = Lines("backfill", "items", 4000, lines.append, clock=lambda: now[0])
    for _ in range(20):
        now[0] += 1.0
        made.advance(100)
    made.end()
    assert lines == [
        "backfill: 1,000 items, 100/s, 30 s left",
        "backfill: 2,000 items, 100/s, 20 s left",
        "backfill: 2,000 items, 100/s, 20 s left",
    ]


def test_without_a_total_no_time_is_left_to_tell():
    now, lines = [0.0], []
    made = Lines("verify", "documents", None, lines.append, clock=lambda: now[0])
    now[0] = 2.0
    made.advance(3)
    made.end()
    assert lines == ["verify: 3 documents, 2/s"]


def test_elsewhere_it_goes_to_standard_error(capsys):
    with progress("verify", "documents", 10) as advance:
        advance(10)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("verify: 10 documents")


def test_silence_is_silent(capsys):
    with progress("verify", "documents", silent=True) as advance:
        advance(10)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("total", [10, None])
def test_on_a_terminal_it_is_a_bar(monkeypatch, capsys, total):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    with progress("verify", "documents", total) as advance:
        advance(5)
        advance(5)
    assert "10 documents" in capsys.readouterr().err


def test_without_rich_a_terminal_gets_lines_too(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setitem(sys.modules, "rich.progress", None)
    with progress("verify", "documents", 10) as advance:
        advance(10)
    assert capsys.readouterr().err.startswith("verify: 10 documents")
