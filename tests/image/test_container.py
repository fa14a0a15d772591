"""The container image: it works when run as an engine runs it, and has no unneeded content."""

from __future__ import annotations

import os
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from deployments import Deployment, documents_of, eventually
from engine import Image, Running, running

from infra.shim.probes import free_port

STOPPED_WITHIN = 10.0  # seconds; an engine then kills a container that it has asked to stop
TOOLS = {"pytest", "moto", "osmem_server", "mypy", "ruff", "pip", "setuptools", "uv", "coverage", "awslambdaric"}


@dataclass
class Served:
    """The service of the image with its own deployment."""

    process: Running
    place: Deployment
    state: Path
    port: int

    def answer(self, path: str) -> int:
        """Return the status of the response, or 0 if there is none."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as found:
                return int(found.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code
        except OSError:
            return 0


@pytest.fixture
def served(container: Image, aws_url: str, search_url: str, tmp_path: Path) -> Iterator[Served]:
    place, port, state = Deployment(aws_url, search_url, tmp_path), free_port(), tmp_path / "state"
    settings = {
        "AWS_ENDPOINT_URL": aws_url,
        "SEARCH_URL": search_url,
        "READ_QUEUE": place.queue,
        "POLL_INTERVAL": "0.05",
        "STREAMDEX_POLL_WAIT": "0",
        "STREAMDEX_NAMES": ",".join(f"{name}={actual}" for name, actual in place.settings.names.items()),
        "STREAMDEX_PAGE_PORT": str(port),
    }
    with place.app, running(container, container.command, tmp_path / "output", state, **settings) as process:
        found = Served(process, place, state, port)
        eventually(lambda: (found.answer("/healthz"), process.poll()), (200, None))
        yield found


def test_it_answers_as_a_user_that_is_not_root_on_a_root_that_nobody_can_write(served: Served):
    assert served.process.status("Uid") == ["10001"] * 4
    assert served.process.status("NSpid")[-1] == "1"
    assert served.process.status("CapEff") == ["0" * 16]
    assert served.answer("/readyz") == 200
    mounts = Path(f"/proc/{served.process.first}/mounts").read_text().splitlines()
    (root,) = [line.split() for line in mounts if line.split()[1] == "/"]
    assert root[3].startswith("ro")


def test_an_item_and_an_upload_are_found_and_what_is_no_image_is_kept(served: Served):
    served.place.items.put_item(Item={"id": "a", "title": "T"})
    served.place.upload("lisbon.jpg")
    served.place.upload("no image.jpg", b"text")
    eventually(lambda: sorted(served.place.documents()), ["a", "lisbon.jpg"])
    eventually(lambda: len(list((served.state / "dead-letters").glob("*.json"))), 1)
    assert (served.state / "checkpoints.sqlite").exists()


def test_beyond_its_own_machine_the_page_asks_for_a_token(served: Served):
    assert [served.answer("/"), served.answer("/metrics")] == [403, 403]


def test_sigterm_reaches_it_and_ends_it_with_0(served: Served):
    served.place.items.put_item(Item={"id": "last"})
    eventually(lambda: sorted(documents_of(served.place.search_url, served.place.index)), ["last"])
    os.kill(served.process.first, signal.SIGTERM)
    assert served.process.wait(STOPPED_WITHIN) == 0, served.process.said()
    assert '"event": "stopped"' in served.process.said()


def test_its_health_check_follows_the_service(served: Served, container: Image, tmp_path: Path):
    def healthy() -> int:
        port = {"STREAMDEX_PAGE_PORT": str(served.port)}
        with running(container, container.health_check, tmp_path / "check", **port) as check:
            return check.wait(10)

    assert healthy() == 0
    os.kill(served.process.first, signal.SIGTERM)
    served.process.wait(STOPPED_WITHIN)
    assert healthy() == 1


def test_every_command_of_the_service_can_be_run_in_it(container: Image, tmp_path: Path):
    command = [*container.configuration["Entrypoint"], "routes", "list"]
    with running(container, command, tmp_path / "output") as process:
        assert process.wait(20) == 0, process.said()
    assert "images:Images" in process.said()


def test_it_holds_the_code_and_what_that_needs_and_nothing_else(container: Image):
    assert sorted(path.name for path in (container.root / "app").iterdir()) == ["routes", "service"]
    (packages,) = (container.root / "opt/streamdex/lib").glob("python3.*/site-packages")
    installed = {path.name for path in packages.iterdir()}
    assert {"boto3", "opensearchpy", "flask", "PIL"} <= installed
    assert not TOOLS & installed
    for unwanted in ("src", "tools", "contents"):
        assert not (container.root / unwanted).exists()


def test_what_it_runs_belongs_to_root(container: Image):
    for folder in ("app", "opt/streamdex"):
        paths = [container.root / folder, *(container.root / folder).rglob("*")]
        assert not [path for path in paths if path.lstat().st_uid != 0]
        assert not [path for path in paths if not path.is_symlink() and path.stat().st_mode & 0o022]
