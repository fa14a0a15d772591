"""Makes indices as their routes declare them, where that can be done to an index that is there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ...context import Context
from ...errors import Halt
from ...sinks.search.indices import create, index_body, with_aliases
from .differences import Difference, put_back
from .planning import Plan, is_rebuild_of, plan, template_body, template_name
from .server import Existing, Refused, asking, holders


@dataclass
class Applied:
    """What became of a plan: what was made, why the rest was refused ("" if nothing was), and what is left."""

    plan: Plan
    created: str = ""
    made: list[Difference] = field(default_factory=list)
    refused: str = ""

    @property
    def done(self) -> bool:
        """Whether the index is as it is declared."""
        return not self.refused and self.plan.done


def apply(context: Context, planned: Plan) -> Applied:
    """Makes what can be made in place; an index that needs a rebuild is left as it is. Can be repeated.

    Its template is put all the same, and first: one that is out of date would have its say in the index that the
    rebuild creates. Raises Halt and Unreachable.
    """
    applied = Applied(planned)
    try:
        _put_template(context, planned, applied)
        if planned.there is None:
            _create(context, planned, applied)
        elif planned.to_rebuild:
            applied.refused = "needs a rebuild; nothing was done to it"
        elif planned.to_put:
            _put(context, planned, planned.there, applied)
    except Refused as refused:
        applied.refused = str(refused)
    if applied.created or applied.made:
        applied.plan = plan(context, planned.declared)
    if not applied.refused and not applied.plan.done:
        applied.refused = "the server took the changes and still differs"
    return applied


def recreate(context: Context, planned: Plan, now: datetime | None = None) -> Applied:
    """Deletes an index and creates it anew, empty, with the aliases that it had. Raises Halt and Unreachable.

    Behind an alias the new one has another name, and takes the place of the old one in one request. An index that
    is no alias is gone for a moment; if that is when this is interrupted, applying creates it.
    """
    there = planned.there
    if there is None:
        return apply(context, planned)
    applied = Applied(planned)
    try:
        _put_template(context, planned, applied)
        if there.index == planned.index:
            _replace_plain(context, planned, there)
            applied.created = there.index
        else:
            applied.created = _replace_behind(context, planned, there, now or datetime.now(UTC))
    except Refused as refused:
        applied.refused = str(refused)
    applied.plan = plan(context, planned.declared)
    return applied


def documents_in(context: Context, there: Existing) -> int:
    """How many documents an index has. Raises Halt and Unreachable."""
    with asking():
        return int(context.search.count(index=there.index)["count"])


def _put_template(context: Context, planned: Plan, applied: Applied) -> None:
    if planned.template is None:
        return
    declared = planned.declared
    with asking():
        context.search.indices.put_index_template(
            name=template_name(declared), body=template_body(declared, context.settings)
        )
    applied.made.append(planned.template)


def _create(context: Context, planned: Plan, applied: Applied) -> None:
    declared = planned.declared
    with asking():
        if create(context, declared.name, with_aliases(declared, context.settings)):
            applied.created = declared.name


def _put(context: Context, planned: Plan, there: Existing, applied: Applied) -> None:
    """Settings first: a limit that they raise may be in the way of a field."""
    by_kind: dict[str, list[Difference]] = {"setting": [], "field": [], "mapping": [], "alias": []}
    for difference in planned.to_put:
        by_kind[difference.kind].append(difference)
    indices = context.search.indices
    with asking():
        if by_kind["setting"]:
            settings = {f"index.{one.path}": one.declared for one in by_kind["setting"]}
            indices.put_settings(index=there.index, body=settings)
            applied.made += by_kind["setting"]
        if by_kind["field"] or by_kind["mapping"]:
            mapping = index_body(planned.declared, context.settings)["mappings"]
            indices.put_mapping(index=there.index, body=put_back(mapping, by_kind["field"]))
            applied.made += by_kind["field"] + by_kind["mapping"]
    for difference in by_kind["alias"]:
        _move_alias(context, planned, there, difference.path)
        applied.made.append(difference)


def _move_alias(context: Context, planned: Plan, there: Existing, alias: str) -> None:
    """Leads an alias to the index, and away from earlier rebuilds of it; what else it leads to stays."""
    earlier = [index for index in holders(context, alias) if is_rebuild_of(planned.index, index)]
    actions: list[dict[str, Any]] = [{"remove": {"index": index, "alias": alias}} for index in earlier]
    with asking():
        context.search.indices.update_aliases(
            body={"actions": [*actions, {"add": {"index": there.index, "alias": alias}}]}
        )


def _replace_plain(context: Context, planned: Plan, there: Existing) -> None:
    aliases = {**there.aliases, **{alias: {} for alias in planned.declared.aliases if alias not in there.aliases}}
    body = index_body(planned.declared, context.settings) | {"aliases": aliases}
    with asking():
        context.search.indices.delete(index=there.index)
        if not create(context, there.index, body):
            raise Halt(
                f"the index {there.index} was created by somebody else as soon as it was deleted: stop what writes"
                " to it, and recreate it again"
            )


def _replace_behind(context: Context, planned: Plan, there: Existing, now: datetime) -> str:
    index = f"{planned.index}-{now:%Y%m%d%H%M%S}"
    wanted: Mapping[str, Mapping[str, Any]] = {
        **{alias: {} for alias in planned.declared.aliases},
        **there.aliases,
    }
    adding = [{"add": {"index": index, "alias": alias, **given}} for alias, given in wanted.items()]
    with asking():
        create(context, index, index_body(planned.declared, context.settings))
        context.search.indices.update_aliases(
            body={"actions": [*adding, {"remove_index": {"index": there.index}}]}
        )
    return index
