"""The indices and templates at the server, as they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ...context import Context
from ...errors import StreamdexError, Unreachable
from ...model.outcomes import Outcome
from ...routing.index_declarations import flat
from ...sinks.opensearch.alias_targets import Target, look
from ...sinks.opensearch.bulk_responses import reason_of, result_of_error


class Refused(StreamdexError):
    """The search server does not do what it was asked; the argument is what it says."""


@dataclass(frozen=True)
class Existing:
    """An index as it is, whatever alias leads to it.

    `settings` and `defaults` are flat.
    """

    target: Target
    aliases: Mapping[str, Mapping[str, Any]]
    mappings: Mapping[str, Any]
    settings: Mapping[str, Any]
    defaults: Mapping[str, Any]

    @property
    def index(self) -> str:
        """Its own name, whatever alias leads to it."""
        return self.target.live


@contextmanager
def asking() -> Iterator[None]:
    """Makes errors of the search client in the block ours: Refused, Unreachable or Halt."""
    try:
        yield
    except StreamdexError:
        raise
    except Exception as error:
        result, words = result_of_error(error), _words(error)
        # A refusal that no retry changes: a document is retried all the same, a request of an operator is not.
        refused = words and result.lasting is not None
        if result.outcome is Outcome.RETRY and not refused:
            raise Unreachable(result.reason) from error
        raise Refused(words or result.reason) from error


def existing(context: Context, name: str) -> Existing | None:
    """The index of that name, or the one behind the alias of that name that is searched; None where there is none.

    Raises Halt for an alias of several indices of which none is the write index, and Unreachable.
    """
    flags = {"flat_settings": "true", "include_defaults": "true"}
    with asking():
        target = look(context, [name])[name]
        if not target.live:
            return None
        part = context.search.indices.get(index=target.live, params=flags)[target.live]
    return Existing(
        target, part["aliases"], part["mappings"], flat(part["settings"]), flat(part.get("defaults", {}))
    )


def holders(context: Context, alias: str) -> Sequence[str]:
    """The indices that an alias leads to."""
    from opensearchpy.exceptions import NotFoundError

    with asking():
        try:
            return sorted(context.search.indices.get_alias(name=alias))
        except NotFoundError:
            return []


def template(context: Context, name: str) -> Mapping[str, Any] | None:
    """A composable index template; None where there is none."""
    from opensearchpy.exceptions import NotFoundError

    with asking():
        try:
            found = context.search.indices.get_index_template(name=name)
        except NotFoundError:
            return None
    return next(
        (one["index_template"] for one in found.get("index_templates", []) if one.get("name") == name), None
    )


def _words(error: Any) -> str:
    """What the server says, without the JSON around it."""
    info = getattr(error, "info", None)
    return reason_of(info.get("error")) if isinstance(info, Mapping) else ""
