"""One handler for everything, which dispatches by the event's name: `s3event.handler`."""

from __future__ import annotations

from service.entrypoints.lambda_handler import handler_for

from .routes import Extracted

handler = handler_for(Extracted)
