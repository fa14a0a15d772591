"""What the page shows from."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from threading import Lock

from ...bootstrap.application import App
from ...routing import BoundRoute
from ...telemetry.flow import Flow
from ...telemetry.recent import Recent
from ..auth import Guard
from ..health import Health


@dataclass(frozen=True, eq=False)
class State:
    """The running service, as far as the page looks into it."""

    app: App
    health: Health
    guard: Guard
    flow: Flow
    recent: Recent
    started: float = field(default_factory=time.time)
    form_token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    """What a form of this page sends along, and no other site can know."""
    letters: Lock = field(default_factory=Lock)
    """Held by who looks through dead letters: a queue shows a letter to one at a time."""

    def route(self, name: str) -> BoundRoute | None:
        return next((bound for bound in self.app.router.bound if bound.name == name), None)

    @property
    def routes(self) -> list[str]:
        return [bound.name for bound in self.app.router.bound]

    @property
    def indices(self) -> list[str]:
        """The indices that routes write to, as they exist."""
        return sorted({bound.index for bound in self.app.router.bound if bound.index})
