"""Batches with traces: trace headers and records to send, and the entities of the resulting documents."""

from __future__ import annotations

from typing import Any

from builders import stream_record
from fakes import records
from xray import entities

from service.bootstrap.application import App
from service.pipeline import Delivery

TRACE = "1-65a7d2c0-000000000000000000000001"
OTHER = "1-65a7d2c0-000000000000000000000002"
PARENT = "00000000000000aa"


def item(name: str, **details: Any) -> Any:
    return stream_record(new={"id": name}, **details)


def dispatch(app: App, *raws: Any, source: str = "table images") -> Any:
    return app.dispatcher.run(Delivery(records(*raws), source))


def parts(document: Any) -> dict[str, Any]:
    """Return the entities in a document, by name."""
    return {entity["name"]: entity for entity in entities(document)}


def header(trace: str = TRACE, parent: str = PARENT, sampled: str = "1") -> str:
    return f"Root={trace};Parent={parent};Sampled={sampled}"
