"""Find problems before the first record arrives, each with its remedy. Nothing is changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, TypeAlias

from ...pipeline.error_outcomes import describe
from . import (
    buckets,
    cluster,
    cycles,
    database,
    indices,
    permissions,
    pipelines,
    queues,
    serverless,
    settings,
    stores,
    tables,
)
from .findings import ERROR, NOTE, WARNING, Finding, Trouble
from .patient import DoctorContext, owner_of

__all__ = ["CHECKS", "ERROR", "NOTE", "WARNING", "DoctorContext", "Finding", "diagnose", "owner_of"]

Check: TypeAlias = Callable[..., Iterator[Finding]]
"""A check of the deployment, or of one resource: it gets the name too. Trouble ends it with its finding."""

CHECKS: Final[Sequence[tuple[Check, Callable[[DoctorContext], Iterable[str]] | None]]] = (
    (settings.check_memory, None),
    (settings.check_times, None),
    (settings.check_login, None),
    (settings.check_dead_letters, None),
    (settings.check_sources, None),
    (settings.check_reindexes, None),
    (cycles.check, None),
    (cluster.check, None),
    (serverless.check, None),
    (indices.check, lambda patient: patient.indices),
    (pipelines.check, pipelines.used),
    (tables.check_pattern, tables.patterns),
    (tables.check_listened, lambda patient: patient.tables),
    (tables.check_written, lambda patient: patient.written_tables),
    (tables.check_read, lambda patient: patient.router.readable),
    (buckets.check, lambda patient: patient.buckets),
    (queues.check, lambda patient: patient.queues),
    (stores.check_dead_letters, None),
    (stores.check_checkpoints, None),
    (database.check, None),
    (permissions.check_listened, lambda patient: patient.tables),
    (permissions.check_written, lambda patient: patient.written_tables),
    (permissions.check_read, lambda patient: patient.router.readable),
    (permissions.check_bucket, lambda patient: patient.buckets),
    (permissions.check_queue, lambda patient: patient.queues),
    (permissions.check_positions, None),
    (lambda patient: patient.clock.findings(), None),  # last: it uses the answers to all other checks
)
"""The checks in order, each with the resources to check one by one; None for a check of the whole deployment."""


def diagnose(patient: DoctorContext) -> Iterator[Finding]:
    """Run all checks and yield each distinct finding once, as soon as it is found."""
    reported: set[Finding] = set()
    for check, resources in CHECKS:
        for arguments in [()] if resources is None else [(name,) for name in resources(patient)]:
            for finding in _run(check, patient, *arguments):
                if finding not in reported:
                    reported.add(finding)
                    yield finding


def _run(check: Check, patient: DoctorContext, *resource: str) -> Iterator[Finding]:
    """Run one check. An unexpected exception becomes a finding, so that the other checks still run."""
    try:
        yield from check(patient, *resource)
    except Trouble as trouble:
        yield trouble.finding
    except Exception as error:
        name = check.__module__.rpartition(".")[2]
        remedy = "fix the other findings first; if this one remains, report it to the maintainers of streamdex"
        yield Finding("doctor", f"check of {name}", f"it failed: {describe(error)}", remedy)
