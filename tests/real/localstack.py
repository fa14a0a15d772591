"""LocalStack without Docker: the last release that needs no account, from PyPI, with DynamoDB Local.

4.14.0 is that release. The next one, 2026.3.0, ends at once without a token (LocalStack's notes for that release,
and its staff in issue 2872 of PlaytikaOSS/testcontainers-spring-boot). Its image runs the code of this package.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from servers import CACHE, SERVER, find_java, install_dynamodb_local, process

from infra.shim.probes import emulator_at, free_port

VERSION = "4.14.0"
RELEASED = "2026-03-01"
"""The latest release date of its dependencies. LocalStack does not start with later releases of some of them."""

JAVA = """\
#!/bin/sh
while [ "$1" != -jar ]; do shift; done
shift 2
exec {java} -Xmx256m -Djava.library.path={home}/lib -cp '{home}/lib/*' {server} "$@" -disableTelemetry
"""
"""A script in the place of the Java of LocalStack. It starts the DynamoDB Local that is already installed."""


@contextmanager
def localstack() -> Iterator[str]:
    """Run LocalStack on a free port of this machine, with the streams of DynamoDB Local. Yield its URL."""
    url = f"http://127.0.0.1:{free_port()}"
    home = CACHE / f"localstack-{VERSION}"
    if not home.exists():
        install(home)
    folder = CACHE / "localstack-files"
    lay_java(folder / "var/lib/localstack/lib")
    command = [
        "env",
        f"GATEWAY_LISTEN={url.partition('//')[2]}",
        f"FILESYSTEM_ROOT={folder}",
        "OVERRIDE_IN_DOCKER=0",  # otherwise it writes to folders of the system
        "DNS_ADDRESS=0",
        "DISABLE_EVENTS=1",
        "SKIP_SSL_CERT_DOWNLOAD=1",
        "PROVIDER_OVERRIDE_DYNAMODBSTREAMS=v2",  # otherwise Kinesis implements the streams
        *(str(home / "bin/python"), "-m", "localstack.runtime.main"),
    ]
    run = CACHE / "localstack-run"
    shutil.rmtree(run, ignore_errors=True)
    run.mkdir()
    with process(command, run, lambda: emulator_at(url).startswith("LocalStack"), as_root=True):
        yield url


def install(home: Path) -> None:
    """Install LocalStack and its dependencies in a virtual environment."""
    CACHE.mkdir(exist_ok=True)
    tools = CACHE / "uv"
    if not tools.exists():
        subprocess.run([sys.executable, "-m", "venv", str(tools)], check=True)
        subprocess.run([str(tools / "bin/pip"), "install", "--quiet", "uv"], check=True)
    uv = str(tools / "bin/uv")
    unfinished = home.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    subprocess.run(
        [uv, "venv", "--quiet", "--relocatable", f"--python={find_python()}", str(unfinished)], check=True
    )
    wanted = f"localstack-core[runtime]=={VERSION}"
    command = [uv, "pip", "install", "--quiet", f"--python={unfinished}/bin/python", f"--exclude-newer={RELEASED}"]
    subprocess.run([*command, wanted], check=True)
    unfinished.rename(home)


def find_python() -> str:
    """Return a Python of 3.13 or newer. LocalStack needs it, although its metadata allows older ones."""
    found = [shutil.which(f"python3.{minor}") for minor in (13, 14)]
    kept = sorted(
        Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser().glob("versions/3.1[34].*/bin/python")
    )
    for python in [sys.executable, *filter(None, found), *map(str, kept)]:
        tried = subprocess.run(
            [python, "-c", "import sys; sys.exit(sys.version_info < (3, 13))"], capture_output=True, check=False
        )
        if tried.returncode == 0:
            return python
    raise AssertionError("LocalStack needs Python 3.13 or newer: install it beside this one")


def lay_java(libraries: Path) -> None:
    """Put the files in place that LocalStack would otherwise download."""
    home = install_dynamodb_local()
    java = libraries / "java/21/bin/java"
    java.parent.mkdir(parents=True, exist_ok=True)
    java.write_text(JAVA.format(java=find_java(17), home=home, server=SERVER))
    java.chmod(0o755)
    marker = libraries / "dynamodb-local/2/DynamoDBLocal.jar"
    marker.parent.mkdir(parents=True, exist_ok=True)
    marker.touch()
