"""A copy of this repository to build and deploy from, and helpers that read the result."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deployments import ask

from infra.deploy.deployment import ROOT

SECONDS = 120.0
"""Maximum seconds to wait. Only a failing test waits that long."""

NOBODYS = shutil.ignore_patterns("__pycache__", "secrets-*.env", "*.names.yml", "*.tfbackend", ".terraform*")
"""Files of the developer that are not copied."""

ORDER = ("data", "layer", "queue", "lambda")


class Checkout:
    """A copy of this repository, so that tests do not touch the developer's deployment `local`."""

    def __init__(self, folder: Path, environment: dict[str, str], url: str):
        self.folder = folder / "streamdex"
        self.folder.mkdir()
        for part in ("Makefile", "pyproject.toml", "requirements.lock"):
            shutil.copy2(ROOT / part, self.folder)  # with modification times; otherwise make rebuilds .venv
        for part in ("config", "examples", "infra", "routes", "service", "tests/data"):
            shutil.copytree(ROOT / part, self.folder / part, ignore=NOBODYS, symlinks=True)
        (self.folder / ".venv").symlink_to(ROOT / ".venv")
        unset = ("AWS_", "SEARCH_", "STREAMDEX_", "MAKE", "FUNC", "ENV", "TARGET", "ARCH")
        own = {name: value for name, value in environment.items() if not name.startswith(unset)}
        kept = {name: environment[name] for name in ("AWS_CA_BUNDLE",) if name in environment}
        self.environment = {
            **own,
            **kept,
            "AWS_ENDPOINT_URL": url,
            "STANDIN_AWS_ENDPOINT": url,
            "TF_CLI_ARGS": "-no-color",
        }

    def make(self, *words: str) -> str:
        done = subprocess.run(
            ["make", "--no-print-directory", *words, "ENV=local", "FUNC=images"],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"make {' '.join(words)}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def build_and_deploy(self) -> dict[str, str]:
        """Return the output of `make deploy` for each target."""
        for target in ("layer", "queue", "lambda"):
            self.make("build", f"TARGET={target}")
        return {target: self.make("deploy", f"TARGET={target}", "AUTO_APPROVE=-auto-approve") for target in ORDER}


def found(search_url: str, index: str) -> list[str]:
    answer = ask("GET", f"{search_url}/{index}/_search")
    return sorted(hit["_id"] for hit in answer["hits"]["hits"]) if answer else []


def eventually(look: Callable[[], Any], wanted: Any) -> None:
    deadline = time.monotonic() + SECONDS
    while look() != wanted and time.monotonic() < deadline:
        time.sleep(0.5)
    assert look() == wanted
