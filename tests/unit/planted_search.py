"""Changes to the prepared search server of a clinic. Each plants a fault, or none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from planted import HEALTH, SETTINGS, Clinic, index_of

from routes.images import Images

SERVER = "search server http://search"


def answer(path: str, value: Any) -> Callable[[Clinic], None]:
    def plant(clinic: Clinic) -> None:
        clinic.search.answers[path] = value

    return plant


def status(number: int, request: str = "GET /") -> Callable[[Clinic], None]:
    def plant(clinic: Clinic) -> None:
        clinic.search.statuses[request] = number

    return plant


def setting(name: str, value: Any) -> Callable[[Clinic], None]:
    """Set a persistent setting of the cluster."""
    return lambda clinic: clinic.search.answers[SETTINGS]["persistent"].update({name: value})


def health(**counts: int) -> Callable[[Clinic], None]:
    return lambda clinic: clinic.search.answers[HEALTH].update(counts)


def index(**settings: Any) -> Callable[[Clinic], None]:
    return indices({"images-000001": index_of(settings=settings, images={})})


def indices(there: dict[str, Any]) -> Callable[[Clinic], None]:
    """Replace the indices of the server."""

    def plant(clinic: Clinic) -> None:
        clinic.search.indices = there

    return plant


def beside(name: str, **aliases: Any) -> Callable[[Clinic], None]:
    """Add an index next to the one that is searched."""
    return lambda clinic: clinic.search.indices.update({name: index_of(**aliases)})


def mapping(**properties: Any) -> Callable[[Clinic], None]:
    """Change fields in the mapping of the index. None removes a field."""

    def plant(clinic: Clinic) -> None:
        fields = {**Images.mapping["properties"], **properties}
        there = {name: field for name, field in fields.items() if field is not None}
        clinic.search.indices["images-000001"]["mappings"]["properties"] = there

    return plant


def alias(*says: bool | None) -> Callable[[Clinic], None]:
    """Point the alias to one index per value. Each value is its `is_write_index`; None leaves it out."""
    said = [{} if one is None else {"is_write_index": one} for one in says]
    return indices({f"images-{number:06d}": index_of(images=of) for number, of in enumerate(said, 1)})


def both(*plants: Callable[[Clinic], Any]) -> Callable[[Clinic], None]:
    def plant(clinic: Clinic) -> None:
        for one in plants:
            one(clinic)

    return plant
