"""The build settings of pyproject.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from service.errors import SettingsError

ROOT: Final = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Declared:
    """The run-time dependencies by their names in the lock file, and the table `tool.streamdex.build`."""

    dependencies: Sequence[str]
    extras: Mapping[str, Sequence[str]]
    python: str
    needs: Mapping[str, Sequence[str]]
    leave_out: Collection[str]
    aws_services: Collection[str]

    def needed_by(self, modules: Sequence[str]) -> list[str]:
        """Return the direct dependencies of route modules.

        Raises SettingsError for an unknown extra.
        """
        extras = [extra for module in modules for extra in self.needs.get(module, ())]
        unknown = [extra for extra in extras if extra not in self.extras]
        if unknown:
            raise SettingsError(
                f"tool.streamdex.build.needs of pyproject.toml names the unknown extra {unknown[0]!r}."
                f" Known extras: {', '.join(self.extras)}"
            )
        return [*self.dependencies, *(name for extra in extras for name in self.extras[extra])]


def declared(root: Path = ROOT) -> Declared:
    """Read the build settings from a repository's pyproject.toml."""
    content = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    project, build = content["project"], content["tool"]["streamdex"]["build"]
    return Declared(
        dependencies=names(project["dependencies"]),
        extras={extra: names(listed) for extra, listed in project["optional-dependencies"].items()},
        python=build["python"],
        needs=build["needs"],
        leave_out=build["leave_out"],
        aws_services=build["aws_services"],
    )


def names(requirements: Sequence[str]) -> list[str]:
    """Return the package names of requirements: `ConfigArgParse>=1.7` gives `configargparse`."""
    return [canonicalize_name(Requirement(line).name) for line in requirements]
