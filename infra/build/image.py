"""The image, by the engine that is there: Docker if its daemon answers, else buildah."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from service.errors import SettingsError

from .declared import ROOT
from .listing import chosen_modules

PLATFORMS: Final = {"x86_64": "linux/amd64", "arm64": "linux/arm64"}
"""The name of a processor at AWS, and the one in the manifest of an image."""

MISSING: Final = (
    "an image needs Docker with its daemon running, or buildah (Debian and Ubuntu: apt install buildah);"
    " make build TARGET=lambda and make run need neither"
)


def build(
    func: tuple[str, ...], arch: str, out: Path, target: str = "container", with_: Sequence[str] = ()
) -> list[Path]:
    """Builds the image `streamdex[-FUNC]:TARGET`; the file `streamdex-image[-FUNC]-ARCH.id` has its id.

    `target` is `container`, or `lambda` for Lambda's container format; `with_` is the command that builds, without
    it that of the engine that is there. Raises SettingsError without one, and where it fails; it says why itself.
    """
    chosen_modules(ROOT / "routes", func)  # a name that is not there is told before anything is downloaded
    name = "-".join(["streamdex", *func])
    written = out / f"{name.replace('streamdex', 'streamdex-image', 1)}-{arch}.id"
    out.mkdir(parents=True, exist_ok=True)
    command = [
        *(with_ or engine()),
        f"--platform={PLATFORMS[arch]}",
        f"--target={target}",
        f"--build-arg=FUNC={','.join(func)}",
        f"--iidfile={written}",
        f"--tag={name}:{target}",
        str(ROOT),
    ]
    if subprocess.run(command, check=False).returncode:
        raise SettingsError(f"{command[0]} could not build the image (its words are above)")
    return [written]


def engine() -> list[str]:
    """The command that builds. Raises SettingsError where there is none."""
    docker, buildah = shutil.which("docker"), shutil.which("buildah")
    if docker and subprocess.run([docker, "info"], capture_output=True, check=False).returncode == 0:
        return [docker, "build"]
    if buildah:
        return [buildah, "build", "--format=docker"]  # its own format has no health check
    raise SettingsError(MISSING)
