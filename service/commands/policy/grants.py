"""The statements of a policy, and the owner of its resources."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ...routing import Router
from ...settings import Settings


@dataclass(frozen=True)
class Owner:
    """The partition, region and account of the resources; `*` for unknown parts."""

    partition: str = "aws"
    region: str = "*"
    account: str = "*"

    def arn(self, service: str, resource: str, region: str = "") -> str:
        return f"arn:{self.partition}:{service}:{region or self.region}:{self.account}:{resource}"

    def bucket(self, resource: str) -> str:
        return f"arn:{self.partition}:s3:::{resource}"


SOMEBODY: Final = Owner()
"""An unknown owner: every part of its ARNs that varies is `*`."""


@dataclass(frozen=True)
class Work:
    """The work that the policy allows: that of the container, of a Lambda (`function`) or of an `operator`."""

    router: Router
    settings: Settings
    owner: Owner
    operator: bool = False
    function: bool = False

    @property
    def container(self) -> bool:
        return not (self.operator or self.function)

    @property
    def scans(self) -> bool:
        """True if tables are scanned: for a backfill, or to verify and repair their indices."""
        return self.operator or (self.container and self.settings.on_gap == "verify")

    @property
    def page(self) -> bool:
        """True if the process serves the page, which shows documents and dead letters."""
        return self.container and bool(self.settings.page_port)

    @property
    def redrives(self) -> bool:
        """True if dead letters can be redriven, which removes them."""
        return self.operator or (self.page and self.settings.page_redrive)


@dataclass(frozen=True)
class Grant:
    """Allowed actions on resources. `purpose` is the beginning of the statement's Sid, `subject` the rest."""

    purpose: str
    subject: str
    service: str
    actions: Sequence[str]
    resources: Sequence[str]


def statements(grants: Sequence[Grant]) -> Iterator[dict[str, Any]]:
    """Yield the grants as IAM statements, each with a unique Sid."""
    taken: set[str] = set()
    for grant in grants:
        words = re.findall(r"[A-Za-z0-9]+", grant.subject)
        plain = name = grant.purpose + "".join(word[0].upper() + word[1:] for word in words)
        number = 2
        while name in taken:  # two subjects may differ only in characters that a Sid cannot have
            name, number = f"{plain}{number}", number + 1
        taken.add(name)
        resources = list(grant.resources)
        yield {
            "Sid": name,
            "Effect": "Allow",
            "Action": [f"{grant.service}:{action}" for action in grant.actions],
            "Resource": resources[0] if len(resources) == 1 else resources,
        }


def escaped(text: str) -> str:
    """Escape *, ? and $ for a resource ("IAM policy elements: Variables and tags")."""
    return re.sub(r"[*?$]", lambda found: f"${{{found[0]}}}", text)
