"""What is allowed in a policy, and whose it is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ...routing import Router
from ...settings import Settings


@dataclass(frozen=True)
class Owner:
    """Whose tables, queues and domains they are, and where; `*` for what is not known."""

    partition: str = "aws"
    region: str = "*"
    account: str = "*"

    def arn(self, service: str, resource: str, region: str = "") -> str:
        return f"arn:{self.partition}:{service}:{region or self.region}:{self.account}:{resource}"

    def bucket(self, resource: str) -> str:
        return f"arn:{self.partition}:s3:::{resource}"


SOMEBODY: Final = Owner()
"""Of whom nothing is known."""


@dataclass(frozen=True)
class Work:
    """What is to be done with routes and settings: by the container, a Lambda (`function`) or an `operator`."""

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
        """Whether tables are read whole: in a backfill, or to verify and mend their indices."""
        return self.operator or (self.container and self.settings.on_gap == "verify")

    @property
    def page(self) -> bool:
        """Whether it serves a page, which shows documents and dead letters."""
        return self.container and bool(self.settings.page_port)

    @property
    def redrives(self) -> bool:
        """Whether dead letters are removed once they are delivered again."""
        return self.operator or (self.page and self.settings.page_redrive)


@dataclass(frozen=True)
class Grant:
    """What is allowed to be done with some resources, and what for: the first words of the statement's name."""

    purpose: str
    subject: str
    service: str
    actions: Sequence[str]
    resources: Sequence[str]


def statements(grants: Sequence[Grant]) -> Iterator[dict[str, Any]]:
    """Grants in IAM's words, each under a name of its own."""
    taken: set[str] = set()
    for grant in grants:
        words = re.findall(r"[A-Za-z0-9]+", grant.subject)
        plain = name = grant.purpose + "".join(word[0].upper() + word[1:] for word in words)
        number = 2
        while name in taken:  # names that differ only in what a Sid cannot hold
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
    """Text that stands for itself in a resource ("IAM policy elements: Variables and tags")."""
    return re.sub(r"[*?$]", lambda found: f"${{{found[0]}}}", text)
