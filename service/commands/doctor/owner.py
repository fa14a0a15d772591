"""Find the AWS account, region and partition of the tables and queues."""

from __future__ import annotations

from collections.abc import Iterator

from ..policy import Owner
from .findings import Trouble
from .patient import DoctorContext
from .queues import attributes_of
from .tables import described


def owner_of(patient: DoctorContext) -> Owner:
    """Return the owner of the first existing table or queue; `*` for unknown parts."""
    for arn in _arns(patient):
        _, partition, _, region, account, _ = arn.split(":", 5)
        return Owner(partition, region or "*", account or "*")
    return Owner(region=patient.settings.region or "*")


def _arns(patient: DoctorContext) -> Iterator[str]:
    for look in (_tables, _queues):
        try:
            yield from look(patient)
        except Trouble:  # the policy has * for unknown parts
            continue


def _tables(patient: DoctorContext) -> Iterator[str]:
    for table in [*patient.tables(), *(bound.item_table for bound in patient.router.bound if bound.item_table)]:
        description = described(patient, table)
        if description is not None:
            yield description["TableArn"]


def _queues(patient: DoctorContext) -> Iterator[str]:
    for queue in patient.queues():
        attributes = attributes_of(patient, queue)
        if attributes is not None:
            yield attributes["QueueArn"]
