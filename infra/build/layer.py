"""The layer: the run-time dependencies as wheels for Lambda, from the lock file with its hashes."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from service.errors import SettingsError

from .archive import write_zip
from .declared import ROOT, declared
from .listing import chosen_modules
from .lock import Pin, closure, pins
from .platforms import Platform, platform_of

PREFIX: Final = "python/"
"""Where Lambda looks for packages in a layer."""

UNUSED: Final = re.compile(
    r"(^|/)(__pycache__|tests?|examples)/"  # of packages
    r"|\.(pyc|pyi|pyx|pxd|c|h)$"
    r"|(^|/)py\.typed$"
    r"|\.dist-info/(RECORD|INSTALLER|REQUESTED|direct_url\.json)$"  # of the installation, with its paths
    r"|^bin/"
)
"""What nothing reads at run time. METADATA and licences stay: scanners and lawyers read these."""

SERVICE_DATA: Final = re.compile(r"^(?:botocore|boto3)/data/([^/]+)/")


def build(func: tuple[str, ...], arch: str, out: Path, python: str = "") -> list[Path]:
    """The layer for the modules of FUNC, for all without it: `streamdex-layer-ARCH.zip`.

    `python` is the version of Lambda's runtime. Raises SettingsError for a package that cannot be had.
    """
    said = declared()
    platform = platform_of(arch, python or said.python)
    locked = pins((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    roots = said.needed_by(chosen_modules(ROOT / "routes", func))
    wanted = closure(locked, roots, platform.environment, said.leave_out)
    with tempfile.TemporaryDirectory() as folder:
        install(wanted, platform, Path(folder))
        entries = {PREFIX + name: content for name, content in needed_of(Path(folder), said.aws_services)}
    return [write_zip(out / f"streamdex-layer-{arch}.zip", entries)]


def install(wanted: Sequence[Pin], platform: Platform, folder: Path) -> None:
    """The wheels of these packages, unpacked. Raises SettingsError where pip does not find them; it says why."""
    requirements = folder.with_name(f"{folder.name}.txt")
    requirements.write_text("\n".join(pin.line() for pin in wanted), encoding="utf-8")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    command += ["--only-binary=:all:", "--no-deps", "--require-hashes", f"--target={folder}", *platform.options]
    try:
        done = subprocess.run([*command, "-r", str(requirements)], check=False)
    finally:
        requirements.unlink()
    if done.returncode:
        raise SettingsError("pip found no wheels for this platform and Python (its words are above)")


def needed_of(folder: Path, aws_services: Collection[str]) -> Iterator[tuple[str, bytes]]:
    """The files of installed packages that are needed at run time, by their names in the folder."""
    for path in folder.rglob("*"):
        name = PurePosixPath(path.relative_to(folder)).as_posix()
        described = SERVICE_DATA.match(name)
        if path.is_file() and not UNUSED.search(name) and (not described or described[1] in aws_services):
            yield name, path.read_bytes()
