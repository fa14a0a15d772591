"""Terraform, the provider that it is run with, and the emulator that it deploys to.

STREAMDEX_PROVIDER names a program that makes a provider ready for the folders it is given, and prints the
variables that Terraform needs for it; set to nothing, Terraform fetches the provider from the registry. What is
missing is a skip, with STREAMDEX_REQUIRE_TERRAFORM a failure.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.deploy.deployment import ROOT
from infra.shim.probes import free_port
from infra.shim.stand_ins import embedded_search

PROVIDER = "../shared/terraform/standin"
MINISTACK = "ministack==1.5.33"


def needs(what: str) -> None:
    """Says what is missing."""
    if os.environ.get("STREAMDEX_REQUIRE_TERRAFORM"):
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="session")
def terraform_environment() -> dict[str, str]:
    """The variables with which Terraform is run."""
    if shutil.which(os.environ.get("TERRAFORM", "terraform")) is None:
        needs("Terraform is missing: install 1.11 or newer")
    program = os.environ.get("STREAMDEX_PROVIDER", PROVIDER)
    if not program:
        return dict(os.environ)
    path = (ROOT / program).resolve()
    if not path.is_file():
        needs(f"{path} is missing: set STREAMDEX_PROVIDER to what makes a provider ready, or to nothing")
    done = subprocess.run([path, ROOT / "infra", ROOT / "examples"], capture_output=True, text=True, check=True)
    words = [word for line in done.stdout.splitlines() for word in shlex.split(line)[1:]]
    return {**os.environ, **dict(word.split("=", 1) for word in words)}


@pytest.fixture(scope="session")
def search_url() -> Iterator[str]:
    with embedded_search(free_port()) as url:
        yield url


@pytest.fixture(scope="session")
def emulator_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """MiniStack, which runs Lambdas, in an environment of its own: it pins an older botocore."""
    folder = ROOT / "build" / MINISTACK.replace("==", "-")
    if not (folder / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([folder / "bin" / "pip", "install", "--quiet", MINISTACK], check=True)
        (folder / "ready").touch()
    port = free_port()
    # Without a variable of ours: what it starts inherits them.
    own = {
        name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "STREAMDEX_", "SEARCH_"))
    }
    environment = {**own, "GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "IOT_MTLS_ENABLED": "0"}
    log = tmp_path_factory.mktemp("ministack") / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [folder / "bin" / "ministack"], env=environment, cwd=log.parent, stdout=output, stderr=output
        )
        try:
            url = f"http://127.0.0.1:{port}"
            wait_for(url, process, log)
            yield url
        finally:
            process.terminate()
            process.wait(30)


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path, timeout: float = 60) -> None:
    """Until the emulator answers; fails with its log."""
    deadline = time.monotonic() + timeout
    while process.poll() is None and time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"{url}/_ministack/health", timeout=5).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"MiniStack does not answer: {log.read_text()[-1000:]}")
