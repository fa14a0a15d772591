"""Find problems before the first record arrives, each with its remedy. Nothing is changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from ...pipeline.error_outcomes import describe
from . import (
    buckets,
    cluster,
    cycles,
    database,
    indices,
    permissions,
    queues,
    serverless,
    settings,
    stores,
    tables,
)
from .findings import ERROR, NOTE, WARNING, Finding, Trouble
from .owner import owner_of
from .patient import DoctorContext

__all__ = ["CHECKS", "ERROR", "NOTE", "WARNING", "DoctorContext", "Finding", "diagnose", "owner_of"]

CHECKS: Final[Sequence[Callable[[DoctorContext], Iterator[Finding]]]] = (
    settings.check,
    cycles.check,
    cluster.check,
    serverless.check,
    indices.check,
    tables.check,
    buckets.check,
    queues.check,
    stores.check,
    database.check,
    permissions.check,
    lambda patient: patient.clock.findings(),  # last: it uses the answers to all other checks
)


def diagnose(patient: DoctorContext) -> Iterator[Finding]:
    """Run all checks and yield each distinct finding once, as soon as it is found."""
    reported: set[Finding] = set()
    for check in CHECKS:
        for finding in _of(check, patient):
            if finding not in reported:
                reported.add(finding)
                yield finding


def _of(check: Callable[[DoctorContext], Iterator[Finding]], patient: DoctorContext) -> Iterator[Finding]:
    """Run one check. An unexpected exception becomes a finding, so that the other checks still run."""
    try:
        yield from check(patient)
    except Trouble as trouble:
        yield trouble.finding
    except Exception as error:
        name = check.__module__.rpartition(".")[2]
        remedy = "fix the other findings first; if this one remains, report it to the maintainers of streamdex"
        yield Finding("doctor", f"check of {name}", f"it failed: {describe(error)}", remedy)
