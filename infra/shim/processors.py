"""A few ingest processors, with the results and errors of OpenSearch 3.6.0 (tests/real compares both)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

PARSE: Final = "parse_exception"
ARGUMENT: Final = "illegal_argument_exception"

COMMON: Final = frozenset({"description", "ignore_failure", "tag"})
"""The parameters that every processor has."""


class Refused(Exception):
    """A pipeline, or a document in one, is refused. The arguments are the type and the reason of the error."""


@dataclass(frozen=True)
class Processor:
    """A processor: its function, its required and its optional parameters."""

    run: Callable[..., None]
    required: Sequence[str]
    optional: Sequence[str] = ()


Step: TypeAlias = tuple[Processor, Mapping[str, Any]]
"""A processor of a pipeline and its parameters."""


def steps_of(body: Mapping[str, Any]) -> list[Step]:
    """Return the steps of an ingest pipeline. Raises Refused."""
    if not isinstance(body.get("processors"), list):
        raise Refused(PARSE, "[processors] required property is missing")
    for member in body.keys() - {"processors", "description", "version"}:
        raise Refused(PARSE, f"the embedded search server does not support {member} of a pipeline")
    return [_step(name, options) for one in body["processors"] for name, options in one.items()]


def run(steps: Sequence[Step], document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document after all steps. Raises Refused."""
    changed: dict[str, Any] = deepcopy(dict(document))
    for processor, options in steps:
        try:
            processor.run(changed, **{name: value for name, value in options.items() if name not in COMMON})
        except Refused:
            if not options.get("ignore_failure"):
                raise
    return changed


def _step(name: str, options: Any) -> Step:
    if name == "script":
        raise Refused(
            ARGUMENT,
            "the embedded search server does not run scripts (processor script): use an OpenSearch server"
            " (SEARCH_URL, or SHIM=docker)",
        )
    processor = PROCESSORS.get(name)
    if processor is None:
        raise Refused(PARSE, f"No processor type exists with name [{name}]")
    if not isinstance(options, Mapping):
        raise Refused(PARSE, f"property isn't a map, but of type [{_class_of(options)}]")
    for parameter in processor.required:
        if options.get(parameter) is None:
            raise Refused(PARSE, f"[{parameter}] required property is missing")
    unknown = sorted(options.keys() - {*processor.required, *processor.optional} - COMMON)
    if unknown:
        raise Refused(
            PARSE,
            f"the embedded search server does not support {', '.join(unknown)} of the processor {name}: use"
            f" {', '.join([*processor.required, *processor.optional, *sorted(COMMON)])}",
        )
    fields = str([options.get("field"), options.get("target_field")])
    if "{{" in str(options) or "'_" in fields:
        raise Refused(
            PARSE,
            f"the embedded search server supports neither templates nor metadata fields in the processor {name}",
        )
    return processor, options


def _set(document: Any, field: str, value: Any, override: bool = True) -> None:
    if override or not _has(document, field) or _get(document, field) is None:
        _put(document, field, deepcopy(value))


def _remove(document: Any, field: str | list[str], ignore_missing: bool = False) -> None:
    for path in [field] if isinstance(field, str) else field:
        if _has(document, path):
            _pop(document, path)
        elif not ignore_missing:
            raise Refused(ARGUMENT, f"field [{path}] doesn't exist")


def _rename(document: Any, field: str, target_field: str, ignore_missing: bool = False) -> None:
    if not _has(document, field):
        if ignore_missing:
            return
        raise Refused(ARGUMENT, f"field [{field}] doesn't exist")
    if _has(document, target_field):
        raise Refused(ARGUMENT, f"field [{target_field}] already exists")
    _put(document, target_field, _get(document, field))
    _pop(document, field)


def _lowercase(document: Any, field: str, target_field: str = "", ignore_missing: bool = False) -> None:
    if ignore_missing and (not _has(document, field) or _get(document, field) is None):
        return
    value = _get(document, field)
    if value is None:
        raise Refused(ARGUMENT, f"field [{field}] is null, cannot process it.")
    if not isinstance(value, str | list):
        raise Refused(ARGUMENT, f"field [{field}] of type [{_class_of(value)}] {_NO_TEXT}")
    for member in value if isinstance(value, list) else ():
        if not isinstance(member, str):
            words = f"value [{member}] of type [{_class_of(member)}] in list field [{field}]"
            raise Refused(ARGUMENT, f"{words} {_NO_TEXT}")
    lowered = [member.lower() for member in value] if isinstance(value, list) else value.lower()
    _put(document, target_field or field, lowered)


def _append(document: Any, field: str, value: Any) -> None:
    there = _get(document, field) if _has(document, field) else []
    more = value if isinstance(value, list) else [value]
    _put(document, field, [*(there if isinstance(there, list) else [there]), *deepcopy(more)])


PROCESSORS: Final[Mapping[str, Processor]] = {
    "append": Processor(_append, ["field", "value"]),
    "lowercase": Processor(_lowercase, ["field"], ["target_field", "ignore_missing"]),
    "remove": Processor(_remove, ["field"], ["ignore_missing"]),
    "rename": Processor(_rename, ["field", "target_field"], ["ignore_missing"]),
    "set": Processor(_set, ["field", "value"], ["override"]),
}

_NO_TEXT: Final = "cannot be cast to [java.lang.String]"


def _get(document: Any, path: str) -> Any:
    """Return the value at a dotted path. Raises Refused if it does not exist."""
    value = document
    for name in path.split("."):
        value = _member(value, name, path)
    return value


def _member(value: Any, name: str, path: str) -> Any:
    if isinstance(value, dict):
        if name not in value:
            raise Refused(ARGUMENT, f"field [{name}] not present as part of path [{path}]")
        return value[name]
    if isinstance(value, list):
        return value[_position(value, name, path)]
    what = "null" if value is None else f"object of type [{_class_of(value)}]"
    raise Refused(ARGUMENT, f"cannot resolve [{name}] from {what} as part of path [{path}]")


def _position(value: list[Any], name: str, path: str) -> int:
    try:
        position = int(name)
    except ValueError:
        words = f"[{name}] is not an integer, cannot be used as an index as part of path [{path}]"
        raise Refused(ARGUMENT, words) from None
    if not 0 <= position < len(value):
        words = f"[{name}] is out of bounds for array with length [{len(value)}] as part of path [{path}]"
        raise Refused(ARGUMENT, words)
    return position


def _has(document: Any, path: str) -> bool:
    try:
        _get(document, path)
    except Refused:
        return False
    return True


def _put(document: Any, path: str, value: Any) -> None:
    """Set the value at a dotted path. Missing objects on the way are created. Raises Refused."""
    *names, last = path.split(".")
    holder = document
    for name in names:
        holder = holder.setdefault(name, {}) if isinstance(holder, dict) else _member(holder, name, path)
    if isinstance(holder, dict):
        holder[last] = value
    elif isinstance(holder, list):
        holder[_position(holder, last, path)] = value
    else:
        what = "null parent" if holder is None else f"parent object of type [{_class_of(holder)}]"
        raise Refused(ARGUMENT, f"cannot set [{last}] with {what} as part of path [{path}]")


def _pop(document: Any, path: str) -> None:
    """Remove an existing value."""
    *names, last = path.split(".")
    holder = _get(document, ".".join(names)) if names else document
    if isinstance(holder, list):
        holder.pop(int(last))
    else:
        del holder[last]


def _class_of(value: Any) -> str:
    """Return the Java class of a JSON value, as errors name it."""
    if isinstance(value, int) and not isinstance(value, bool):
        return "java.lang.Integer" if -(2**31) <= value < 2**31 else "java.lang.Long"
    names = {bool: "lang.Boolean", float: "lang.Double", str: "lang.String", list: "util.ArrayList"}
    return f"java.{names.get(type(value), 'util.HashMap')}"
