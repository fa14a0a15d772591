"""The first of two modules with a handler each: handles s3:ObjectCreated:* (`extract.handler`)."""

from __future__ import annotations

from service.entrypoints.lambda_handler import handler_for

from .routes import Extracted

handler = handler_for(Extracted, events={"ObjectCreated"})
