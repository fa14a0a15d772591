"""Which settings and routes a run is of, from the command line, the environment, files and AWS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from ..clients.parameter_store import parameters_of
from ..routing import Route
from ..routing.loading import load_routes
from ..settings import Settings
from ..settings.reading import Configuration, Usage, read_configuration


@dataclass(frozen=True)
class Chosen:
    """The settings that were read, and the routes they chose."""

    configuration: Configuration
    settings: Settings
    routes: Sequence[Route]


def choose(
    *also: type,
    arguments: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    operands: Sequence[str] = (),
    routes: Sequence[type[Route]] | None = None,
    usage: Usage = Usage(),  # noqa: B008  # it cannot change
) -> Chosen:
    """Reads the settings of the service, of the classes `also`, and of the routes chosen or given.

    More than once: to know which routes, with the settings that those declare, and again with the secrets that are
    kept elsewhere. Raises SettingsError.
    """
    narrowed = routes is not None
    if routes is None:
        first = read_configuration(Settings, arguments=arguments, environment=environment, strict=False)
        known = first.build(Settings)
        routes = load_routes(known.routes, known.func)
        narrowed = bool(known.func)
    read = partial(
        read_configuration,
        Settings,
        *also,
        *routes,
        arguments=arguments,
        environment=environment,
        operands=operands,
        narrowed=narrowed,
        own=also,
        usage=usage,
    )
    configuration = read()
    settings = configuration.build(Settings)
    if settings.secrets:
        configuration = read(parameters=parameters_of(settings))
    return Chosen(configuration, configuration.build(Settings), [configuration.build(r) for r in routes])
