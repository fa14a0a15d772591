"""The settings of a deployment: from config/ENV.yml, the environment and the deployed resources."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from service.bootstrap.selection import Chosen, choose
from service.commands.policy import Owner, policy_of
from service.routing import Names, Route, Router
from service.settings import Settings
from service.settings.reading import Configuration

from .deployment import Deployment
from .wiring import names_for

OF_THE_DEPLOYER: Final = ("AWS_",)
"""Variables of the deploying user, which are not passed on: a Lambda or container has its own."""


@dataclass(frozen=True)
class Deployed:
    """The configuration and the routes of a deployment."""

    configuration: Configuration
    routes: Sequence[Route]
    owner: Owner

    @property
    def settings(self) -> Settings:
        return self.configuration.build(Settings)

    @property
    def router(self) -> Router:
        return Router(self.routes, Names(self.settings.names))

    def given(self, **values: Any) -> Deployed:
        """Return a copy with settings that follow from deployed resources."""
        return replace(self, configuration=self.configuration.replaced(**values))

    def variables(self) -> dict[str, str]:
        """Return the settings that differ from their defaults as environment variables, without secrets."""
        read = self.configuration.environment(secrets=False)
        return {name: value for name, value in read.items() if not name.startswith(OF_THE_DEPLOYER)}

    def policy(self, read_queue: Sequence[str], function: bool = False) -> str:
        """Return the output of `doctor --policy` for these queues, for a function or a container."""
        settings = replace(self.settings, read_queue=tuple(read_queue))
        return json.dumps(policy_of(self.router, settings, self.owner, function=function), sort_keys=True)


def deployed(deployment: Deployment, *parts: Mapping[str, Any]) -> Deployed:
    """Return the configuration for deployed targets. `parts` are their outputs; the first is that of `data`."""
    data = parts[0]
    chosen = read_settings(deployment)
    made = {name: actual for part in parts for name, actual in part.get("names", {}).items()}
    names = {**chosen.settings.names, **names_for(chosen.routes, made)}
    running = Deployed(chosen.configuration, chosen.routes, Owner(**data["owner"])).given(names=names)
    if "://" not in chosen.settings.dead_letters:  # a folder would be lost with the function
        running = running.given(dead_letters=f"s3://{data['letters']['name']}/dead-letters")
    search = deployment.outputs("search").get("settings", {})
    return running.given(**{name.lower(): value for name, value in search.items()})


def read_settings(deployment: Deployment) -> Chosen:
    """Read settings and routes from config/ENV.yml and the environment. Raises SettingsError."""
    file = deployment.root / "config" / f"{deployment.env}.yml"
    arguments = [f"--config={file}"] if file.is_file() else []
    if deployment.func:
        arguments.append(f"--func={','.join(deployment.func)}")
    return choose(arguments=arguments, environment=deployment.process)
