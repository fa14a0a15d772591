"""Check for write cycles that include routes which FUNC does not select: another process runs these."""

from __future__ import annotations

from collections.abc import Iterator

from ...errors import StreamdexError
from ...routing.loading import load_routes
from ...routing.write_cycles import problem_of, remedy_of, undeclared_cycles
from .findings import NOTE, Finding
from .patient import DoctorContext


def check(patient: DoctorContext) -> Iterator[Finding]:
    settings = patient.settings
    if not settings.func:
        return  # all routes are selected, and a cycle of selected routes is refused at start
    try:
        routes = load_routes(settings.routes)
    except StreamdexError as error:
        problem = f"not checked for write cycles: cannot load all routes: {error}"
        yield Finding("cycle", "routes", problem, "fix the module that the error names, or correct ROUTES", NOTE)
        return
    for cycle in undeclared_cycles(routes):
        yield Finding("cycle", f"table {cycle[0].table}", problem_of(cycle), remedy_of(cycle))
