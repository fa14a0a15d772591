"""The AWS and search servers of a run: those that the settings name, or else the embedded servers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from service.clients.factories import SERVICES, endpoint_of, is_address
from service.errors import SettingsError, Unreachable
from service.settings import Settings
from service.settings.options import hide_password

from .embedded_servers import embedded_aws, embedded_search
from .engines import containers
from .probes import HOST, answers, emulator_at, is_taken, search_server_at

EMBEDDED_AWS = "embedded (moto)"


@dataclass(frozen=True)
class World:
    """The AWS and search servers as shown to the user, and the settings with their addresses."""

    settings: Settings
    aws: str
    search: str
    emulated: bool


@contextmanager
def find_or_start(
    settings: Settings, *, fresh: bool = False, searches: bool = True, pipelines: bool = False
) -> Iterator[World]:
    """Find or start the servers of a run until the block ends.

    `fresh` always starts embedded servers where the settings name none. Without `searches` there is no search
    server. With `pipelines` the embedded search server runs them.
    A server that the settings do not name is never written to, unless it identifies itself as an AWS emulator.
    Raises SettingsError if a port is in use, and Unreachable if a named server does not answer.
    """
    with ExitStack() as stack:
        if settings.shim != "embedded":
            if fresh:
                stack.enter_context(containers(settings))
            settings = _in_containers(settings, fresh)
        aws_url, aws = _aws(stack, settings, fresh)
        search_url, search = (
            _search(stack, settings, pipelines) if searches else (settings.search_url, "not needed")
        )
        found = replace(settings, aws_endpoint_url=aws_url, search_url=search_url)
        if aws.endswith(EMBEDDED_AWS) and found.checkpoints == Settings().checkpoints:
            # The streams end with this run, so checkpoints that outlive it would be reported as a gap in the next.
            folder = stack.enter_context(TemporaryDirectory(prefix="streamdex-"))
            found = replace(found, checkpoints=str(Path(folder) / "checkpoints.sqlite"))
        yield World(found, aws, search, emulated=_all_emulators(found))


def _in_containers(settings: Settings, fresh: bool) -> Settings:
    """Return settings with the containers' ports. With SHIM=localstack the search server is embedded."""
    aws = settings.aws_endpoint_url or f"http://{HOST}:{settings.aws_port}"
    search = settings.search_url or f"http://{HOST}:{settings.search_port}"
    if not fresh and not answers(aws):
        raise Unreachable(
            f"no server answers at {aws}. Run make shim SHIM={settings.shim} first, or make run without SHIM"
        )
    own = fresh and settings.shim == "localstack"
    return replace(settings, aws_endpoint_url=aws, search_url=settings.search_url if own else search)


def _aws(stack: ExitStack, settings: Settings, fresh: bool) -> tuple[str, str]:
    if settings.aws_endpoint_url:
        url = settings.aws_endpoint_url
        if not is_address(url):
            raise SettingsError("AWS_ENDPOINT_URL must be a URL such as http://127.0.0.1:4566")
        if not answers(url):
            raise Unreachable(f"no server answers at AWS_ENDPOINT_URL={hide_password(url)}")
        name = emulator_at(url) or "from AWS_ENDPOINT_URL; not an emulator"
        return url, f"{hide_password(url)}  {name}"
    url = f"http://{HOST}:{settings.aws_port}"
    if not is_taken(settings.aws_port):
        stack.enter_context(embedded_aws(settings.aws_port))
        return url, f"{url}  {EMBEDDED_AWS}"
    name = emulator_at(url)
    if fresh or not name:
        found = name or "a process that is not a known AWS emulator"
        raise SettingsError(
            f"port {settings.aws_port} is in use by {found}, which is left alone. Stop it, or choose another port:"
            f" AWS_PORT={settings.aws_port + 1}"
        )
    return url, f"{url}  {name}, already running; other consumers of its queues receive part of the messages"


def _all_emulators(settings: Settings) -> bool:
    """True if every AWS service in use is an emulator. Only then may resources be created."""
    endpoints = {endpoint_of(settings, service) for service in SERVICES}
    return all(emulator_at(endpoint) for endpoint in endpoints)


def _search(stack: ExitStack, settings: Settings, pipelines: bool) -> tuple[str, str]:
    if settings.search_url:
        url = settings.search_url.rstrip("/")
        if not is_address(url):
            raise SettingsError("SEARCH_URL must be a URL such as http://127.0.0.1:9200")
        if settings.search_auth != "none":
            return url, f"{hide_password(url)}  from SEARCH_URL"
        name = search_server_at(url)
        if not name:
            raise Unreachable(f"no search server answers at SEARCH_URL={hide_password(url)}")
        return url, f"{hide_password(url)}  {name}"
    url = f"http://{HOST}:{settings.search_port}"
    if is_taken(settings.search_port):
        found = search_server_at(url) or "a process that is no search server"
        raise SettingsError(
            f"port {settings.search_port} is in use by {found}, which is left alone because no setting names it."
            f" To use it, set SEARCH_URL={url}; to start embedded servers on other ports, set"
            f" AWS_PORT={settings.aws_port + 1} SEARCH_PORT={settings.search_port + 1}"
        )
    stack.enter_context(embedded_search(settings.search_port, pipelines))
    return url, f"{url}  embedded (osmem{', with pipelines' if pipelines else ''})"
