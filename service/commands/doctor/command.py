"""`doctor`: find problems of a deployment before the first record arrives."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass

from ...bootstrap.application import App
from ...bootstrap.selection import Chosen
from ...settings import setting
from ..command import Command, Output, print_result
from ..policy import policy_of
from . import NOTE, DoctorContext, diagnose, owner_of


@dataclass(frozen=True)
class Asked:
    """Options of `doctor`."""

    policy: bool = setting(False, "print only the least-privilege IAM policy for the routes and settings, as JSON")
    operator: bool = setting(
        False,
        "with --policy: print that of the operator (backfill, verify, replay, dead-letters), not of the container",
    )
    as_lambda: bool = setting(False, "with --policy: print that of a Lambda function, not of the container")


def doctor(chosen: Chosen) -> int:
    with App(chosen.settings, chosen.routes) as app:
        patient = DoctorContext(app.context, app.router)
        asked = chosen.configuration.build(Asked)
        if asked.policy:
            owner = owner_of(patient)
            if owner.account == "*":
                print(
                    "the AWS account is unknown: no table or queue could be read; the policy has * instead",
                    file=sys.stderr,
                )
            policy = policy_of(app.router, app.settings, owner, asked.operator, asked.as_lambda)
            print(json.dumps(policy, indent=2))
            return 0
        worst = 0
        for finding in diagnose(patient):
            words = f"{finding.severity:8} {finding.subject}: {finding.problem}\n{'':8} -> {finding.remedy}"
            print_result(chosen, vars(finding), words)
            worst = worst or int(finding.severity != NOTE)
    return worst


COMMAND = Command(
    doctor,
    "report problems of the setup, each with its remedy; changes nothing, and prints nothing if it finds none",
    example="--search-url=https://search.example.com --read-queue=uploads",
    options=(Asked, Output),
)
