"""The part of requirements.lock that a build needs."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from packaging.markers import Marker

from service.errors import SettingsError


@dataclass(frozen=True)
class Pin:
    """One package of the lock file: `name==version`, its hashes, when it is wanted, and what wants it."""

    name: str
    version: str
    marker: str
    hashes: Sequence[str]
    parents: Collection[str]

    def line(self) -> str:
        """As pip reads it, without the marker: pip would hold it against the interpreter that runs pip."""
        return " \\\n    ".join([f"{self.name}=={self.version}", *self.hashes])

    def wanted(self, environment: Mapping[str, str]) -> bool:
        """Whether the marker holds where the packages are to run."""
        return not self.marker or Marker(self.marker).evaluate(dict(environment))


def pins(text: str) -> dict[str, Pin]:
    """Every package of a lock file as `uv pip compile` writes it, `# via` lines included."""
    return {pin.name: pin for pin in _pins(text)}


def closure(
    locked: Mapping[str, Pin],
    roots: Sequence[str],
    environment: Mapping[str, str],
    leave_out: Collection[str] = (),
) -> list[Pin]:
    """These packages and all that they need, by name; without those left out and what only they need.

    Raises SettingsError for a root that the lock file does not have.
    """
    found: dict[str, Pin] = {}
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name not in locked:
            raise SettingsError(f"{name} is not in requirements.lock: renew it (make lock)")
        if name in found or name in leave_out or not locked[name].wanted(environment):
            continue
        found[name] = locked[name]
        waiting += [pin.name for pin in locked.values() if name in pin.parents]
    return [found[name] for name in sorted(found)]


def _pins(text: str) -> Iterator[Pin]:
    for block in re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]:
        head = re.match(r"(\S+)==(\S+?)(?: ; (.*?))? *\\?$", block, re.MULTILINE)
        if head is None:
            raise SettingsError(f"requirements.lock: {block.splitlines()[0]!r} pins no version")
        parents = re.findall(r"^ +#(?: via)? +(\S+)$", block, re.MULTILINE)
        yield Pin(head[1], head[2], head[3] or "", re.findall(r"--hash=\S+", block), frozenset(parents))
