"""The objects that the views of the page read."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from threading import Lock

from ...bootstrap.application import App
from ...routing import BoundRoute
from ...telemetry.flow import Flow
from ...telemetry.recent import Recent
from ..auth import Auth
from ..health import Health


@dataclass(frozen=True, eq=False)
class State:
    """The parts of the running service that the page shows. `started` is a Unix time in seconds."""

    app: App
    health: Health
    auth: Auth
    flow: Flow
    recent: Recent
    started: float = field(default_factory=time.time)
    form_token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    """A secret that every form of this page sends, so that other sites cannot submit one (CSRF)."""
    dead_letter_lock: Lock = field(default_factory=Lock)
    """Held while dead letters are read: a queue delivers a message to one consumer at a time."""

    def route(self, name: str) -> BoundRoute | None:
        return next((bound for bound in self.app.router.bound if bound.name == name), None)

    @property
    def routes(self) -> list[str]:
        return [bound.name for bound in self.app.router.bound]

    @property
    def indices(self) -> list[str]:
        """Return the existing names of the indices that routes write to."""
        return sorted({bound.index for bound in self.app.router.bound if bound.index})
