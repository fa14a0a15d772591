"""The surroundings in containers: SHIM=docker starts compose.yaml, SHIM=localstack LocalStack by its own command.

Its image is the last that asks for no account: 4.14.0. The next, 2026.3.0, ends at once without a token
(LocalStack's notes for that release).
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from service.errors import SettingsError, Unreachable
from service.settings import Settings

from .probes import HOST

IMAGE: Final = "localstack/localstack:4.14.0"
COMPOSE: Final = Path("compose.yaml")
DEPENDENCIES: Final = ("localstack", "opensearch", "mysql")
LOCALSTACK: Final = Path("build/localstack/bin/localstack")
PATIENCE: Final = 300  # seconds for a container to be healthy; its image may have to be fetched first
INSTEAD: Final = "without SHIM, make run and make shim start embedded stand-ins that need neither"


@contextmanager
def containers(settings: Settings) -> Iterator[None]:
    """The containers that SHIM asks for, until the block ends.

    Raises SettingsError where what they need is missing, naming it, and Unreachable where they do not start.
    """
    docker = require_docker()
    commands = _compose(docker) if settings.shim == "docker" else _localstack()
    variables = _variables(settings)
    try:
        for command in commands[:-1]:
            _run(command, variables)
        yield
    finally:
        subprocess.run(commands[-1], env={**os.environ, **variables}, check=False)


def require_docker() -> str:
    """Docker's command, with an engine behind it. Raises SettingsError."""
    docker = shutil.which("docker")
    if not docker:
        raise SettingsError(f"SHIM=docker and SHIM=localstack need Docker, and there is no `docker`: {INSTEAD}")
    if subprocess.run([docker, "info"], capture_output=True, check=False).returncode:
        raise SettingsError(f"Docker's daemon does not answer (docker info): start it; {INSTEAD}")
    return docker


def _compose(docker: str) -> list[list[str]]:
    """The commands that start the dependencies, and last the one that stops them."""
    plugin = subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode == 0
    if not plugin:
        raise SettingsError(f"SHIM=docker needs Docker's plugin compose, version 2 (docker compose): {INSTEAD}")
    call = [docker, "compose", "--project-name=streamdex", f"--file={COMPOSE}"]
    return [
        [*call, "up", "--detach", "--wait", f"--wait-timeout={PATIENCE}", *DEPENDENCIES],
        [*call, "down", "--volumes"],
    ]


def _localstack() -> list[list[str]]:
    if not LOCALSTACK.exists():
        raise SettingsError(f"LocalStack's command is not here: make shim SHIM=localstack installs it; {INSTEAD}")
    call = str(LOCALSTACK)
    return [[call, "start", "--detached"], [call, "wait", f"--timeout={PATIENCE}"], [call, "stop"]]


def _variables(settings: Settings) -> Mapping[str, str]:
    """What compose.yaml, and LocalStack's command, are told: ports of this machine alone, and which image."""
    return {
        "AWS_PORT": str(settings.aws_port),
        "SEARCH_PORT": str(settings.search_port),
        "IMAGE_NAME": IMAGE,
        "GATEWAY_LISTEN": f"{HOST}:{settings.aws_port}",
        "PROVIDER_OVERRIDE_DYNAMODBSTREAMS": "v2",
    }


def _run(command: Sequence[str], variables: Mapping[str, str]) -> None:
    if subprocess.run(command, env={**os.environ, **variables}, check=False).returncode:
        raise Unreachable(f"{' '.join(command)} failed (its words are above); {INSTEAD}")
