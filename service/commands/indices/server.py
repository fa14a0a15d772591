"""Read the existing indices, aliases and templates of the search server."""

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
    """The search server refuses a request; the message is the server's reason."""


@dataclass(frozen=True)
class Existing:
    """An existing index. `settings` and `defaults` are flat."""

    target: Target
    aliases: Mapping[str, Mapping[str, Any]]
    mappings: Mapping[str, Any]
    settings: Mapping[str, Any]
    defaults: Mapping[str, Any]

    @property
    def index(self) -> str:
        """The index's own name, not that of its alias."""
        return self.target.live


@contextmanager
def asking() -> Iterator[None]:
    """Convert errors of the search client in the block to Refused, Unreachable or Halt."""
    try:
        yield
    except StreamdexError:
        raise
    except Exception as error:
        result, words = result_of_error(error), _words(error)
        # A retry does not change this refusal. Documents are retried anyway; an operator's request is not.
        refused = words and result.lasting is not None
        if result.outcome is Outcome.RETRY and not refused:
            raise Unreachable(result.reason) from error
        raise Refused(words or result.reason) from error


def existing(context: Context, name: str) -> Existing | None:
    """Return the index of this name, or the searched index behind the alias of this name; None if there is none.

    Raises Halt if the alias has several indices and not exactly one write index; Unreachable; Refused.
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
    """Return the indices that an alias points to; none if it does not exist."""
    from opensearchpy.exceptions import NotFoundError

    with asking():
        try:
            return sorted(context.search.indices.get_alias(name=alias))
        except NotFoundError:
            return []


def template(context: Context, name: str) -> Mapping[str, Any] | None:
    """Return a composable index template; None if it does not exist."""
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
    """Return the server's reason without the JSON around it."""
    info = getattr(error, "info", None)
    return reason_of(info.get("error")) if isinstance(info, Mapping) else ""
