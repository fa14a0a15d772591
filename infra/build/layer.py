"""The layer: the run-time dependencies as wheels for Lambda, verified by the hashes of the lock file."""

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

WHEELS: Final = ROOT / "build/wheels"
"""Downloaded wheels, kept for the next build. `make clean` removes them."""

PREFIX: Final = "python/"
"""The folder of a layer in which Lambda finds packages."""

UNUSED: Final = re.compile(
    r"(^|/)(__pycache__|tests?|examples)/"  # of the packages
    r"|\.(pyc|pyi|pyx|pxd|c|h)$"
    r"|(^|/)py\.typed$"
    r"|\.dist-info/(RECORD|INSTALLER|REQUESTED|direct_url\.json)$"  # of the installation, with local paths
    r"|^bin/"
)
"""Files that are not read at run time. METADATA and licences stay, for scanners and licence audits."""

SERVICE_DATA: Final = re.compile(r"^(?:botocore|boto3)/data/([^/]+)/")


def build(func: tuple[str, ...], arch: str, out: Path, python: str = "") -> list[Path]:
    """Build the layer for the modules of FUNC (default: all): `streamdex-layer-ARCH.zip`.

    `python` is the version of the Lambda runtime. Raises SettingsError if a package cannot be downloaded.
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
    """Unpack the wheels of these packages from WHEELS, and download missing ones first.

    pip verifies them by the hashes of the lock file. Raises SettingsError if pip fails; pip prints why.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as requirements:
        requirements.write("\n".join(pin.line() for pin in wanted))
        requirements.flush()
        said = ["--only-binary=:all:", "--no-deps", "--require-hashes", *platform.options, "-r", requirements.name]
        kept = ["--no-index", f"--find-links={WHEELS}", "--no-compile", f"--target={folder}"]
        if pip("install", *kept, *said, silent=True):
            return
        if not (pip("download", f"--dest={WHEELS}", *said) and pip("install", *kept, *said)):
            raise SettingsError("pip found no wheels for this platform and Python version. Its output is above")


def pip(command: str, *options: str, silent: bool = False) -> bool:
    """Run pip. True if it succeeded."""
    words = [sys.executable, "-m", "pip", command, "--quiet", "--disable-pip-version-check", *options]
    return subprocess.run(words, check=False, stderr=subprocess.DEVNULL if silent else None).returncode == 0


def needed_of(folder: Path, aws_services: Collection[str]) -> Iterator[tuple[str, bytes]]:
    """Yield the files of installed packages that are needed at run time, by their names in the folder."""
    for path in folder.rglob("*"):
        name = PurePosixPath(path.relative_to(folder)).as_posix()
        described = SERVICE_DATA.match(name)
        if path.is_file() and not UNUSED.search(name) and (not described or described[1] in aws_services):
            yield name, path.read_bytes()
