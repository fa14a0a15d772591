"""The AWS and the search server that a run uses: what settings name, else the embedded stand-ins."""

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

from .engines import containers
from .probes import HOST, answers, emulator_at, is_taken, search_server_at
from .stand_ins import embedded_aws, embedded_search

EMBEDDED_AWS = "embedded (moto)"


@dataclass(frozen=True)
class World:
    """Where AWS and search are, who says so, and the settings that lead there."""

    settings: Settings
    aws: str
    search: str
    emulated: bool


@contextmanager
def find_or_start(settings: Settings, *, fresh: bool = False, searches: bool = True) -> Iterator[World]:
    """The world of a run. `fresh` always starts stand-ins of its own where nothing is named; a search server is
    left out where nothing `searches`.

    Raises SettingsError for a port that somebody else has, and Unreachable for a named server that does not
    answer. Nothing that was not named is ever written to, unless it says that it is an AWS emulator.
    """
    with ExitStack() as stack:
        if settings.shim != "embedded":
            if fresh:
                stack.enter_context(containers(settings))
            settings = _in_containers(settings, fresh)
        aws_url, aws = _aws(stack, settings, fresh)
        search_url, search = _search(stack, settings) if searches else (settings.search_url, "not needed")
        found = replace(settings, aws_endpoint_url=aws_url, search_url=search_url)
        if aws.endswith(EMBEDDED_AWS) and found.checkpoints == Settings().checkpoints:
            # Positions in streams that are gone with this run would be a gap in the next.
            folder = stack.enter_context(TemporaryDirectory(prefix="streamdex-"))
            found = replace(found, checkpoints=str(Path(folder) / "checkpoints.sqlite"))
        yield World(found, aws, search, emulated=_all_emulators(found))


def _in_containers(settings: Settings, fresh: bool) -> Settings:
    """The same with the ports of the containers named. With SHIM=localstack the search server is embedded."""
    aws = settings.aws_endpoint_url or f"http://{HOST}:{settings.aws_port}"
    search = settings.search_url or f"http://{HOST}:{settings.search_port}"
    if not fresh and not answers(aws):
        raise Unreachable(
            f"nothing answers at {aws}: first make shim SHIM={settings.shim}; or make run without it"
        )
    own = fresh and settings.shim == "localstack"
    return replace(settings, aws_endpoint_url=aws, search_url=settings.search_url if own else search)


def _aws(stack: ExitStack, settings: Settings, fresh: bool) -> tuple[str, str]:
    if settings.aws_endpoint_url:
        url = settings.aws_endpoint_url
        if not is_address(url):
            raise SettingsError("AWS_ENDPOINT_URL must be an address such as http://127.0.0.1:4566")
        if not answers(url):
            raise Unreachable(f"nothing answers at AWS_ENDPOINT_URL={hide_password(url)}")
        name = emulator_at(url) or "named by AWS_ENDPOINT_URL; not an emulator"
        return url, f"{hide_password(url)}  {name}"
    url = f"http://{HOST}:{settings.aws_port}"
    if not is_taken(settings.aws_port):
        stack.enter_context(embedded_aws(settings.aws_port))
        return url, f"{url}  {EMBEDDED_AWS}"
    name = emulator_at(url)
    if fresh or not name:
        who = f"{name} is" if name else "something that does not say it is an AWS emulator is"
        raise SettingsError(
            f"{who} at port {settings.aws_port}: it is left alone. Stop it, or choose another port:"
            f" AWS_PORT={settings.aws_port + 1}"
        )
    return url, f"{url}  {name}, found running: whoever else reads its queues takes part of what is in them"


def _all_emulators(settings: Settings) -> bool:
    """Whether every service of AWS that is used is an emulator's: only then may anything be created."""
    endpoints = {endpoint_of(settings, service) for service in SERVICES}
    return all(emulator_at(endpoint) for endpoint in endpoints)


def _search(stack: ExitStack, settings: Settings) -> tuple[str, str]:
    if settings.search_url:
        url = settings.search_url.rstrip("/")
        if not is_address(url):
            raise SettingsError("SEARCH_URL must be an address such as http://127.0.0.1:9200")
        if settings.search_auth != "none":
            return url, f"{hide_password(url)}  named by SEARCH_URL"
        name = search_server_at(url)
        if not name:
            raise Unreachable(f"no search server answers at SEARCH_URL={hide_password(url)}")
        return url, f"{hide_password(url)}  {name}"
    url = f"http://{HOST}:{settings.search_port}"
    if is_taken(settings.search_port):
        who = search_server_at(url) or "something that is no search server"
        raise SettingsError(
            f"{who} answers at port {settings.search_port}, and nobody named it: it is left alone. To use it,"
            f" SEARCH_URL={url}; to run beside it, with an AWS of your own too, AWS_PORT={settings.aws_port + 1}"
            f" SEARCH_PORT={settings.search_port + 1}"
        )
    stack.enter_context(embedded_search(settings.search_port))
    return url, f"{url}  embedded (osmem)"
