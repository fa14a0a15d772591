"""Servers in containers: SHIM=docker starts compose.yaml, SHIM=localstack starts LocalStack by its own command.

The LocalStack image 4.14.0 is the last that needs no account. The next, 2026.3.0, exits at once without a token
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
PATIENCE: Final = 300  # seconds until a container must be healthy, including the download of its image
INSTEAD: Final = "Without SHIM, make run and make shim start embedded servers, which need no Docker"


@contextmanager
def containers(settings: Settings) -> Iterator[None]:
    """Run the containers of SHIM until the block ends.

    Raises SettingsError if a required program is missing, and Unreachable if the containers do not start.
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
    """Return the Docker command. Raises SettingsError if it is missing or its daemon does not answer."""
    docker = shutil.which("docker")
    if not docker:
        raise SettingsError(
            f"SHIM=docker and SHIM=localstack need Docker, but there is no `docker` command. {INSTEAD}."
        )
    if subprocess.run([docker, "info"], capture_output=True, check=False).returncode:
        raise SettingsError(f"Docker's daemon does not answer (docker info). Start it. {INSTEAD}.")
    return docker


def _compose(docker: str) -> list[list[str]]:
    """Return the commands that start the dependencies. The last one stops them."""
    plugin = subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode == 0
    if not plugin:
        raise SettingsError(f"SHIM=docker needs version 2 of Docker's compose plugin (docker compose). {INSTEAD}.")
    call = [docker, "compose", "--project-name=streamdex", f"--file={COMPOSE}"]
    return [
        [*call, "up", "--detach", "--wait", f"--wait-timeout={PATIENCE}", *DEPENDENCIES],
        [*call, "down", "--volumes"],
    ]


def _localstack() -> list[list[str]]:
    if not LOCALSTACK.exists():
        raise SettingsError(f"there is no {LOCALSTACK}. Run make shim SHIM=localstack to install it. {INSTEAD}.")
    call = str(LOCALSTACK)
    return [[call, "start", "--detached"], [call, "wait", f"--timeout={PATIENCE}"], [call, "stop"]]


def _variables(settings: Settings) -> Mapping[str, str]:
    """Return the variables for compose.yaml and LocalStack's command: the local ports and the image."""
    return {
        "AWS_PORT": str(settings.aws_port),
        "SEARCH_PORT": str(settings.search_port),
        "IMAGE_NAME": IMAGE,
        "GATEWAY_LISTEN": f"{HOST}:{settings.aws_port}",
        "PROVIDER_OVERRIDE_DYNAMODBSTREAMS": "v2",
    }


def _run(command: Sequence[str], variables: Mapping[str, str]) -> None:
    if subprocess.run(command, env={**os.environ, **variables}, check=False).returncode:
        raise Unreachable(f"{' '.join(command)} failed. Its output is above. {INSTEAD}.")
