"""Builds as a developer starts them, and access to their output."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

INPUTS = ("service", "routes", "infra", "pyproject.toml", "requirements.lock", ".gitignore")
TEXTS = ("README.md", "LICENSE", "CHANGELOG.md")


def checkout(folder: Path) -> Path:
    """Return a copy of the files that builds read, with other times and the modes of another umask."""
    for name in (*INPUTS, *TEXTS):
        if Path(name).is_dir():
            shutil.copytree(name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(name, folder / name)
    # Downloaded wheels are reused: the build checks them against the digests of the lock file.
    wheels = Path("build/wheels").absolute()
    wheels.mkdir(parents=True, exist_ok=True)
    (folder / "build").mkdir()
    for number, path in enumerate(sorted(folder.rglob("*"))):
        path.chmod(0o700 if path.is_dir() else 0o600)
        os.utime(path, (1_000_000_000 + number, 1_000_000_000 + number))
    (folder / "build/wheels").symlink_to(wheels)
    return folder


def start(root: Path, out: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m infra.build` in a checkout."""
    command = [sys.executable, "-m", "infra.build", *words, f"--out={out}"]
    return subprocess.run(
        command, cwd=root, env=os.environ | environment, capture_output=True, text=True, check=False, umask=0o077
    )


def make(root: Path, out: Path, *words: str, **environment: str) -> str:
    """Return the output of a build. Fail if the build fails."""
    done = start(root, out, *words, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def names_in(archive: Path) -> list[str]:
    with zipfile.ZipFile(archive) as opened:
        return opened.namelist()


def unpack(archive: Path, folder: Path) -> Path:
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(folder)
    return folder


@dataclass(frozen=True)
class Archives:
    """The archives in the output folder of builds."""

    folder: Path

    @property
    def layer(self) -> Path:
        return self._one("streamdex-layer-*.zip")

    @property
    def function(self) -> Path:
        return self._one("streamdex-lambda*.zip")

    @property
    def wheel(self) -> Path:
        return self._one("streamdex-*.whl")

    @property
    def source(self) -> Path:
        return self._one("streamdex-*.tar.gz")

    def _one(self, pattern: str) -> Path:
        (found,) = self.folder.glob(pattern)
        return found
