"""The indices and templates at the server, as they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ...context import Context
from ...dispatch.outcomes import Outcome
from ...errors import Halt, StreamdexError, Unreachable
from ...routing.indices import flat
from ...sinks.search.answers import reason_of, result_of_error


class Refused(StreamdexError):
    """The search server does not do what it was asked; the argument is what it says."""


@dataclass(frozen=True)
class Existing:
    """An index as it is: `index` is its own name, whatever alias led to it; `settings` and `defaults` are flat."""

    index: str
    aliases: Mapping[str, Mapping[str, Any]]
    mappings: Mapping[str, Any]
    settings: Mapping[str, Any]
    defaults: Mapping[str, Any]


@contextmanager
def asking() -> Iterator[None]:
    """Makes errors of the search client in the block ours: Refused, Unreachable or Halt."""
    try:
        yield
    except StreamdexError:
        raise
    except Exception as error:
        result = result_of_error(error)
        if result.outcome is Outcome.RETRY:
            raise Unreachable(result.reason) from error
        raise Refused(_words(error) or result.reason) from error


def existing(context: Context, name: str) -> Existing | None:
    """The index of that name, or the one that an alias of that name leads writes to; None where there is none.

    Raises Halt for an alias of several indices of which none is the write index, and Unreachable.
    """
    from opensearchpy.exceptions import NotFoundError

    flags = {"flat_settings": "true", "include_defaults": "true"}
    with asking():
        try:
            found = context.search.indices.get(index=name, params=flags)
        except NotFoundError as error:
            if error.error == "index_not_found_exception":
                return None
            raise  # there is something else at the address
    index = _written(name, {index: part["aliases"] for index, part in found.items()})
    part = found[index]
    return Existing(
        index, part["aliases"], part["mappings"], flat(part["settings"]), flat(part.get("defaults", {}))
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


def _written(name: str, aliases: Mapping[str, Mapping[str, Any]]) -> str:
    if len(aliases) == 1:
        return next(iter(aliases))
    writers = [index for index, given in aliases.items() if given.get(name, {}).get("is_write_index")]
    if len(writers) != 1:
        raise Halt(
            f"the alias {name} leads to {', '.join(sorted(aliases))}, and none of them is its write index: every"
            " write would be refused; make one of them the write index"
        )
    return writers[0]
