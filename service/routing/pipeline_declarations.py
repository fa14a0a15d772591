"""The ingest and search pipelines that routes declare."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from ..errors import DeclarationError
from .declarations import full_name
from .logical_names import Names
from .routes import Route

INGEST: Final = "ingest"
SEARCH: Final = "search"

NONE: Final = "_none"
"""The name with which a write avoids the default pipeline of its index ("Index settings", OpenSearch)."""

PARTS: Final[Mapping[str, Collection[str]]] = {
    INGEST: ("processors",),
    SEARCH: ("request_processors", "response_processors", "phase_results_processors"),
}
"""The members of a pipeline that list processors, by kind. A pipeline has at least one of them."""

POINTERS: Final = ("default_pipeline", "final_pipeline", "search.default_pipeline")
"""The index settings that name a pipeline."""

_NAME: Final = re.compile(r"[^\s\\/*?\"<>|,#_][^\s\\/*?\"<>|,#]*")


@dataclass(frozen=True)
class PipelineDeclaration:
    """A pipeline of the search server. `kind` is INGEST or SEARCH; `name` is the actual name."""

    kind: str
    name: str
    body: Mapping[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """The path of the pipeline on the search server."""
        return f"/_{self.kind}/pipeline/{quote(self.name, safe='')}"

    def __str__(self) -> str:
        return f"{self.kind} pipeline {self.name}"


def check_pipelines(route: Any) -> None:
    """Check the pipelines and computed fields of one route. Raises DeclarationError with the remedy."""
    name = full_name(route)
    if not isinstance(route.pipeline, str) or not (
        route.pipeline in ("", NONE) or _NAME.fullmatch(route.pipeline)
    ):
        raise DeclarationError(f"{name}.pipeline must be the name of one ingest pipeline")
    for attribute, kind in (("pipelines", INGEST), ("search_pipelines", SEARCH)):
        declared = getattr(route, attribute)
        if not isinstance(declared, Mapping):
            raise DeclarationError(f"{name}.{attribute} must be a dict of pipelines by name")
        for pipeline, body in declared.items():
            if not isinstance(pipeline, str) or not _NAME.fullmatch(pipeline):
                raise DeclarationError(
                    f"{name}.{attribute}: {pipeline!r} is not a valid name. Use a name without spaces and without"
                    ' any of \\ / * ? " < > | , #, not beginning with _'
                )
            _check_body(f"{name}.{attribute}[{pipeline!r}]", kind, body)
    computed = route.computed
    if isinstance(computed, str) or not all(isinstance(path, str) and all(path.split(".")) for path in computed):
        raise DeclarationError(
            f'{name}.computed must be a collection of dotted field names, such as ("embedding",)'
        )
    used = [one for one in ("pipeline", "pipelines", "search_pipelines", "computed") if getattr(route, one)]
    if used and not route.index:
        raise DeclarationError(f"Route {name} declares {used[0]} but no index. Declare index.")


def _check_body(where: str, kind: str, body: Any) -> None:
    parts = PARTS[kind]
    if not isinstance(body, Mapping) or not any(part in body for part in parts):
        raise DeclarationError(f"{where} must be a dict with {' or '.join(parts)}")
    for part in parts:
        processors = body.get(part, ())
        if not isinstance(processors, list | tuple) or not all(
            isinstance(one, Mapping) and len(one) == 1 for one in processors
        ):
            raise DeclarationError(f'{where}: {part} must be a list of processors, such as {{"set": {{…}}}}')
    try:
        _as_json(body)
    except TypeError as error:
        raise DeclarationError(f"{where} cannot be sent as JSON: {error}") from error


def _as_json(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a pipeline as the server returns it. Raises TypeError if JSON cannot represent a value."""
    made: dict[str, Any] = json.loads(json.dumps(body, default=dict))
    return made


def pipelines_of(routes: Iterable[Route], names: Names) -> tuple[PipelineDeclaration, ...]:
    """Return the pipelines that routes declare, each once, ordered by kind and name.

    Raises DeclarationError if two routes declare one pipeline differently.
    """
    found: dict[tuple[str, str], tuple[PipelineDeclaration, Route]] = {}
    for route in routes:
        for kind, declared in ((INGEST, route.pipelines), (SEARCH, route.search_pipelines)):
            for logical, body in declared.items():
                one = PipelineDeclaration(kind, names.actual("pipeline", logical), _as_json(body))
                first, owner = found.setdefault((kind, one.name), (one, route))
                if first != one:
                    raise DeclarationError(
                        f"{full_name(owner)} and {full_name(route)} declare {kind} pipeline {logical!r}"
                        " differently. Declare it in one of them, or equally in both."
                    )
    return tuple(found[place][0] for place in sorted(found))


def named_pipelines(settings: Mapping[str, Any], names: Names) -> dict[str, Any]:
    """Return flat index settings with the actual names of the pipelines that they name."""
    return {
        name: names.actual("pipeline", value) if name in POINTERS and isinstance(value, str) else value
        for name, value in settings.items()
    }
