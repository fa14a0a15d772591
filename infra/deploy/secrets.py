"""Copy the secrets of a deployment from a file that is never committed to the Parameter Store.

Terraform's state never holds them. `config/secrets-ENV.env` has lines NAME=value. Names that begin with AWS_ or
TF_VAR_ configure the deployment itself. All others are settings of the service, stored as encrypted parameters
/PROJECT-ENV/NAME.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from service.errors import SettingsError

OURS: Final = ("AWS_", "TF_VAR_")

_LINE: Final = re.compile(r"(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)=(?P<value>.*)")


def read_secrets(file: Path) -> dict[str, str]:
    """Read the lines of a file, without quotes around values; {} if there is no file. Raises SettingsError."""
    if not file.is_file():
        return {}
    found = {}
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        match = _LINE.fullmatch(text)
        if match is None:
            raise SettingsError(f"{file}, line {number}: expected NAME=value")
        found[match["name"]] = unquoted(match["value"].strip())
    return found


def unquoted(value: str) -> str:
    in_quotes = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    return value[1:-1] if in_quotes else value


def for_deployment(secrets: Mapping[str, str]) -> dict[str, str]:
    """Return the secrets for Terraform and the AWS clients."""
    return {name: value for name, value in secrets.items() if name.startswith(OURS)}


def for_service(secrets: Mapping[str, str]) -> dict[str, str]:
    """Return the secrets that are settings of the service, without empty values."""
    return {name: value for name, value in secrets.items() if not name.startswith(OURS) and value}


class ParameterStore:
    """The secrets in the Parameter Store below a path such as /streamdex-lab. `ssm` is a boto3 client."""

    def __init__(self, ssm: Any, path: str):
        self._ssm = ssm
        self._path = f"{path.rstrip('/')}/"

    def read(self) -> dict[str, str]:
        pages = self._ssm.get_paginator("get_parameters_by_path").paginate(Path=self._path, WithDecryption=True)
        found = [parameter for page in pages for parameter in page["Parameters"]]
        return {parameter["Name"].removeprefix(self._path): parameter["Value"] for parameter in found}

    def keep(self, secrets: Mapping[str, str]) -> list[str]:
        """Write new and changed secrets, delete the others, and return the names of all of these."""
        there = self.read()
        changed = [name for name, value in secrets.items() if there.get(name) != value]
        for name in changed:
            self._ssm.put_parameter(
                Name=f"{self._path}{name}", Value=secrets[name], Type="SecureString", Overwrite=True
            )
        gone = [name for name in there if name not in secrets]
        for name in gone:
            self._ssm.delete_parameter(Name=f"{self._path}{name}")
        return [*changed, *gone]
