"""Makes indices as their routes declare them, where that can be done to an index that is there."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...context import Context
from ...sinks.opensearch.alias_targets import add, change_aliases, look, remove
from ...sinks.opensearch.index_creation import create_missing, index_body
from ..rebuild.replacing import prepare, put_in_place
from .differences import Difference, put_back
from .planning import Plan, plan, template_body, template_name
from .server import Existing, Refused, asking, holders


@dataclass
class Applied:
    """What became of a plan: what was made, why the rest was refused ("" if nothing was), and what is left.

    `left` are the copies of the index that were left as they are, with what the server said.
    """

    plan: Plan
    created: str = ""
    made: list[Difference] = field(default_factory=list)
    refused: str = ""
    left: dict[str, str] = field(default_factory=dict)

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


def recreate(context: Context, planned: Plan) -> Applied:
    """Puts a new, empty index in the place of one, with its aliases; the old one is deleted in the same moment.

    An index with a copy is left as it is: writers name it by its own name, and the server would make it again with
    the next write. Raises Halt and Unreachable.
    """
    there = planned.there
    if there is None:
        return apply(context, planned)
    applied = Applied(planned)
    try:
        _put_template(context, planned, applied)
        with asking():
            if look(context, [planned.index])[planned.index] != there.target:
                raise Refused("it was changed by somebody else meanwhile; nothing was done to it")
            if there.target.also:
                also = ", ".join(there.target.also)
                raise Refused(f"{also} gets the same writes: backfill --drop-old, --rollback or --abandon first")
            if there.target.old:
                raise Refused(f"{', '.join(there.target.old)} was replaced and is kept: backfill --drop-old first")
            new = prepare(context, planned.declared, there.target)
            put_in_place(context, planned.declared, there.target, new)
        applied.created = new
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
    with asking():
        applied.created = create_missing(context, planned.declared).live


def _put(context: Context, planned: Plan, there: Existing, applied: Applied) -> None:
    """Changes the index that is searched, and then its copies: what one of these refuses is told, and stays."""
    _put_into(context, planned, there.index, applied.made)
    for difference in planned.to_put:
        if difference.kind == "alias":
            _move_alias(context, there, difference.path)
            applied.made.append(difference)
    for copy in there.target.also:
        try:
            _put_into(context, planned, copy, [])
        except Refused as refused:
            applied.left[copy] = str(refused)


def _put_into(context: Context, planned: Plan, index: str, made: list[Difference]) -> None:
    """Settings first: a limit that they raise may be in the way of a field. `made` is told what was taken."""
    settings, fields, others = (
        [one for one in planned.to_put if one.kind == kind] for kind in ("setting", "field", "mapping")
    )
    indices = context.search.indices
    with asking():
        if settings:
            indices.put_settings(index=index, body={f"index.{one.path}": one.declared for one in settings})
            made += settings
        if fields or others:
            mapping = index_body(planned.declared, context.settings)["mappings"]
            indices.put_mapping(index=index, body=put_back(mapping, fields))
            made += fields + others


def _move_alias(context: Context, there: Existing, alias: str) -> None:
    """Leads an alias to the index, and away from others behind its name; what else it leads to stays."""
    others = [index for index in holders(context, alias) if index in there.target.taken]
    with asking():
        change_aliases(context, *(remove(index, alias) for index in others), add(there.index, alias))
