"""The part of requirements.lock that a build needs."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from packaging.markers import Marker

from service.errors import SettingsError


@dataclass(frozen=True)
class Pin:
    """One package of the lock file: `name==version`, its marker, its hashes, and the packages that require it."""

    name: str
    version: str
    marker: str
    hashes: Sequence[str]
    parents: Collection[str]

    def line(self) -> str:
        """Return the requirement line without its marker, which pip would evaluate for its own interpreter."""
        return " \\\n    ".join([f"{self.name}=={self.version}", *self.hashes])

    def wanted(self, environment: Mapping[str, str]) -> bool:
        """True if the marker holds on the target platform."""
        return not self.marker or Marker(self.marker).evaluate(dict(environment))


def pins(text: str) -> dict[str, Pin]:
    """Parse all packages of a lock file of `uv pip compile`, with its `# via` lines."""
    return {pin.name: pin for pin in _pins(text)}


def closure(
    locked: Mapping[str, Pin],
    roots: Sequence[str],
    environment: Mapping[str, str],
    leave_out: Collection[str] = (),
) -> list[Pin]:
    """Return these packages and all their dependencies, by name, without `leave_out` and its own dependencies.

    Raises SettingsError if the lock file lacks a root.
    """
    found: dict[str, Pin] = {}
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name not in locked:
            raise SettingsError(f"{name} is not in requirements.lock. Renew the file: make lock")
        if name in found or name in leave_out or not locked[name].wanted(environment):
            continue
        found[name] = locked[name]
        waiting += [pin.name for pin in locked.values() if name in pin.parents]
    return [found[name] for name in sorted(found)]


def _pins(text: str) -> Iterator[Pin]:
    for block in re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]:
        head = re.match(r"(\S+)==(\S+?)(?: ; (.*?))? *\\?$", block, re.MULTILINE)
        if head is None:
            entry = block.splitlines()[0]
            raise SettingsError(f"requirements.lock: {entry!r} pins no version. Renew the file: make lock")
        parents = re.findall(r"^ +#(?: via)? +(\S+)$", block, re.MULTILINE)
        yield Pin(head[1], head[2], head[3] or "", re.findall(r"--hash=\S+", block), frozenset(parents))
