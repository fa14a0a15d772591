"""One handler for all events, which dispatches by event name: `s3event.handler`."""

from __future__ import annotations

from service.entrypoints.lambda_handler import handler_for

from .routes import Extracted

handler = handler_for(Extracted)
