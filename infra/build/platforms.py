"""The target platform of packages: options for pip, and values for markers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from service.errors import SettingsError

HERE = "here"
"""Used instead of a Python version: the interpreter and the platform of the build."""

MACHINES = {"x86_64": "x86_64", "arm64": "aarch64"}
"""The AWS name of each processor, and its name in the file names of wheels."""


@dataclass(frozen=True)
class Platform:
    """Options of `pip install`, and the marker values that differ from those of this interpreter."""

    options: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


def platform_of(arch: str, python: str) -> Platform:
    """Return Lambda's platform for a Python version such as 3.14, or this platform for HERE.

    Amazon Linux 2023, the base of the runtimes from Python 3.12 on, has glibc 2.34. Amazon Linux 2 has 2.26 (AWS:
    Lambda runtimes; the release notes of Amazon Linux). pip accepts only the platforms that are listed, so this
    lists every compatible one. Raises SettingsError if `python` is not a version.
    """
    if python == HERE:
        return Platform()
    if not re.fullmatch(r"3\.\d+", python):
        raise SettingsError(f"{python!r} is not a Python version. Use a version such as 3.14, or {HERE!r}")
    machine = MACHINES[arch]
    newest = 34 if int(python.partition(".")[2]) >= 12 else 26
    tags = [f"manylinux_2_{minor}_{machine}" for minor in range(newest, 16, -1)] + [f"manylinux2014_{machine}"]
    return Platform(
        options=[
            *(f"--platform={tag}" for tag in tags),
            f"--python-version={python}",
            "--implementation=cp",
        ],
        environment={
            "implementation_name": "cpython",
            "os_name": "posix",
            "platform_machine": machine,
            "platform_python_implementation": "CPython",
            "platform_system": "Linux",
            "python_full_version": f"{python}.0",
            "python_version": python,
            "sys_platform": "linux",
        },
    )
