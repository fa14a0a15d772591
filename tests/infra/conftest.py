"""Terraform, its provider, and the emulator that it deploys to.

STREAMDEX_PROVIDER names a program that prepares a provider for the given folders, and prints the variables that
Terraform needs. If it is empty, Terraform downloads the provider from the registry. If something is missing, the
tests are skipped. With STREAMDEX_REQUIRE_TERRAFORM they fail.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from checkouts import Checkout
from ministack import ministack

from infra.deploy.deployment import ROOT
from infra.shim.embedded_servers import embedded_search
from infra.shim.probes import free_port

PROVIDER = "../shared/terraform/standin"


def needs(what: str) -> None:
    """Skip or fail the test with this reason."""
    if os.environ.get("STREAMDEX_REQUIRE_TERRAFORM"):
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="session")
def terraform_environment() -> dict[str, str]:
    """Return the environment variables for Terraform."""
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
def emulator_url() -> Iterator[str]:
    """Start an emulator that runs Lambda functions, and yield its URL."""
    with ministack() as url:
        yield url


@pytest.fixture
def checkout(tmp_path: Path, terraform_environment: dict[str, str], emulator_url: str) -> Checkout:
    return Checkout(tmp_path, terraform_environment, emulator_url)


@pytest.fixture
def aws(emulator_url: str) -> Callable[..., Any]:
    """Return a function that makes plain boto3 clients, as any other program would use them."""
    given = {"endpoint_url": emulator_url, "region_name": "us-east-1"}
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    return lambda service, kind="client": getattr(boto3, kind)(service, **given, **keys)
