"""Lookup joins: recognise them, and split their predicates between source, stream and residual.

DataFusion has already moved each conjunct as far down as outer-join rules allow:
what stands below the join on the lookup side may be asked of the source, what
stands on the stream side filters before the lookup, and what the join itself
keeps needs both sides. OR is never split; under LEFT JOIN only predicates of ON
come below. A conjunct the source's language cannot say is evaluated by us on
the fetched rows, with the same answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pyarrow as pa
from substrait.proto import Expression, JoinRel, Rel

from constellationdb.errors import FeatureNotSupported, InvalidDefinition
from constellationdb.planner import plan
from constellationdb.planner.lower.condition import Condition, condition_plan, conjuncts, equality, split_condition
from constellationdb.planner.lower.core import Lowering, read_columns, width_of
from constellationdb.planner.lower.keys import with_keys
from constellationdb.planner.lower.predicates import show, to_predicate
from constellationdb.planner.lower.stream import Stream
from constellationdb.planner.relations import PlannedRelation
from constellationdb.planner.shuttle import Shuttle, field, field_index, fields_used, remap


@dataclass(frozen=True)
class Lookup:
    """The lookup side of a join: its table, output columns (as table columns) and own conjuncts (over those)."""

    relation: PlannedRelation
    columns: list[int]
    conjuncts: list[Expression]
    swapped: bool  # the lookup table was written on the left
    join_type: Literal["inner", "left"]


def find_lookup(lowering: Lowering, body: JoinRel, kind: plan.JoinType) -> Lookup | None:
    """The join's lookup side, or None when neither side is a lookup table."""
    right = _unwrap(lowering, body.right)
    left = _unwrap(lowering, body.left)
    if right is None and left is None:
        return None
    swapped = right is None
    found = right or left
    assert found is not None
    relation, columns, parts = found
    if left is not None and right is not None:
        raise FeatureNotSupported(
            f'"{relation.name}" is joined to another lookup table', hint="one side of a lookup join must be a stream"
        )
    join_type = {"left": "right", "right": "left"}.get(kind, kind) if swapped else kind
    if join_type not in ("inner", "left"):
        raise FeatureNotSupported(
            f'a {join_type} join with lookup table "{relation.name}" is not supported',
            hint="a lookup table can be joined by INNER JOIN or LEFT JOIN with the stream on the left",
        )
    return Lookup(relation, columns, parts, swapped, "left" if join_type == "left" else "inner")


def _unwrap(lowering: Lowering, rel: Rel) -> tuple[PlannedRelation, list[int], list[Expression]] | None:
    """(table, columns, conjuncts over those columns) when ``rel`` is filters and column choices over a lookup table."""
    kind = rel.WhichOneof("rel_type")
    if kind == "read" and rel.read.WhichOneof("read_type") == "named_table":
        relation = lowering.relations.get(rel.read.named_table.names[-1])
        if relation is None or relation.kind != "lookup table":
            return None
        return relation, read_columns(rel), []
    if kind == "filter":
        inner = _unwrap(lowering, rel.filter.input)
        if inner is None:
            return None
        return inner[0], inner[1], [*inner[2], *conjuncts(lowering.shuttle, rel.filter.condition)]
    if kind == "project":
        inner = _unwrap(lowering, rel.project.input)
        return None if inner is None else _choose(inner, rel)
    return None


def _choose(
    inner: tuple[PlannedRelation, list[int], list[Expression]], rel: Rel
) -> tuple[PlannedRelation, list[int], list[Expression]]:
    """A projection over the lookup side: columns only; those that a conjunct still needs are kept at the end."""
    relation, columns, parts = inner
    outputs = list(range(len(columns)))
    for expression in rel.project.expressions:
        index = field_index(expression)
        if index is None:
            raise FeatureNotSupported(
                f'an expression over lookup table "{relation.name}" inside the join is not supported',
                hint="compute it in the SELECT list, or in a view above the join",
            )
        outputs.append(index)
    if rel.project.common.HasField("emit"):
        outputs = [outputs[i] for i in rel.project.common.emit.output_mapping]
    needed = sorted({i for part in parts for i in fields_used(part)} - set(outputs))
    place = {index: j for j, index in reversed(list(enumerate([*outputs, *needed])))}
    return relation, [columns[i] for i in [*outputs, *needed]], [remap(p, place.__getitem__) for p in parts]


def lower_lookup(lowering: Lowering, body: JoinRel, lookup: Lookup) -> Stream:
    shuttle = lowering.shuttle
    stream = lowering.lower(body.right if lookup.swapped else body.left)
    visible = width_of(body.left if lookup.swapped else body.right)
    expression = body.expression
    if lookup.swapped:
        expression = remap(expression, lambda i: i + stream.width if i < visible else i - visible)
    keys = _keys(shuttle, lookup, split_condition(shuttle, expression, stream.width), stream.width)
    original = stream.width
    stream, input_keys = with_keys(lowering, stream, keys.inputs)
    node = lowering.build.finish(stream)
    added = stream.width - original
    residual = [remap(part, lambda i: i if i < original else i + added) for part in keys.residual]
    made = lowering.build.stream(_node(lowering, node, lookup, keys, input_keys, residual))
    from_stream = list(range(original))
    from_table = [stream.width + i for i in range(visible)]
    order = [*from_table, *from_stream] if lookup.swapped else [*from_stream, *from_table]
    return lowering.build.project(made, [field(i) for i in order])


def _node(
    lowering: Lowering,
    node: plan.AnyNode,
    lookup: Lookup,
    keys: _Keys,
    input_keys: list[int],
    residual: list[Expression],
) -> plan.LookupJoin:
    columns = pa.schema([lookup.relation.schema.field(c) for c in lookup.columns])
    types = [*node.schema.types, *columns.types]
    schema = pa.schema([pa.field(f"c{i}", kind) for i, kind in enumerate(types)])
    own = _split_own(lowering.shuttle, lookup)
    return plan.LookupJoin(
        id=lowering.build.next_id(),
        schema_ipc=plan.encode_schema(schema),
        append_only=node.append_only,
        closing=node.closing,
        times=node.times,
        input=node,
        table=lookup.relation.name,
        join_type=lookup.join_type,
        input_keys=tuple(input_keys),
        table_keys=tuple(keys.tables),
        columns=tuple(columns.names),
        predicates=tuple(own.pushed),
        right_filter=condition_plan(lowering.shuttle, columns, own.local),
        residual=condition_plan(lowering.shuttle, schema, residual),
        shows=_shows(lookup, keys, own),
    )


@dataclass(frozen=True)
class _Keys:
    inputs: list[Expression]
    tables: list[str]
    residual: list[Expression]


def _keys(shuttle: Shuttle, lookup: Lookup, condition: Condition, width: int) -> _Keys:
    """The equalities that cover the primary key; every other equality joins the residual."""
    found: dict[str, Expression] = {}
    residual = list(condition.residual)
    for left, right, null_safe in zip(condition.left, condition.right, condition.null_safe, strict=True):
        index = field_index(right)
        name = None if index is None else lookup.relation.schema.field(lookup.columns[index]).name
        if name in lookup.relation.primary_key and name not in found and not null_safe:
            found[name] = left
        else:
            residual.append(equality(shuttle, left, remap(right, lambda i: i + width), null_safe))
    missing = [name for name in lookup.relation.primary_key if name not in found]
    if missing:
        raise InvalidDefinition(
            f'the join with lookup table "{lookup.relation.name}" does not give its key column "{missing[0]}"',
            detail=f"its primary key is ({', '.join(lookup.relation.primary_key)})",
            hint=f"add AND {lookup.relation.name}.{missing[0]} = … to the join condition",
        )
    names = list(lookup.relation.primary_key)
    return _Keys([found[name] for name in names], names, residual)


@dataclass(frozen=True)
class _Own:
    """The lookup side's own conjuncts: what the source's language can say, and what only we can."""

    pushed: list[plan.PushedPredicate]
    shown: list[str]
    local: list[Expression]


def _split_own(shuttle: Shuttle, lookup: Lookup) -> _Own:
    own = _Own([], [], [])
    schema = pa.schema([lookup.relation.schema.field(c) for c in lookup.columns])
    for conjunct in lookup.conjuncts:
        predicate = to_predicate(shuttle, conjunct, schema)
        if predicate is None:
            own.local.append(conjunct)
        else:
            own.pushed.append(predicate)
            own.shown.append(show(predicate))
    return own


def _shows(lookup: Lookup, keys: _Keys, own: _Own) -> str:
    """The EXPLAIN line: keys, columns fetched, and where each conjunct is evaluated."""
    pushed = [t for p, t in zip(own.pushed, own.shown, strict=True) if p.op in lookup.relation.pushable]
    kept = [t for p, t in zip(own.pushed, own.shown, strict=True) if p.op not in lookup.relation.pushable]
    columns = ", ".join(lookup.relation.schema.field(c).name for c in lookup.columns)
    parts = [f"key=({', '.join(keys.tables)})", f"fetch=({columns})"]
    parts.append(f"pushed=[{' AND '.join(pushed)}]")
    local = [*kept, *(["expression"] * len(own.local))]
    parts.append(f"after fetch=[{' AND '.join(local)}]")
    parts.append(f"residual=[{len(keys.residual)} conjunct{'s' if len(keys.residual) != 1 else ''}]")
    return " ".join(parts)
