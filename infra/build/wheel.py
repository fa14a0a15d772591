"""The package `streamdex`, as a wheel and as a source archive."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from service.errors import SettingsError

from .declared import ROOT


def build(func: tuple[str, ...], arch: str, out: Path) -> list[Path]:
    """Build both. FUNC and ARCH have no effect, because the package holds no routes. Raises SettingsError."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "hatchling", "build", "--directory", folder]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SettingsError(f"cannot build the package: {done.stderr.strip()[-500:]}")
        return [Path(shutil.move(path, out / path.name)) for path in sorted(Path(folder).iterdir())]
