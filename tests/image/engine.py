"""Images built by buildah, and run in Linux namespaces as a container engine would run them.

The base image is Debian's own Python under the name in the Dockerfile. So the Dockerfile is built unchanged, and
only packages are downloaded.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.build import image
from infra.build.__main__ import here

STATE = "var/lib/streamdex"
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
PACKAGES = "ca-certificates,python3,python3-venv"
UNUSED = ("usr/share/doc", "usr/share/locale", "var/cache/apt", "var/lib/apt/lists")
"""Folders that are removed from the base image. Copying images takes half the time without them."""


@dataclass(frozen=True)
class Image:
    """A built image: the folder with its files, and its configuration in Docker's format."""

    root: Path
    configuration: Mapping[str, Any]

    @property
    def user(self) -> str:
        return str(self.configuration["User"])

    @property
    def command(self) -> list[str]:
        return [*self.configuration["Entrypoint"], *self.configuration["Cmd"]]

    @property
    def health_check(self) -> list[str]:
        kind, *command = self.configuration["Healthcheck"]["Test"]
        assert kind == "CMD"
        return list(command)


class Builder:
    """buildah with its own store, so that neither the base nor the images appear among the developer's images."""

    def __init__(self, folder: Path):
        needed = ("buildah", "debootstrap", "unshare", "chroot")
        missing = [tool for tool in needed if not shutil.which(tool)]
        assert not missing, (
            f"the image's tests need {', '.join(missing)} (Debian: apt install buildah debootstrap)"
        )
        assert os.geteuid() == 0, "the image's tests have to be run as root: they mount what they build"
        self._folder = folder
        self._environment = {**os.environ, "BUILDAH_ISOLATION": "chroot"}
        for driver in ("overlay", "vfs"):
            self._use(driver)
            tried = subprocess.run(["buildah", "info"], env=self._environment, capture_output=True, check=False)
            if tried.returncode == 0:
                break

    def _use(self, driver: str) -> None:
        store = self._folder / driver
        configuration = self._folder / "storage.conf"
        configuration.write_text(
            f'[storage]\ndriver = "{driver}"\ngraphroot = "{store}/graph"\nrunroot = "{store}/run"\n'
        )
        self._environment["CONTAINERS_STORAGE_CONF"] = str(configuration)
        self._environment["STORAGE_DRIVER"] = driver

    def ask(self, *words: str) -> str:
        answer = subprocess.run(
            ["buildah", *words], env=self._environment, capture_output=True, text=True, check=False
        )
        assert answer.returncode == 0, f"buildah {' '.join(words)}: {answer.stderr[-2000:]}"
        return answer.stdout.strip()

    def make_base(self, tag: str) -> None:
        """Create the base image: Debian's own Python under the name of Python's official image.

        `tag` has the form of 3.13-slim-trixie.
        """
        release = tag.rpartition("-")[2]
        root = self._folder / "base"
        command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", release, str(root)]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        assert answer.returncode == 0, answer.stdout[-2000:] + answer.stderr[-2000:]
        has = subprocess.run(
            ["chroot", str(root), "python3", "--version"], capture_output=True, text=True, check=True
        ).stdout
        assert has.startswith(f"Python {tag.partition('-')[0]}."), (
            f"Debian {release} has {has}, and the tag is {tag}"
        )
        for unused in UNUSED:
            shutil.rmtree(root / unused, ignore_errors=True)
        container = self.ask("from", "scratch")
        self.ask("add", "--quiet", container, str(root), "/")
        self.ask("commit", "--quiet", "--rm", container, f"docker.io/library/python:{tag}")
        shutil.rmtree(root)

    def build(self, target: str) -> Image:
        """Build the unchanged Dockerfile with the code of `make build TARGET=image`."""
        pip = self._folder / "pip.conf"
        pip.write_text(f"[global]\ncert = {CERTIFICATES}\n")
        command = [
            *("env", *(f"{name}={self._environment[name]}" for name in CHOSEN)),
            *("buildah", "build", "--format=docker", "--layers", "--pull-never", "--quiet"),
            f"--volume={CERTIFICATES}:{CERTIFICATES}:ro",
            f"--volume={pip}:/etc/pip.conf:ro",
        ]
        (identity,) = image.build((), here(), self._folder, target, command)
        built = identity.read_text().strip()
        inspected = json.loads(self.ask("inspect", "--type=image", built))
        container = self.ask("from", "--pull-never", built)
        return Image(Path(self.ask("mount", container)), inspected["Docker"]["config"])


CHOSEN = ("BUILDAH_ISOLATION", "CONTAINERS_STORAGE_CONF", "STORAGE_DRIVER")

RUN = """
mount --bind "$1" "$1"
mount -o remount,ro,bind "$1"
mount -t proc proc "$1/proc"
mount --bind /dev "$1/dev"
mount -t tmpfs tmpfs "$1/tmp"
if [ -n "$2" ]; then mount --bind "$2" "$1/$3"; fi
root="$1"; user="$4"; shift 4
exec chroot --userspec="$user" "$root" "$@"
"""
"""The script of pid 1 in its own namespaces. Only /tmp and the state are writable."""


class Running(subprocess.Popen[bytes]):
    """A command in an image, run as an engine does: as its user, in its folder, with a read-only root."""

    def __init__(self, built: Image, command: Sequence[str], output: Path, state: Path | None, **settings: str):
        said = dict(entry.partition("=")[::2] for entry in built.configuration["Env"])
        variables = [f"{name}={value}" for name, value in {**said, **settings}.items()]
        inside = [
            "env",
            "--ignore-environment",
            f"--chdir={built.configuration['WorkingDir']}",
            *variables,
            *command,
        ]
        arguments = [str(built.root), str(state or ""), STATE, built.user]
        self.output = output
        with output.open("wb") as stream:
            super().__init__(
                [
                    *("unshare", "--mount", "--pid", "--fork", "--kill-child"),
                    *("sh", "-ec", RUN, "sh", *arguments, *inside),
                ],
                stdout=stream,
                stderr=stream,
            )

    @property
    def first(self) -> int:
        """Return the process id, outside the namespace, of the process that is pid 1 inside."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return int(children[0])

    def status(self, name: str) -> list[str]:
        """Return the values of one line in /proc/PID/status of the first process, such as its user ids."""
        found = re.search(rf"^{name}:\t(.*)$", Path(f"/proc/{self.first}/status").read_text(), re.MULTILINE)
        assert found
        return found[1].split()

    def said(self) -> str:
        return self.output.read_text(errors="replace")


@contextmanager
def running(
    built: Image, command: Sequence[str], output: Path, state: Path | None = None, **settings: str
) -> Iterator[Running]:
    """Run a command in an image until the block ends. `state` is the folder that is mounted as the volume."""
    if state is not None:
        state.mkdir(exist_ok=True)
        os.chown(state, *map(int, built.user.split(":")))
    process = Running(built, command, output, state, **settings)
    try:
        yield process
    finally:
        # Killing unshare does not end the process inside: its change of user clears --kill-child.
        if process.poll() is None:
            with suppress(OSError, IndexError):
                os.kill(process.first, signal.SIGKILL)
        process.kill()
        process.wait()
