"""The image, built by Docker if its daemon answers, or else by buildah."""

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
"""The AWS name of each processor, and its platform in the manifest of an image."""

MISSING: Final = (
    "cannot build an image: it needs Docker with a running daemon, or buildah (Debian and Ubuntu: apt install"
    " buildah). make build TARGET=lambda and make run need neither"
)


def build(
    func: tuple[str, ...], arch: str, out: Path, target: str = "container", with_: Sequence[str] = ()
) -> list[Path]:
    """Build the image `streamdex[-FUNC]:TARGET`, and write its id to `streamdex-image[-FUNC]-ARCH.id`.

    `target` is `container`, or `lambda` for Lambda's container format. `with_` is the build command (default: that
    of the installed engine). Raises SettingsError if there is no engine or the build fails. The engine prints why.
    """
    chosen_modules(ROOT / "routes", func)  # reports an unknown name before anything is downloaded
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
        raise SettingsError(f"{command[0]} could not build the image. Its output is above")
    return [written]


def engine() -> list[str]:
    """Return the build command. Raises SettingsError if no engine is available."""
    docker, buildah = shutil.which("docker"), shutil.which("buildah")
    if docker and subprocess.run([docker, "info"], capture_output=True, check=False).returncode == 0:
        return [docker, "build"]
    if buildah:
        return [buildah, "build", "--format=docker"]  # buildah's own format has no health check
    raise SettingsError(MISSING)
