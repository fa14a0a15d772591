"""Real SQL servers, from the packages of the system (Debian: mariadb-server, postgresql).

Both refuse to run as root, or warn about it. If the tests run as root, these servers, like all real servers here,
run as the user nobody.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from servers import NOBODY, process

from infra.shim.probes import answers, free_port

USER, PASSWORD, NAME = "streamdex", "hunter2", "activity"

GRANTS = f"""\
CREATE DATABASE {NAME} CHARACTER SET utf8mb4;
CREATE USER '{USER}'@'%' IDENTIFIED BY '{PASSWORD}';
GRANT ALL ON {NAME}.* TO '{USER}'@'%';
"""


@contextmanager
def mariadb() -> Iterator[str]:
    """Run MariaDB on a free port of this machine, with an empty database. Yield its URL."""
    server, installer = program("mariadbd", "/usr/sbin"), program("mariadb-install-db", "/usr/bin")
    port = free_port()
    with folder() as run:
        (run / "grants.sql").write_text(GRANTS)
        data = f"--datadir={run / 'data'}"
        as_nobody([installer, "--no-defaults", data, "--auth-root-authentication-method=normal"], run)
        command = [
            *(server, "--no-defaults", data, f"--port={port}", "--bind-address=127.0.0.1"),
            *(f"--socket={run / 'socket'}", f"--pid-file={run / 'pid'}", f"--init-file={run / 'grants.sql'}"),
            *("--skip-name-resolve", "--innodb-buffer-pool-size=64M", "--skip-log-bin"),
        ]
        with process(command, run, lambda: answers(f"http://127.0.0.1:{port}")):
            yield f"mysql://{USER}:{PASSWORD}@127.0.0.1:{port}/{NAME}"


@contextmanager
def postgresql() -> Iterator[str]:
    """Run PostgreSQL on a free port of this machine, with an empty database. Yield its URL."""
    newest = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    where = str(newest[-1]) if newest else ""
    server, installer = program("postgres", where), program("initdb", where)
    port = free_port()
    with folder() as run:
        (run / "password").write_text(PASSWORD)
        secret = [f"--username={USER}", f"--pwfile={run / 'password'}", "--auth=scram-sha-256"]
        as_nobody([installer, "-D", str(run / "data"), "--encoding=UTF8", "--locale=C", *secret], run)
        settings = [f"port={port}", "listen_addresses=127.0.0.1", f"unix_socket_directories={run}"]
        command = [server, "-D", str(run / "data"), *(word for one in settings for word in ("-c", one))]
        with process(command, run, lambda: answers(f"http://127.0.0.1:{port}")):
            create(port)
            yield f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{port}/{NAME}"


def create(port: int) -> None:
    """Create the database. A new PostgreSQL server has only its own."""
    import psycopg

    url = f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{port}/postgres"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {NAME}")


def program(name: str, beside: str) -> str:
    found = shutil.which(name, path=os.pathsep.join(filter(None, (beside, os.environ.get("PATH", "")))))
    assert found, f"the real tier needs {name} (Debian and Ubuntu: apt install mariadb-server postgresql)"
    return found


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="streamdex-run-") as name:
        yield Path(name)


def as_nobody(command: Sequence[str], run: Path) -> None:
    """Run a setup command of a server until it ends."""
    user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    if user:
        for path in [run, *run.iterdir()]:
            os.chown(path, NOBODY, NOBODY)
    answer = subprocess.run(command, cwd=run, capture_output=True, text=True, check=False, **user)
    assert answer.returncode == 0, f"{command[0]}: {answer.stdout[-1500:]}{answer.stderr[-1500:]}"
