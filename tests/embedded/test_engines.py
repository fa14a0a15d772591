"""`SHIM=docker` and `SHIM=localstack`: the commands that they call, and the errors if these are missing."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from infra.shim import engines
from infra.shim.engines import containers
from infra.shim.probes import free_port
from infra.shim.world import find_or_start
from service.errors import SettingsError, Unreachable
from service.settings import Settings

FAKE = '#!/bin/sh\necho "$(basename $0) $*" >> {log}\necho "$GATEWAY_LISTEN $IMAGE_NAME" >> {log}.env\n{end}\n'


@pytest.fixture
def called(tmp_path, monkeypatch):
    """Put fake commands on PATH that only log their calls. `calls` returns the calls without status queries."""
    log = tmp_path / "log"

    def fake(name: str, end: str = "exit 0") -> Path:
        path = tmp_path / name
        path.write_text(FAKE.format(log=log, end=end))
        path.chmod(0o755)
        return path

    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    fake("docker")
    monkeypatch.setattr(engines, "LOCALSTACK", fake("localstack"))
    fake.calls = lambda: [line for line in log.read_text().splitlines() if not re.search("info$|version$", line)]
    fake.variables = (tmp_path / "log.env").read_text
    return fake


def test_docker_starts_the_dependencies_waits_for_them_and_takes_them_down(called):
    with containers(replace(Settings(), shim="docker")):
        (up,) = called.calls()
        assert re.search(r"--file=compose.yaml up --detach --wait .* localstack opensearch mysql$", up)
    assert called.calls()[-1].endswith("--file=compose.yaml down --volumes")


def test_localstack_is_started_awaited_and_stopped_by_its_own_command(called):
    with containers(replace(Settings(), shim="localstack", aws_port=4599)):
        assert called.calls() == ["localstack start --detached", "localstack wait --timeout=300"]
    assert called.calls()[-1] == "localstack stop"
    assert f"127.0.0.1:4599 {engines.IMAGE}" in called.variables()


def test_what_does_not_start_is_taken_down_and_told(called):
    called("localstack", end='test "$1" != wait')
    with pytest.raises(Unreachable, match="localstack wait"), containers(replace(Settings(), shim="localstack")):
        pass
    assert called.calls()[-1] == "localstack stop"


@pytest.mark.parametrize("shim", ["docker", "localstack"])
def test_without_an_engine_it_says_what_is_missing_and_names_the_embedded_default(called, monkeypatch, shim):
    settings = replace(Settings(), shim=shim)
    called("docker", end="exit 1")
    with pytest.raises(SettingsError, match=r"daemon does not answer.*embedded"), containers(settings):
        pass
    monkeypatch.setattr(shutil, "which", {}.get)
    with pytest.raises(SettingsError, match=r"no `docker`.*embedded"), containers(settings):
        pass


def test_a_run_against_containers_that_are_not_there_names_what_starts_them():
    settings = replace(Settings(), shim="docker", aws_port=free_port())
    with pytest.raises(Unreachable, match="make shim SHIM=docker"), find_or_start(settings):
        pass


def test_a_run_uses_what_the_containers_serve(aws_url, search_url):
    ports = {"aws_port": int(aws_url.rpartition(":")[2]), "search_port": int(search_url.rpartition(":")[2])}
    with find_or_start(replace(Settings(), shim="docker", **ports)) as world:
        assert (world.settings.aws_endpoint_url, world.settings.search_url) == (aws_url, search_url)
        assert world.emulated


def test_the_images_of_compose_and_of_localstack_s_command_are_the_same():
    text = Path("compose.yaml").read_text()
    assert f"image: {engines.IMAGE}\n" in text
    assert set(re.findall(r'ports: \["([^:]*):', text)) == {"127.0.0.1"}


@pytest.mark.skipif(not shutil.which("docker-compose"), reason="there is no docker-compose")
def test_compose_reads_the_file():
    done = subprocess.run(
        ["docker-compose", "-f", "compose.yaml", "config", "-q"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
