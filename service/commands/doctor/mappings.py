"""Compare the mapping of an index with the declarations of its routes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...sinks.opensearch.alias_targets import Target
from ...sinks.opensearch.index_creation import index_body
from ..indices.differences import Cure, compare_mappings, narrow_numbers, types_of
from ..indices.remedies import change, renewal
from .cluster import FULL
from .findings import ERROR, WARNING, Finding
from .patient import DoctorContext


def check_mapping(patient: DoctorContext, target: Target, mapping: Mapping[str, Any]) -> Iterator[Finding]:
    """Report declared fields and parameters that the index lacks or has with other values."""
    index = patient.router.declaration(target.name)
    assert index is not None
    declared = index_body(index, patient.settings)["mappings"]
    found = list(compare_mappings(declared, mapping))
    subject = f"index {target.live}"
    other = [one.words for one in found if one.cure is Cure.REBUILD]
    if other:
        problem = f"it differs from the routes' declarations: {'; '.join(other)}"
        remedy = f"this cannot be changed in place: `{renewal(patient.router, target)}` creates a new index"
        yield Finding("mapping", subject, problem, remedy, ERROR)
    missing = [one.words for one in found if one.cure is Cure.PUT]
    if missing:
        problem = (
            f"it lacks declarations of the routes: {'; '.join(missing)}; the first document decides the types"
        )
        yield Finding("mapping", subject, problem, f"`{change(target.name)}`", WARNING)
    narrow = narrow_numbers(found) if patient.settings.undeclared_numbers == "double" else []
    if narrow:
        problem = f"the first number decided the type of {', '.join(narrow)}: searches and sums lose fractions"
        remedy = f"declare them as double in the route's mapping, then run `{renewal(patient.router, target)}`"
        yield Finding("mapping", subject, problem, remedy, WARNING)


def check_fields(index: str, mapping: Mapping[str, Any], most: int) -> Iterator[Finding]:
    """Check the number of fields against `most`: a full index rejects documents with new fields."""
    there = len(dict(types_of(mapping)))
    if there >= FULL * most:
        yield Finding(
            "limits",
            f"index {index}",
            f"it has {there} of at most {most} fields (index.mapping.total_fields.limit): at the limit, documents"
            " with new fields are rejected",
            'index fewer fields ("dynamic": false, flat_object), or raise the limit',
            WARNING,
        )
