"""The command line: messages and exit codes."""

from __future__ import annotations

import json

import pytest
from builders import lambda_event, stream_record

from service.entrypoints.cli import main


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch, tmp_path):
    """Remove the settings of the local environment."""
    for name in ("SEARCH_URL", "FUNC", "AWS_ENDPOINT_URL", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("STREAMDEX_DEAD_LETTERS", str(tmp_path / "letters"))


def write(tmp_path, *payloads) -> str:
    path = tmp_path / "recording.jsonl"
    path.write_text("\n".join(p if isinstance(p, str) else json.dumps(p) for p in payloads))
    return str(path)


def test_help_lists_the_commands(capsys):
    assert main(["--help"]) == 0
    assert "replay FILES" in capsys.readouterr().out


def test_no_command_is_a_usage_error():
    assert main([]) == 2


def test_an_unknown_command_lists_those_there_are(capsys):
    assert main(["dance"]) == 2
    assert "replay" in capsys.readouterr().err


def test_an_unknown_option_is_named(capsys):
    assert main(["settings", "--colour=red"]) == 2
    assert "--colour" in capsys.readouterr().err


def test_an_unknown_func_lists_the_modules(capsys):
    assert main(["settings", "--func=image"]) == 2
    assert "Modules with routes: images" in capsys.readouterr().err


def test_settings_show_value_and_origin_and_mask_secrets(capsys, monkeypatch):
    monkeypatch.setenv("SEARCH_PASSWORD", "hunter2")
    assert main(["settings", "--poll-interval=7"]) == 0
    rows = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert rows["poll_interval"].split() == ["poll_interval", "7.0", "command", "line", "POLL_INTERVAL"]
    assert rows["search_password"].split() == [
        "search_password",
        "********",
        "environment",
        *["SEARCH_PASSWORD"] * 2,
    ]
    assert rows["image_bytes"].split() == ["image_bytes", "50000000", "default", "IMAGE_BYTES"]


def test_replay_needs_a_file(capsys):
    assert main(["replay"]) == 2
    assert "FILE" in capsys.readouterr().err


def test_replay_of_a_file_that_is_not_there_names_it(capsys):
    assert main(["replay", "absent.jsonl", "--search-url=http://127.0.0.1:1"]) == 2
    assert "absent.jsonl" in capsys.readouterr().err


def test_replay_without_a_search_server_says_what_to_set(capsys, tmp_path):
    assert main(["replay", write(tmp_path, stream_record(new={"id": "a"}))]) == 2
    assert "SEARCH_URL" in capsys.readouterr().err


def test_replay_names_what_has_no_route_and_what_cannot_be_read(capsys, tmp_path):
    path = write(
        tmp_path, stream_record(table="users", new={"id": "a"}), "{broken", {"eventSource": "aws:kinesis"}
    )
    assert main(["replay", path, "--search-url=http://127.0.0.1:1", "--log-format=text"]) == 1
    out, err = capsys.readouterr()
    assert "3 records: 2 rejected, 1 skipped" in out
    assert "no route for table users" in err
    assert "recording.jsonl:2: not JSON" in err
    assert "recording.jsonl:3: unknown payload" in err
    assert len(list((tmp_path / "letters").iterdir())) == 2


def test_replay_of_nothing_says_so(capsys, tmp_path):
    assert main(["replay", write(tmp_path, lambda_event())]) == 0
    assert "no records" in capsys.readouterr().out


def test_run_without_anything_to_read_says_what_to_set(capsys, tmp_path, monkeypatch):
    package = tmp_path / "bare"
    package.mkdir()
    (package / "__init__.py").write_text("ROUTES = []")
    monkeypatch.syspath_prepend(tmp_path)
    assert main(["run", "--routes=bare"]) == 2
    assert "READ_QUEUE" in capsys.readouterr().err


def test_an_interrupt_has_the_shells_exit_code(monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("service.entrypoints.cli.choose", interrupted)
    assert main(["settings"]) == 130
