"""The second of two modules: handles s3:ObjectRemoved:* and s3:LifecycleExpiration:* (`nuke.handler`)."""

from __future__ import annotations

from service.entrypoints.lambda_handler import handler_for

from .routes import Extracted

handler = handler_for(Extracted, events={"ObjectDeleted"})
