"""`indices`: compare, apply and check the index declarations of routes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ...bootstrap.application import App
from ...bootstrap.selection import Chosen
from ...context import Context
from ...errors import SettingsError
from ...routing import IndexDeclaration
from ...settings import setting
from ...sinks.opensearch.alias_targets import look_for
from ..command import Command, Output, counted, print_result, quietly
from ..confirmation import Consent
from ..progress import progress
from .applying import Applied, apply, documents_in, recreate
from .checking import Checked, check
from .planning import Plan, plan
from .remedies import renewal
from .server import asking

_SOME = 5
"""Names that the text output lists; --json lists all."""


@dataclass(frozen=True)
class Options:
    """Options of `indices`."""

    index: tuple[str, ...] = setting((), "only these indices, separated by commas")
    sample: int = setting(1000, "maximum number of items that `check` reads from each table", least=1)
    recreate: bool = setting(
        False,
        "`apply`: delete an index of --index that needs a rebuild, with all its documents, and create it empty",
    )


def indices(chosen: Chosen) -> int:
    (action,) = chosen.configuration.operands
    options = chosen.configuration.build(Options)
    if action not in ("plan", "apply", "check"):
        raise SettingsError(f"unknown action {action!r}: use plan, apply or check")
    if options.recreate and not options.index:
        raise SettingsError("--recreate deletes documents: name the indices with --index=NAME")
    with App(quietly(chosen), chosen.routes) as app:
        declared = selected(app, options.index)
        if action == "check":
            return check_all(chosen, app, declared, options.sample)
        declared = [one for each in declared for one in with_indices(app.context, each)]
        if action == "plan":
            return show_plans(chosen, app, declared)
        return apply_all(chosen, app, declared, options)


def selected(app: App, names: Sequence[str]) -> list[IndexDeclaration]:
    """Return the indices and patterns with these logical or actual names, all declared ones if there are none.

    A name may be that of one index of a pattern, which need not exist yet. Raises SettingsError for a name that no
    route has.
    """
    known = app.router.indices
    found = []
    for name in names or known:
        actual = app.router.index_named(name)
        declared = None if actual is None else app.router.declaration(actual)
        if declared is None:
            raise SettingsError(f"no route has an index {name!r}; declared indices: {', '.join(known) or 'none'}")
        found.append(declared)
    return found


def with_indices(context: Context, declared: IndexDeclaration) -> list[IndexDeclaration]:
    """Return the declaration; for a pattern, those of its existing indices, too."""
    if not declared.is_pattern:
        return [declared]
    with asking():
        return [declared, *(declared.of(target.name) for target in look_for(context, declared.name))]


def show_plans(chosen: Chosen, app: App, declared: Sequence[IndexDeclaration]) -> int:
    done = True
    for one in declared:
        planned = plan(app.context, one)
        remedy = remedy_of(app, planned)
        print_result(chosen, as_json(planned, remedy), in_words(planned, remedy))
        done = done and planned.done
    return 0 if done else 1


def apply_all(chosen: Chosen, app: App, declared: Sequence[IndexDeclaration], options: Options) -> int:
    done = True
    for one in declared:
        planned = plan(app.context, one)
        deletes = options.recreate and planned.to_rebuild
        if deletes and not confirmed(chosen, app, planned):
            deletes = []
        applied = (recreate if deletes else apply)(app.context, planned)
        remedy = remedy_of(app, applied.plan)
        value = {
            **as_json(applied.plan, remedy),
            "created": applied.created,
            "made": [asdict(one) for one in applied.made],
            "refused": applied.refused,
            "left": applied.left,
        }
        print_result(chosen, value, what_was_done(applied, remedy))
        done = done and applied.done
    return 0 if done else 1


def check_all(chosen: Chosen, app: App, declared: Sequence[IndexDeclaration], sample: int) -> int:
    tables = app.tables()
    with progress("check", "items", silent=chosen.configuration.build(Output).json) as advance:
        found = [check(app.context, app.router, one, tables, sample, advance) for one in declared]
    for checked in found:
        print_result(chosen, asdict(checked), what_was_seen(checked))
    return 1 if any(checked.conflicts or checked.pipelines for checked in found) else 0


def confirmed(chosen: Chosen, app: App, planned: Plan) -> bool:
    """True if the operator agrees to the deletion. Raises SettingsError without a terminal or --yes."""
    assert planned.there is not None
    index = planned.there.index
    documents = counted(documents_in(app.context, planned.there), "document")
    consent = chosen.configuration.build(Consent)
    return consent.given(f"the index {index} with {documents}, and creates an empty one in its place", index)


def remedy_of(app: App, planned: Plan) -> str:
    """Return the command that rebuilds the index; "" if it needs no rebuild."""
    return renewal(app.router, planned.there.target) if planned.there and planned.to_rebuild else ""


def as_json(planned: Plan, remedy: str) -> dict[str, Any]:
    differences = [*planned.to_put, *planned.to_rebuild]
    return {
        "index": planned.index,
        "behind": planned.there.index if planned.there else None,
        "copies": planned.there.target.also if planned.there else (),
        "stale": planned.there.target.stale if planned.there else (),
        "state": planned.state,
        "differences": [asdict(one) for one in differences],
        "undeclared": planned.undeclared,
        "narrow": planned.narrow,
        "pipelines": [asdict(one) for one in planned.pipelines],
        "template": asdict(planned.template) if planned.template else None,
        "remedy": remedy,
    }


def in_words(planned: Plan, remedy: str) -> str:
    there = planned.there
    name = planned.index if there is None or there.index == planned.index else f"{planned.index} ({there.index})"
    differences = [*planned.to_rebuild, *planned.to_put]
    if planned.declared.is_pattern:
        lines = [f"{name}: a pattern; each of its indices is created at its first write"]
    elif there is None:
        lines = [f"{name}: to be created"]
    elif differences:
        lines = [f"{name}: {counted(len(differences), 'difference')}"]
    else:
        lines = [f"{name}: as declared"]
    lines += [f"  {one.cure.value:8}{one.words}" for one in differences]
    lines += [f"  put     {one.words}" for one in (*planned.pipelines, planned.template) if one]
    if there and there.target.also:
        lines.append(f"  copies that get the same writes: {', '.join(there.target.also)}")
    if there and there.target.stale:
        lines.append(
            f"  stale copies, which missed writes and get none: {', '.join(there.target.stale)} (see doctor)"
        )
    if planned.undeclared:
        lines.append(f"  undeclared fields: {some(planned.undeclared)}")
    if planned.narrow:
        lines.append(f"  undeclared numbers: {some(planned.narrow)}; declare them as double")
    if remedy:
        lines.append(f"  to rebuild it: {remedy}")
        lines += without_way_back(planned)
    return "\n".join(lines)


def some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SOME:,} more" if len(names) > _SOME else ""
    return ", ".join(names[:_SOME]) + more


def without_way_back(planned: Plan) -> list[str]:
    """Return a warning for an index that is not behind an alias."""
    if planned.there is None or planned.there.target.is_alias:
        return []
    return [f"  {planned.index} is an index, not an alias: a rebuild deletes it, and cannot be rolled back"]


def what_was_done(applied: Applied, remedy: str) -> str:
    name = applied.plan.index
    parts = [f"created {applied.created}"] if applied.created else []
    parts += [counted(len(applied.made), "change")] if applied.made else []
    lines = [f"{name}: {', '.join(parts) or ('refused' if applied.refused else 'as declared')}"]
    lines += [f"  {one.words}" for one in applied.made]
    if applied.refused:
        lines.append(f"  refused: {applied.refused}")
        left = [*applied.plan.to_rebuild, *applied.plan.pipelines, *applied.plan.to_put]
        lines += [f"  {one.cure.value:8}{one.words}" for one in left]
    lines += [f"  copy {copy} refused the change: {reason}" for copy, reason in applied.left.items()]
    if remedy:
        lines += [f"  to rebuild it: {remedy}", *without_way_back(applied.plan)]
    return "\n".join(lines)


def what_was_seen(checked: Checked) -> str:
    from .remedies import change

    if checked.pipelines:
        lines = [f"{checked.index}: not checked, because pipelines differ from their declarations"]
        lines += [f"  {words}" for words in checked.pipelines]
        return "\n".join([*lines, f"  to create or change them: {change(checked.index)}"])
    if not checked.items:
        return f"{checked.index}: no items to check"
    by_reason: dict[str, list[str]] = defaultdict(list)
    for conflict in checked.conflicts:
        by_reason[f"{conflict.route}: {conflict.reason}"].append(conflict.id)
    fits = "all fit" if not by_reason else counted(len(checked.conflicts), "conflict")
    seen = f"{counted(checked.items, 'item')}, {counted(checked.documents, 'document')}"
    return "\n".join(
        [f"{checked.index}: {seen}: {fits}", *(f"  {reason}: {some(ids)}" for reason, ids in by_reason.items())]
    )


COMMAND = Command(
    indices,
    "compare indices with their declarations (plan), apply the differences, or check a sample of items",
    example="plan --index=images",
    operands=("ACTION",),
    options=(Options, Consent, Output),
)
