"""Every error this package raises on purpose, in one tree.

StreamdexError                  exit code 1
├── SettingsError               2   an option, a variable or the configuration file is wrong
│   └── DeclarationError        2   a route class is wrong, or two of them clash
├── UnknownEvent                2   nothing known in a payload
├── DecodeError                 1   one record cannot be read; the others go on
├── Halt                        3   every record would fail: somebody has to mend something first
├── Unreachable                 4   a server that is needed does not answer
│   └── UnexpectedAnswer        4   it answers something else than a search server does
├── LeaseLost                       another poller of the group has taken over
└── RouteSignal                     what a route raises to name the outcome of its record
    ├── Retry                       may succeed later
    │   └── OutOfTime               no time was left for it
    ├── Skip                        nothing to do for this record
    └── Reject                      can never succeed: kept as a dead letter
"""

from __future__ import annotations

from typing import ClassVar


class StreamdexError(Exception):
    """The root: the message names the thing, what happened and what to do."""

    exit_code: ClassVar[int] = 1


class SettingsError(StreamdexError):
    """An option, an environment variable or the configuration file is wrong."""

    exit_code: ClassVar[int] = 2


class DeclarationError(SettingsError):
    """A route class is wrongly declared, or two of them could write the same document."""


class UnknownEvent(StreamdexError):
    """A payload holds nothing this service knows."""

    exit_code: ClassVar[int] = 2


class DecodeError(StreamdexError):
    """One record, or one value in it, cannot be read."""


class Halt(StreamdexError):
    """Every record would fail until somebody mends what the message names."""

    exit_code: ClassVar[int] = 3


class Unreachable(StreamdexError):
    """A server that is needed does not answer."""

    exit_code: ClassVar[int] = 4


class UnexpectedAnswer(Unreachable):
    """A server's answer has another shape than it must have."""


class LeaseLost(StreamdexError):
    """Another process may be at this work by now: it is left to that one."""


class RouteSignal(StreamdexError):
    """What a route raises to name the outcome of its record; the argument is the reason."""


class Retry(RouteSignal):
    """The record may succeed later: it is delivered again."""


class OutOfTime(Retry):
    """No time was left for the record: it says nothing about it."""


class Skip(RouteSignal):
    """There is nothing to do for this record."""


class Reject(RouteSignal):
    """The record can never succeed: it is kept as a dead letter."""
