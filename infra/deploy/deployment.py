"""One deployment: its files, its targets and its deployed resources."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from service.errors import SettingsError

from .secrets import for_deployment, for_service, read_secrets
from .terraform import Terraform

ROOT: Final = Path(__file__).resolve().parents[2]

TARGETS: Final = ("data", "layer", "queue", "search", "lambda", "container")
"""The targets in deployment order. Each may use the resources of earlier ones."""

OF_FUNC: Final = ("lambda", "container")
"""Targets that exist once for each FUNC."""

NEEDED_BY: Final[Mapping[str, tuple[str, ...]]] = {
    "data": ("queue", "lambda", "container"),
    "layer": ("lambda",),
    "queue": ("lambda", "container"),
}
"""The targets to destroy before each target."""

EMULATOR: Final = "http://127.0.0.1:4566"
"""The endpoint of ENV=local, unless AWS_ENDPOINT_URL is set."""

ANY_CREDENTIALS: Final = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
"""The credentials for an emulator if none are set. It accepts any."""


@dataclass(frozen=True)
class Deployment:
    """The deployment `env`. `func` selects route modules (default: all); `arch` and `python` apply to the layer.

    Raises SettingsError if `env` cannot be part of resource names.
    """

    env: str
    func: tuple[str, ...] = ()
    arch: str = ""
    python: str = ""
    root: Path = ROOT
    process: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9-]{0,11}", self.env):
            raise SettingsError(
                f"ENV={self.env!r} is not a valid name. Use 1 to 12 lower-case letters, digits and dashes,"
                " beginning with a letter."
            )

    @property
    def function(self) -> str:
        """FUNC as a part of resource names; "" for all routes."""
        return "-".join(self.func)

    @cached_property
    def secrets(self) -> dict[str, str]:
        return read_secrets(self.root / "config" / f"secrets-{self.env}.env")

    @cached_property
    def service_secrets(self) -> dict[str, str]:
        """The secrets that are settings of the service."""
        return for_service(self.secrets)

    def secrets_path(self, data: Mapping[str, Any]) -> str | None:
        """Return the path of the service's secrets in the Parameter Store; None if there are none."""
        return f"/{data['prefix']}" if self.service_secrets else None

    @cached_property
    def environment(self) -> dict[str, str]:
        """The environment variables of Terraform and the AWS clients."""
        found = {**(self.process or {}), **for_deployment(self.secrets)}
        if self.env == "local":
            found["AWS_ENDPOINT_URL"] = found.get("AWS_ENDPOINT_URL") or EMULATOR
        if found.get("AWS_ENDPOINT_URL"):
            found = {**ANY_CREDENTIALS, **found, "TF_VAR_emulator": "true"}
        return {**found, "TF_VAR_environment": self.env, "TF_IN_AUTOMATION": "1"}

    def terraform(self, target: str) -> Terraform:
        return Terraform(
            folder=self.root / "infra" / target,
            state=self.state / self._name(target),
            env=self.env,
            backend=self.root / "config" / f"{self.env}.tfbackend",
            environment=self.environment,
        )

    @property
    def state(self) -> Path:
        return self.root / ".terraform-state" / self.env

    def variables(self, target: str) -> list[Path]:
        """Return the existing variable files: those of all targets, and those of this target."""
        names = (f"{self.env}.tfvars", f"{self.env}.{target}.tfvars", f"{self.env}.{self._name(target)}.tfvars")
        files = [self.root / "config" / name for name in dict.fromkeys(names)]
        return [file for file in files if file.is_file()]

    def generated(self, target: str) -> Path:
        """Return the file of derived variables."""
        return self.state / self._name(target) / "generated.tfvars.json"

    def keep(self, target: str, variables: Mapping[str, Any]) -> None:
        """Write the derived variables, for this run and for a later destroy."""
        file = self.generated(target)
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.write_text(json.dumps(variables, indent=2, sort_keys=True), encoding="utf-8")

    def outputs(self, target: str) -> dict[str, Any]:
        return self.terraform(target).outputs()

    def needed_outputs(self, target: str) -> dict[str, Any]:
        """Return the outputs of a target. Raises SettingsError if it is not deployed."""
        found = self.outputs(target)
        if not found:
            raise SettingsError(
                f"target {target} of {self.env} is not deployed."
                f" Run make deploy TARGET={target} ENV={self.env} first."
            )
        return found

    def users_of(self, target: str) -> Iterator[str]:
        """Yield the deployed targets that use this target."""
        needing = NEEDED_BY.get(target, ())
        for folder in sorted(self.state.glob("*/")):
            of_target, _, function = folder.name.partition("-")
            other = replace(self, func=(function,) if function else ())
            if of_target in needing and other.outputs(of_target):
                yield folder.name

    def _name(self, target: str) -> str:
        return f"{target}-{self.function}" if self.func and target in OF_FUNC else target
