"""Check the pipelines that routes name or declare: they exist, and are as declared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ...routing import PipelineDeclaration
from ...routing.pipeline_declarations import INGEST, NONE
from ...sinks.opensearch.pipelines import body_of
from ..indices.differences import compare_pipeline
from ..indices.remedies import change
from .findings import WARNING, Finding
from .patient import DoctorContext


def used(patient: DoctorContext) -> Iterable[str]:
    """Return the pipelines that routes declare or name, as text ("ingest pipeline embed")."""
    named = {bound.pipeline for bound in patient.router.bound} - {"", NONE}
    return sorted({*_declared(patient), *(str(PipelineDeclaration(INGEST, name)) for name in named)})


def check(patient: DoctorContext, pipeline: str) -> Iterator[Finding]:
    """Check one of the pipelines that `used` returns."""
    found = _declared(patient).get(pipeline)
    if found is None:
        yield from _check_named(patient, PipelineDeclaration(INGEST, pipeline.removeprefix(f"{INGEST} pipeline ")))
        return
    declared, index = found
    answer = patient.search.get(declared.path)
    if answer is None and patient.settings.create_indices:
        return  # the service creates it before the first write
    difference = compare_pipeline(declared, None if answer is None else body_of(answer, declared))
    if difference is None:
        return
    if answer is None:
        problem = "it does not exist, and create_indices=false keeps the service from creating it"
        yield Finding("pipeline", pipeline, problem, f"`{change(index)}`")
    else:
        problem = f"it is not as the routes declare it: {difference.words}"
        remedy = f"`{change(index)}`; a rebuild of {index} then makes the fields of existing documents again"
        yield Finding("pipeline", pipeline, problem, remedy, WARNING)


def _declared(patient: DoctorContext) -> dict[str, tuple[PipelineDeclaration, str]]:
    """Return the declared pipelines by their text, each with an index whose routes declare it."""
    return {str(one): (one, name) for name, of in patient.router.indices.items() for one in of.pipelines}


def _check_named(patient: DoctorContext, named: PipelineDeclaration) -> Iterator[Finding]:
    if patient.search.get(named.path) is None:
        problem = "it does not exist, and no route declares it: documents that name it are refused"
        remedy = f"create it (PUT {named.path}), or declare it in `pipelines` of the route"
        yield Finding("pipeline", str(named), problem, remedy)
