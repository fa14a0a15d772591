"""Where packages are to run: what pip is told of it, and what markers are held against."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from service.errors import SettingsError

HERE = "here"
"""In place of a version of Python: the interpreter and the platform that build."""

MACHINES = {"x86_64": "x86_64", "arm64": "aarch64"}
"""The name of a processor at AWS, and the one in the names of wheels."""


@dataclass(frozen=True)
class Platform:
    """Options of `pip install`, and the values of markers that differ from those of this interpreter."""

    options: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


def platform_of(arch: str, python: str) -> Platform:
    """Lambda's platform for a version of Python such as 3.14, or this one for HERE.

    Amazon Linux 2023, which has the runtimes from Python 3.12 on, has glibc 2.34; Amazon Linux 2 has 2.26 (AWS:
    Lambda runtimes; the release notes of Amazon Linux). pip takes only the platforms that are named, so all that
    run there are. Raises SettingsError for what is no version.
    """
    if python == HERE:
        return Platform()
    if not re.fullmatch(r"3\.\d+", python):
        raise SettingsError(f"{python!r} is no version of Python such as 3.14, and not {HERE!r}")
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
