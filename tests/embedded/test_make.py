"""The commands of the README, as a user types them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
import pexpect
import pytest
from deployments import aws_client, documents_of, drop, eventually

from infra.shim.probes import free_port, is_taken

STOPPED_WITHIN = 20.0  # seconds; the documented 5 apply to an idle machine


@pytest.fixture
def ports(monkeypatch, tmp_path) -> dict[str, str]:
    """Choose free ports and a separate folder, so that a run does not clash with other processes."""
    names = ("AWS_PORT", "SEARCH_PORT", "STREAMDEX_PAGE_PORT")
    chosen = {name: str(free_port()) for name in names}
    kept = {
        "STREAMDEX_CHECKPOINTS": str(tmp_path / "checkpoints.sqlite"),
        "STREAMDEX_DEAD_LETTERS": str(tmp_path / "letters"),
        "POLL_INTERVAL": "0.05",
        "STREAMDEX_POLL_WAIT": "1",
    }
    for name in ("AWS_ENDPOINT_URL", "SEARCH_URL", "FUNC", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {**chosen, **kept}.items():
        monkeypatch.setenv(name, value)
    return chosen


def urls(ports: dict[str, str]) -> tuple[str, str]:
    return f"http://127.0.0.1:{ports['AWS_PORT']}", f"http://127.0.0.1:{ports['SEARCH_PORT']}"


@contextmanager
def terminal(command: str, ready: str = "Ctrl-C stops") -> Iterator[pexpect.spawn]:
    """Run a command in a terminal. Yield it after it prints `ready`, and end it in any case."""
    process = pexpect.spawn("/bin/sh", ["-c", command], encoding="utf-8", timeout=60, dimensions=(50, 400))
    try:
        process.expect(ready)
        yield process
    finally:
        process.close(force=True)


def interrupt(process: pexpect.spawn) -> str:
    """Press Ctrl-C and return the output after it. Fail if the exit code is not 0, or if it takes too long."""
    began = time.monotonic()
    process.sendintr()
    process.expect(pexpect.EOF)
    process.wait()
    assert time.monotonic() - began < STOPPED_WITHIN
    assert process.exitstatus == 0
    return str(process.before)


@contextmanager
def started() -> Iterator[subprocess.Popen[str]]:
    """Run the service without a terminal. Yield it after it prints that it is ready."""
    command = [sys.executable, "-m", "infra.shim", "run"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        next(line for line in process.stdout if "Ctrl-C" in line)
        yield process


def make(*words: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--no-print-directory", *words], capture_output=True, text=True, timeout=timeout, check=False
    )


def listening(ports: dict[str, str]) -> list[str]:
    return [port for port in ports.values() if is_taken(int(port))]


@pytest.mark.long
def test_make_run_does_the_main_job_and_ctrl_c_stops_all_of_it(ports):
    aws, search = urls(ports)
    with terminal("make run", ready="Try it") as process:
        process.expect("Ctrl-C stops everything")
        aws_client(aws, "dynamodb", "resource").Table("images").put_item(Item={"id": "a", "title": "T"})
        eventually(lambda: documents_of(search, "images"), {"a": {"title": "T", "metadata": {}}})
        process.expect(r"batch dispatched  source=table images  .*records=1  applied=1")
        rest = interrupt(process)
    assert "Traceback" not in rest
    eventually(lambda: listening(ports), [])


def test_the_first_screen_names_what_runs_and_its_commands_work_when_pasted(ports):
    _, search = urls(ports)
    with terminal("make run") as process:
        screen = process.before
        for word in ("embedded (moto)", "embedded (osmem)", "images:Images", "bucket images-in", search):
            assert word in screen
        put, upload, delete, lines = re.findall(r"^  (\S+python -c .*?)\r?$", screen, re.MULTILINE)
        assert "activity.csv" in lines  # tests/embedded/test_worker.py pastes that command
        (find, *_) = re.findall(r"(curl '.*?')", screen)
        subprocess.run(put, shell=True, check=True)
        eventually(lambda: sorted(documents_of(search, "images")), ["sunset"])
        assert (
            "Sunset over Lisbon"
            in subprocess.run(find, shell=True, check=True, capture_output=True, text=True).stdout
        )
        subprocess.run(upload, shell=True, check=True)
        eventually(lambda: sorted(documents_of(search, "images")), ["lisbon at dusk.jpg", "sunset"])
        subprocess.run(delete, shell=True, check=True)
        eventually(lambda: sorted(documents_of(search, "images")), ["sunset"])
        interrupt(process)


@pytest.mark.long(after=1)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_without_a_terminal_ends_it_with_0(ports, number):
    with started() as process:
        process.send_signal(number)
        assert process.wait(STOPPED_WITHIN) == 0
    eventually(lambda: listening(ports), [])


@pytest.mark.long
def test_ctrl_c_while_it_starts_ends_it_with_0_and_no_traceback(ports):
    for moment in (0.3, 1.0, 1.5):
        process = pexpect.spawn("make run", encoding="utf-8", timeout=60)
        time.sleep(moment)
        process.sendintr()
        process.expect(pexpect.EOF)
        process.close()
        assert "Traceback" not in process.before
        eventually(lambda: listening(ports), [])


@pytest.mark.long
def test_the_embedded_servers_do_not_outlive_a_service_that_was_killed(ports):
    with started() as process:
        assert len(listening(ports)) == len(ports)
        process.kill()
    eventually(lambda: listening(ports), [])


@pytest.mark.long
def test_make_run_uses_the_servers_of_make_shim(ports):
    aws, search = urls(ports)
    with terminal("make shim") as shim:
        command = re.search(r"make run AWS_ENDPOINT_URL=\S+ SEARCH_URL=\S+", shim.before).group()
        with terminal(command) as process:
            assert "moto" in process.before
            assert "OpenSearch" in process.before
            aws_client(aws, "dynamodb", "resource").Table("images").put_item(Item={"id": "a"})
            eventually(lambda: sorted(documents_of(search, "images")), ["a"])
            interrupt(process)
        assert len(listening(ports)) == 2
        interrupt(shim)
    eventually(lambda: listening(ports), [])


@pytest.mark.long
def test_make_shim_is_fresh_and_stops_beside_another(ports):
    with terminal("make shim") as shim:
        again = make("shim")
        assert again.returncode != 0
        assert "AWS_PORT=" in again.stderr
        second = f"make shim AWS_PORT={free_port()} SEARCH_PORT={free_port()}"
        with terminal(second) as other:
            interrupt(other)
        interrupt(shim)


@pytest.mark.long
def test_every_setting_can_be_given_as_run_args(ports):
    given = "make run RUN_ARGS='--log-level=ERROR --read_queue=mine --image-bytes=10'"
    aws, _ = urls(ports)
    with terminal(given) as process:
        aws_client(aws, "s3").put_object(Bucket="images-in", Key="large.png", Body=b"x" * 11)
        process.expect(r"record moved to dead letters .*images:ImageUploads")
        assert "mine" in str(aws_client(aws, "sqs").list_queues()["QueueUrls"])
        interrupt(process)


@pytest.mark.long
def test_make_run_func_serves_that_module_alone_and_an_unknown_one_lists_the_valid(ports):
    answer = make("run", "FUNC=pictures")
    assert answer.returncode != 0
    assert "Modules with routes: images" in answer.stderr
    with terminal("make run FUNC=images") as process:
        interrupt(process)


@pytest.mark.long
def test_make_run_works_with_every_other_route_module_deleted(ports, tmp_path):
    package = tmp_path / "lean"
    package.mkdir()
    (package / "images.py").write_text(Path("routes/images.py").read_text())
    (package / "__init__.py").write_text("ROUTES = ['images:Images', 'images:ImageUploads', 'worker:CsvRows']\n")
    environment = f"PYTHONPATH={tmp_path} STREAMDEX_ROUTES=lean"
    with terminal(f"{environment} make run FUNC=images") as process:
        interrupt(process)
    answer = subprocess.run(
        [sys.executable, "-m", "infra.shim", "run"],
        env=os.environ | {"PYTHONPATH": f"{tmp_path}", "STREAMDEX_ROUTES": "lean"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 2
    assert "worker:CsvRows" in answer.stderr


def test_make_invoke_prints_the_handlers_answer(ports):
    answer = make("invoke", "EVENT=tests/data/insert.json")
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout) == {"batchItemFailures": []}


@pytest.mark.long
def test_make_invoke_writes_to_the_search_server_that_is_named(ports, search_url):
    drop(search_url, "images")
    answer = make("invoke", "EVENT=tests/data/insert.json", f"SEARCH_URL={search_url}")
    assert answer.returncode == 0, answer.stderr
    (document,) = documents_of(search_url, "images").values()
    assert document["metadata"]["description"] == "12-year-old at the lighthouse"
    drop(search_url, "images")


@pytest.mark.parametrize("event", ["absent.json", "Makefile"])
def test_make_invoke_of_what_is_no_event_says_so(ports, event):
    answer = make("invoke", f"EVENT={event}")
    assert answer.returncode != 0
    assert event in answer.stderr
    assert "Traceback" not in answer.stderr


def test_make_alone_lists_every_target():
    listed = set(re.findall(r"make ([\w-]+)", make().stdout))
    phony = re.search(r"^\.PHONY: (.*)$", Path("Makefile").read_text(), re.MULTILINE).group(1)
    assert listed == set(phony.split())


def test_boto3_of_the_screen_is_the_one_of_the_lock_file():
    locked = re.search(r"^boto3==(\S+)", Path("requirements.lock").read_text(), re.MULTILINE).group(1)
    assert boto3.__version__ == locked


@pytest.mark.long
def test_ctrl_c_is_quick_also_while_the_search_server_hangs(ports):
    aws, _ = urls(ports)
    with terminal("make run") as process:
        found = subprocess.run(
            ["pgrep", "-f", f"addr 127.0.0.1:{ports['SEARCH_PORT']}"], capture_output=True, text=True, check=True
        )
        osmem = int(found.stdout.split()[0])
        os.kill(osmem, signal.SIGSTOP)
        aws_client(aws, "dynamodb", "resource").Table("images").put_item(Item={"id": "a"})
        time.sleep(0.5)
        interrupt(process)
    eventually(lambda: listening(ports), [])


def test_what_make_run_prints_may_be_cut_off(ports):
    answer = subprocess.run(
        f"{sys.executable} -m infra.shim run | true",
        shell=True,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert "Traceback" not in answer.stderr
    eventually(lambda: listening(ports), [])


def test_make_invoke_takes_options_too(ports, tmp_path):
    event = tmp_path / "event with a space.json"
    event.write_text(json.dumps({"Records": [{"eventSource": "aws:dynamodb", "dynamodb": {}}]}))
    letters = tmp_path / "elsewhere"
    answer = make("invoke", f"EVENT={event}", f"RUN_ARGS=--dead-letters={letters}")
    assert answer.returncode == 0, answer.stderr
    assert len(list(letters.glob("*.json"))) == 1


def test_the_password_of_the_search_server_is_not_on_the_first_screen(ports, search_url):
    address = search_url.replace("://", "://admin:hunter2@")
    with terminal(f"make run SEARCH_URL={address}") as process:
        assert "hunter2" not in process.before
        assert "hunter2" not in interrupt(process)
