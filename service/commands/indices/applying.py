"""Create indices as their routes declare them, change existing ones in place, and recreate them empty."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...context import Context
from ...sinks.opensearch.alias_targets import add, change_aliases, look, remove
from ...sinks.opensearch.index_creation import create_missing, index_body
from ...sinks.opensearch.pipelines import put_pipeline
from ..rebuild.replacing import prepare, put_in_place
from .differences import Difference, put_back
from .planning import Plan, plan, template_body, template_name
from .server import Existing, Refused, asking, holders


@dataclass
class Applied:
    """The result of applying a plan.

    `plan` is the plan after the changes, `created` the name of a new index ("" if none), `made` the differences
    that were applied. `refused` is the reason why the rest was refused ("" if nothing was). `left` maps each copy
    of the index that refused the change to the server's reason.
    """

    plan: Plan
    created: str = ""
    made: list[Difference] = field(default_factory=list)
    refused: str = ""
    left: dict[str, str] = field(default_factory=dict)

    @property
    def done(self) -> bool:
        """True if the index matches its declaration."""
        return not self.refused and self.plan.done


def apply(context: Context, planned: Plan) -> Applied:
    """Apply a plan in place; an index that needs a rebuild is not changed. Idempotent.

    Pipelines and the template are always put, and put first. An index may name a pipeline, and a rebuild fills the
    new index through it. An outdated template would change the index that a rebuild creates.
    Raises Halt and Unreachable; a refusal of the server is in the result.
    """
    applied = Applied(planned)
    try:
        _put_pipelines(context, planned, applied)
        _put_template(context, planned, applied)
        if planned.there is None and not planned.declared.is_pattern:
            _create(context, planned, applied)
        elif planned.to_rebuild:
            applied.refused = "the index needs a rebuild, and was not changed"
        elif planned.there is not None and planned.to_put:
            _put(context, planned, planned.there, applied)
    except Refused as refused:
        applied.refused = str(refused)
    if applied.created or applied.made:
        applied.plan = plan(context, planned.declared)
    if not applied.refused and not applied.plan.done:
        applied.refused = "the server accepted the changes, but the index still differs"
    return applied


def recreate(context: Context, planned: Plan) -> Applied:
    """Replace an index with a new, empty one that gets its aliases. The same request deletes the old index.

    An index that has a copy is refused: writers use its own name, so the next write would create it again. Raises
    Halt and Unreachable; a refusal is in the result.
    """
    there = planned.there
    if there is None:
        return apply(context, planned)
    applied = Applied(planned)
    try:
        _put_pipelines(context, planned, applied)
        _put_template(context, planned, applied)
        with asking():
            if look(context, [planned.index])[planned.index] != there.target:
                raise Refused("another process has changed the index; it was not recreated. Run the command again")
            if there.target.also:
                also = ", ".join(there.target.also)
                raise Refused(
                    f"{also} gets the same writes: run backfill --drop-old, --rollback or --abandon first"
                )
            if there.target.old:
                raise Refused(
                    f"{', '.join(there.target.old)} was replaced and is kept: run backfill --drop-old first"
                )
            new = prepare(context, planned.declared, there.target)
            put_in_place(context, planned.declared, there.target, new)
        applied.created = new
    except Refused as refused:
        applied.refused = str(refused)
    applied.plan = plan(context, planned.declared)
    return applied


def documents_in(context: Context, there: Existing) -> int:
    """Return the number of documents in an index. Raises Halt, Unreachable and Refused."""
    with asking():
        return int(context.search.count(index=there.index)["count"])


def _put_pipelines(context: Context, planned: Plan, applied: Applied) -> None:
    different = {f"{one.kind} {one.path}": one for one in planned.pipelines}
    for declared in planned.declared.pipelines:
        if str(declared) in different:
            with asking():
                put_pipeline(context, declared)
            applied.made.append(different[str(declared)])


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
    """Change the index that is searched, then its copies. A copy that refuses is added to `applied.left`."""
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
    """Put settings, then fields, which may need a raised limit. Appends the applied differences to `made`."""
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
    """Add an alias to the index and remove it from other indices behind its name. Unrelated indices keep it."""
    others = [index for index in holders(context, alias) if index in there.target.taken]
    with asking():
        change_aliases(context, *(remove(index, alias) for index in others), add(there.index, alias))
