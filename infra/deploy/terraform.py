"""Runs Terraform for one target of one deployment, with a state of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from service.errors import SettingsError, StreamdexError

BACKEND: Final = """# Made by make deploy from config/{env}.tfbackend; it names where the state is.

terraform {{
  backend "s3" {{}}
}}
"""


class TerraformFailed(StreamdexError):
    """Terraform has ended with an error, which it has told itself."""

    exit_code = 1


@dataclass(frozen=True)
class Terraform:
    """One target of one deployment: the `folder` of its configuration, and where its `state` is kept.

    `backend` is a file for Terraform's S3 backend; without it the state is a file in the folder `state`.
    """

    folder: Path
    state: Path
    env: str
    backend: Path
    environment: Mapping[str, str]

    def prepare(self) -> None:
        """Fetches providers and modules. Raises SettingsError where there is no Terraform."""
        self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        override = self.folder / "backend_override.tf"
        override.unlink(missing_ok=True)
        if self._is_remote:
            override.write_text(BACKEND.format(env=self.env), encoding="utf-8")
        if has_overrides(self.environment):  # `init` would look for the provider in spite of them
            self._run(["get"], quiet=True)
            return
        self._run(["init", "-input=false", *self._backend()], quiet=True)

    def apply(self, variables: Sequence[Path], options: Sequence[str]) -> None:
        self._run(["apply", *options, *self._state(), *files(variables)])

    def plan(self, variables: Sequence[Path], options: Sequence[str]) -> None:
        self._run(["plan", *options, *self._state(), *files(variables)])

    def destroy(self, variables: Sequence[Path], options: Sequence[str]) -> None:
        self._run(["destroy", *options, *self._state(), *files(variables)])

    def outputs(self) -> dict[str, Any]:
        """The outputs by their names; none while nothing is deployed."""
        if not self._is_remote and not (self.state / "terraform.tfstate").is_file():
            return {}
        if self._is_remote:  # a file is read as it is
            self.prepare()
        done = self._run(["output", "-json", *self._state()], capture=True)
        return {name: output["value"] for name, output in json.loads(done).items()}

    @property
    def _is_remote(self) -> bool:
        return self.backend.is_file()

    def _backend(self) -> list[str]:
        if not self._is_remote:
            return []
        key = f"streamdex/{self.env}/{self.state.name}.tfstate"
        return ["-reconfigure", f"-backend-config={self.backend.resolve()}", f"-backend-config=key={key}"]

    def _state(self) -> list[str]:
        return [] if self._is_remote else [f"-state={self.state.resolve() / 'terraform.tfstate'}"]

    def _run(self, words: Sequence[str], quiet: bool = False, capture: bool = False) -> str:
        """Raises TerraformFailed; what Terraform has to say stands on the terminal."""
        program = self.environment.get("TERRAFORM", "terraform")
        if shutil.which(program, path=self.environment.get("PATH")) is None:
            raise SettingsError(
                f"{program} is missing: install Terraform 1.11 or newer, or set TERRAFORM=/path/to/it"
            )
        done = subprocess.run(
            [program, f"-chdir={self.folder}", *words],
            env={**self.environment, "TF_DATA_DIR": str(self.state.resolve() / "data")},
            stdout=subprocess.PIPE if quiet or capture else None,
            text=True,
            check=False,
        )
        if done.returncode:
            raise TerraformFailed(
                f"terraform {words[0]} in {os.path.relpath(self.folder)} failed (its words are above)"
            )
        return done.stdout or ""


def files(variables: Sequence[Path]) -> list[str]:
    return [f"-var-file={file.resolve()}" for file in variables]


def has_overrides(environment: Mapping[str, str]) -> bool:
    """Whether Terraform's configuration puts a provider of yours in place of another.

    ("Development Overrides for Provider Developers", CLI Configuration.)
    """
    file = environment.get("TF_CLI_CONFIG_FILE", "")
    try:
        return "dev_overrides" in Path(file).read_text(encoding="utf-8") if file else False
    except OSError:
        return False
