"""Selection of the settings and routes of a run, from the command line, the environment, files and AWS."""

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
    """The settings that were read, and the selected routes."""

    configuration: Configuration
    settings: Settings
    routes: Sequence[Route]


def choose(
    *also: type,
    arguments: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    operands: Sequence[str] = (),
    routes: Sequence[type[Route]] | None = None,
    usage: Usage = Usage(),  # noqa: B008  # immutable
) -> Chosen:
    """Read the settings of the service, of the classes `also`, and of the routes given or selected by FUNC.

    The settings are read up to three times: to select the routes, with the settings that these routes declare, and
    with the secrets from AWS Systems Manager. Raises SettingsError.
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
