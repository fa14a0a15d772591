"""`replay` and `record` on the command line: arguments, output and exit codes."""

from __future__ import annotations

import gzip
import json
import re
import sys
import tracemalloc
from pathlib import Path

import pytest
from builders import stream_record

from service.entrypoints.cli import main


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch, tmp_path):
    """Remove the settings of the local environment, including the servers."""
    for name in ("SEARCH_URL", "AWS_ENDPOINT_URL", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("STREAMDEX_DEAD_LETTERS", str(tmp_path / "letters"))
    monkeypatch.setenv("FUNC", "images")


def write(tmp_path: Path, *payloads: object) -> str:
    path = tmp_path / "recording.jsonl"
    path.write_text("\n".join(p if isinstance(p, str) else json.dumps(p) for p in payloads))
    return str(path)


ITEMS = [stream_record(new={"id": name, "title": name.upper()}, sequence=str(n)) for n, name in enumerate("abc")]


@pytest.mark.parametrize("command", ["replay", "record"])
def test_help_has_an_example_and_the_options_of_the_command(capsys, command):
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    assert f"Example: python -m service {command} " in told
    wanted = (
        ["--dry-run", "--diff", "--speed", "--since"] if command == "replay" else ["--out", "--for", "--records"]
    )
    assert all(option in told for option in [*wanted, "--json", "Exit codes"])


def test_a_dry_run_needs_no_server_and_keeps_nothing(capsys, tmp_path):
    path = write(tmp_path, *ITEMS, stream_record("REMOVE", old={"id": "d"}))
    assert main(["replay", "--dry-run", path]) == 0
    out, err = capsys.readouterr()
    *lines, last = out.splitlines()
    assert [re.sub(r"version \d+", "version N", line) for line in lines] == [
        *(
            f'Index  images/{name}  version N  images:Images  {{"title":"{name.upper()}","metadata":{{}}}}'
            for name in "abc"
        ),
        "Delete  images/d  version N  images:Images",
    ]
    assert last == "4 records: 1 Delete, 3 Index"
    assert "nothing was written" in err
    assert not (tmp_path / "letters").exists()


def test_a_dry_run_tells_scripts_in_json(capsys, tmp_path):
    assert main(["replay", write(tmp_path, *ITEMS), "--dry-run", "--json"]) == 0
    out, err = capsys.readouterr()
    *found, counts = map(json.loads, out.splitlines())
    assert [(value["what"], value["id"], value["content"]["title"]) for value in found] == [
        ("Index", name, name.upper()) for name in "abc"
    ]
    assert counts == {"Index": 3}
    assert "bytes" not in err  # no progress output


def test_what_a_dry_run_would_reject_has_exit_code_1_and_no_dead_letter(capsys, tmp_path):
    path = write(tmp_path, *ITEMS, "{broken", stream_record(table="users", new={"id": "a"}))
    assert main(["replay", path, "--dry-run"]) == 1
    out, err = capsys.readouterr()
    assert "rejected  undecodable: recording.jsonl:4: not JSON" in out
    assert "5 records: 3 Index, 1 rejected, 1 skipped" in out
    assert "no route for table users" in err
    assert "letters" not in err
    assert not (tmp_path / "letters").exists()


def test_the_filters_choose_and_what_they_leave_out_is_counted(capsys, tmp_path):
    path = write(tmp_path, *ITEMS, stream_record(table="users", new={"id": "b"}))
    assert main(["replay", path, "--dry-run", "--key=b", "--table=images"]) == 0
    assert "1 record: 1 Index, 3 filtered out" in capsys.readouterr().out
    assert main(["replay", path, "--dry-run", "--route=images:Images"]) == 0
    assert "3 records: 3 Index, 1 filtered out" in capsys.readouterr().out
    assert main(["replay", path, "--dry-run", "--since=2030-01-01"]) == 0
    assert "0 records: 4 filtered out" in capsys.readouterr().out


def test_what_cannot_be_read_and_may_have_been_meant_is_told(capsys, tmp_path):
    assert main(["replay", write(tmp_path, *ITEMS, "{broken"), "--dry-run", "--key=b"]) == 1
    assert (
        "1 record could not be read and may match the filter; first error: recording.jsonl:"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--route=images:Absent"], "Selected routes: images:Images, images:ImageUploads"),
        (["--dry-run", "--diff"], "use only one of them"),
        (["--speed=fast"], "--speed must be max"),
        (["--dry-run", "--until=tomorrow"], "--until must be a time"),
        (["--diff"], "SEARCH_URL"),
    ],
)
def test_what_cannot_be_done_is_told_before_anything_is_read(capsys, tmp_path, options, words):
    assert main(["replay", str(tmp_path / "absent.jsonl"), *options]) == 2
    assert words in capsys.readouterr().err


def test_progress_is_told_in_bytes_of_the_files(capsys, tmp_path):
    path = Path(write(tmp_path, *ITEMS))
    packed = tmp_path / "packed.jsonl.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    main(["replay", str(path), str(packed), "--dry-run"])
    assert f"replay: {path.stat().st_size + packed.stat().st_size:,} bytes" in capsys.readouterr().err


def test_on_a_terminal_what_is_shown_takes_the_place_of_the_bar(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    main(["replay", write(tmp_path, *ITEMS), "--dry-run"])
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 4
    assert err == "nothing was written\n"


def test_what_is_shown_goes_to_standard_output_also_beside_a_bar(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    main(["replay", write(tmp_path, *ITEMS), "--dry-run"])
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 4
    assert "Index" not in err
    assert "bytes" in err


@pytest.mark.parametrize("options", [[], ["--table=images"], ["--out=r.jsonl"]])
def test_record_needs_a_table_and_a_file(capsys, options):
    assert main(["record", *options]) == 2
    assert "record needs --table=NAME and --out=FILE" in capsys.readouterr().err


def test_record_does_not_mask_a_key(capsys):
    assert main(["record", "--table=images", "--out=r.jsonl", "--record-mask=title,id"]) == 2
    assert "record_mask: cannot mask id: it is in the key of the table of images:Images" in capsys.readouterr().err


def test_the_container_does_not_mask_a_key(capsys, tmp_path):
    assert main(["run", f"--record-to={tmp_path}", "--record-mask=id"]) == 2
    assert "record_mask: cannot mask id: it is in the key" in capsys.readouterr().err


def test_a_dry_run_of_a_large_recording_takes_no_more_memory_than_one_of_a_small_one(tmp_path, capsys):
    path = tmp_path / "large.jsonl"
    line = json.dumps(stream_record(new={"id": "k", "text": "x" * 40_000})) + "\n"
    with path.open("w") as file:
        for _ in range(1500):
            file.write(line)
    tracemalloc.start()
    try:
        assert main(["replay", str(path), "--dry-run"]) == 0
        assert tracemalloc.get_traced_memory()[1] < path.stat().st_size / 2
    finally:
        tracemalloc.stop()
    assert "1,500 records" in capsys.readouterr().out
