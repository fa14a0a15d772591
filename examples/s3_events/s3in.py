"""One module with a handler for each kind of event: `s3in.handle_create` and `s3in.handle_delete`."""

from __future__ import annotations

from service.entrypoints.lambda_handler import handler_for

from .routes import Extracted

handle_create = handler_for(Extracted, events={"ObjectCreated"})
handle_delete = handler_for(Extracted, events={"ObjectDeleted"})
