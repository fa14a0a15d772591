"""All errors that this package raises on purpose, with their exit codes.

StreamdexError                  exit code 1
├── SettingsError               2   an option, a variable or the configuration file is invalid
│   └── DeclarationError        2   a route class is invalid, or two route classes conflict
├── UnknownEvent                2   the payload contains no known record
├── DecodeError                 1   one record cannot be decoded; the others continue
├── Halt                        3   every record would fail until the operator fixes the cause
├── Unreachable                 4   a required server does not respond
│   └── UnexpectedAnswer        4   the response is not that of a search server
├── LeaseLost                       another poller of the group has taken over
└── RouteSignal                     base of the errors with which a route sets the outcome of its record
    ├── Retry                       may succeed later
    │   └── OutOfTime               the record was not processed before the deadline
    ├── Skip                        nothing to do for this record
    └── Reject                      can never succeed; becomes a dead letter
"""

from __future__ import annotations

from typing import ClassVar


class StreamdexError(Exception):
    """The base class. The message says what happened, to what, and what to do."""

    exit_code: ClassVar[int] = 1


class SettingsError(StreamdexError):
    """An option, an environment variable or the configuration file is invalid."""

    exit_code: ClassVar[int] = 2


class DeclarationError(SettingsError):
    """A route class is declared incorrectly, or two route classes could write the same document."""


class UnknownEvent(StreamdexError):
    """A payload contains no record that this service supports."""

    exit_code: ClassVar[int] = 2


class DecodeError(StreamdexError):
    """One record, or one value in it, cannot be decoded."""


class Halt(StreamdexError):
    """Every record would fail until the operator fixes the cause that the message names."""

    exit_code: ClassVar[int] = 3


class Unreachable(StreamdexError):
    """A required server does not respond."""

    exit_code: ClassVar[int] = 4


class UnexpectedAnswer(Unreachable):
    """A server's response does not have the expected structure."""


class LeaseLost(StreamdexError):
    """Another process may hold the lease by now, so this process stops the work."""


class RouteSignal(StreamdexError):
    """Base of the errors with which a route sets the outcome of its record. The argument is the reason."""


class Retry(RouteSignal):
    """The record may succeed later and is redelivered."""


class OutOfTime(Retry):
    """The record was not processed before the deadline. This does not count as a failure of the record."""


class Skip(RouteSignal):
    """There is nothing to do for this record."""


class Reject(RouteSignal):
    """The record can never succeed and becomes a dead letter."""
