"""Lookup joins: recognise them, and split their predicates between source, stream and residual.

DataFusion has already moved each conjunct as far down as outer-join rules allow:
what stands below the join on the lookup side may be asked of the source, what
stands on the stream side filters before the lookup, and what the join itself
keeps needs both sides. OR is never split; under LEFT JOIN only predicates of ON
come below. A conjunct of ON that looks at the stream alone does not drop rows
of a LEFT JOIN: it decides whether the row asks at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pyarrow as pa
from substrait.proto import Expression, JoinRel, Rel

from constellationdb.errors import FeatureNotSupported
from constellationdb.planner import plan
from constellationdb.planner.lower.condition import condition_plan, conjuncts, split_condition
from constellationdb.planner.lower.core import Lowering, read_columns, width_of
from constellationdb.planner.lower.keys import with_keys
from constellationdb.planner.lower.lookup_keys import LookupKeys, find_keys
from constellationdb.planner.lower.lookup_side import Own, keep_copy, named, split_own
from constellationdb.planner.lower.predicates import show_expressions
from constellationdb.planner.lower.stream import Stream
from constellationdb.planner.lower.temporal_filter import refuse_clock
from constellationdb.planner.relations import PlannedRelation
from constellationdb.planner.shuttle import field, field_index, fields_used, remap, substitute


@dataclass(frozen=True)
class Lookup:
    """The lookup side of a join: its table, columns (as table columns) and own conjuncts (over those).

    Columns that only a conjunct needs stand behind those that the join puts out.
    """

    relation: PlannedRelation
    columns: list[int]
    conjuncts: list[Expression]
    swapped: bool  # the lookup table was written on the left
    join_type: Literal["inner", "left"]

    @property
    def schema(self) -> pa.Schema:
        return pa.schema([self.relation.schema.field(c) for c in self.columns])


def find_lookup(lowering: Lowering, body: JoinRel, kind: plan.JoinType) -> Lookup | None:
    """The join's lookup side, or None when neither side is a lookup table."""
    right = _unwrap(lowering, body.right)
    left = _unwrap(lowering, body.left)
    if right is None and left is None:
        return None
    swapped = right is None
    found = right or left
    assert found is not None
    name = found.relation.name
    if left is not None and right is not None:
        raise FeatureNotSupported(
            f'"{name}" is joined to another lookup table', hint="one side of a lookup join must be a stream"
        )
    join_type = {"left": "right", "right": "left"}.get(kind, kind) if swapped else kind
    if join_type not in ("inner", "left"):
        raise FeatureNotSupported(
            f'a {join_type} join with lookup table "{name}" is not supported',
            hint="a lookup table can be joined by INNER JOIN or LEFT JOIN with the stream on the left",
        )
    columns, parts = found.columns()
    return Lookup(found.relation, columns, parts, swapped, "left" if join_type == "left" else "inner")


@dataclass(frozen=True)
class _Unwrapped:
    """Filters and projections over a lookup table, all of them said over the table's own columns."""

    relation: PlannedRelation
    outputs: list[Expression]
    conjuncts: list[Expression]

    def over(self, expression: Expression) -> Expression:
        """An expression over the outputs, over the table's columns."""
        return substitute(expression, self.outputs)

    def columns(self) -> tuple[list[int], list[Expression]]:
        """The table's columns that are put out, then those that only a conjunct needs; and the conjuncts over them."""
        found = [field_index(output) for output in self.outputs]
        columns = [index for index in found if index is not None]
        if len(columns) < len(found):
            raise FeatureNotSupported(
                f'an expression over lookup table "{self.relation.name}" inside the join is not supported',
                hint="compute it in the SELECT list, or in a view above the join",
            )
        columns += sorted(fields_used(self.conjuncts) - set(columns))
        return columns, [remap(part, columns.index) for part in self.conjuncts]


def _unwrap(lowering: Lowering, rel: Rel) -> _Unwrapped | None:
    """What a relation is over a lookup table, or None when it is something else."""
    kind = rel.WhichOneof("rel_type")
    if kind == "read" and rel.read.WhichOneof("read_type") == "named_table":
        relation = lowering.relations.get(rel.read.named_table.names[-1])
        if relation is None or relation.kind != "lookup table":
            return None
        return _Unwrapped(relation, [field(c) for c in read_columns(rel)], [])
    if kind not in ("filter", "project"):
        return None
    inner = _unwrap(lowering, getattr(rel, kind).input)
    if inner is None:
        return None
    if kind == "filter":
        parts = conjuncts(lowering.shuttle, rel.filter.condition)
        return _Unwrapped(inner.relation, inner.outputs, [*inner.conjuncts, *map(inner.over, parts)])
    outputs = [*inner.outputs, *map(inner.over, rel.project.expressions)]
    if rel.project.common.HasField("emit"):
        outputs = [outputs[i] for i in rel.project.common.emit.output_mapping]
    return _Unwrapped(inner.relation, outputs, inner.conjuncts)


def lower_lookup(lowering: Lowering, body: JoinRel, lookup: Lookup) -> Stream:
    shuttle = lowering.shuttle
    refuse_clock(shuttle, [*lookup.conjuncts, body.expression])
    stream = lowering.lower(body.right if lookup.swapped else body.left)
    visible = width_of(body.left if lookup.swapped else body.right)
    expression = body.expression
    if lookup.swapped:
        expression = remap(expression, lambda i: i + stream.width if i < visible else i - visible)
    original = stream.width
    condition = split_condition(shuttle, expression, original)
    keys = find_keys(shuttle, lookup.relation, lookup.schema, condition, original, left=lookup.join_type == "left")
    stream, input_keys = with_keys(lowering, stream, keys.gated(shuttle))
    node = lowering.build.finish(stream)
    make = _replicated if lookup.relation.replicated else _on_demand
    made = lowering.build.stream(make(lowering, lookup, _Ready(node, input_keys, original, visible, keys)))
    from_stream = list(range(original))
    from_table = [stream.width + i for i in range(visible)]
    order = [*from_table, *from_stream] if lookup.swapped else [*from_stream, *from_table]
    return lowering.build.project(made, [field(i) for i in order])


@dataclass(frozen=True)
class _Ready:
    """The stream side as a node, its key columns (computed ones stand after the ``original`` columns), the keys."""

    node: plan.AnyNode
    input_keys: list[int]
    original: int
    visible: int  # how many of the lookup side's columns the join puts out
    keys: LookupKeys

    def output(self, columns: pa.Schema) -> pa.Schema:
        types = [*self.node.schema.types, *columns.types]
        return pa.schema([pa.field(f"c{i}", kind) for i, kind in enumerate(types)])

    def residual(self) -> list[Expression]:
        """Over the output: the table's columns have moved behind the computed keys."""
        added = len(self.node.schema) - self.original
        return [remap(part, lambda i: i if i < self.original else i + added) for part in self.keys.residual]


def _on_demand(lowering: Lowering, lookup: Lookup, ready: _Ready) -> plan.LookupJoin:
    own = split_own(lowering.shuttle, lookup.schema, lookup.conjuncts)
    kept = sorted({*range(ready.visible), *fields_used(own.local)})  # what a pushed predicate looks at stays there
    columns = pa.schema([lookup.schema.field(i) for i in kept])
    local = [remap(part, kept.index) for part in own.local]
    schema = ready.output(columns)
    return plan.LookupJoin(
        id=lowering.build.next_id(),
        schema_ipc=plan.encode_schema(schema),
        append_only=ready.node.append_only,
        closing=ready.node.closing,
        times=ready.node.times,
        input=ready.node,
        table=lookup.relation.name,
        join_type=lookup.join_type,
        input_keys=tuple(ready.input_keys),
        table_keys=tuple(ready.keys.tables),
        columns=tuple(columns.names),
        predicates=tuple(own.pushed),
        right_filter=condition_plan(lowering.shuttle, columns, local),
        residual=condition_plan(lowering.shuttle, schema, ready.residual()),
        shows=_shows(lowering, lookup, ready, columns, own),
    )


def _replicated(lowering: Lowering, lookup: Lookup, ready: _Ready) -> plan.ReplicatedLookup:
    columns = pa.schema(list(lookup.schema)[: ready.visible])
    side, side_keys = keep_copy(
        lowering, lookup.relation, lookup.columns, lookup.conjuncts, ready.keys.columns, len(columns)
    )
    schema = ready.output(columns)
    return plan.ReplicatedLookup(
        id=lowering.build.next_id(),
        schema_ipc=plan.encode_schema(schema),
        append_only=ready.node.append_only,
        closing=ready.node.closing,
        times=ready.node.times,
        input=ready.node,
        side=side,
        table=lookup.relation.name,
        join_type=lookup.join_type,
        input_keys=tuple(ready.input_keys),
        side_keys=tuple(side_keys),
        width=len(columns),
        residual=condition_plan(lowering.shuttle, schema, ready.residual()),
        fixed=lookup.relation.fixed,
        shows=_shows(lowering, lookup, ready, columns, None),
    )


def _shows(lowering: Lowering, lookup: Lookup, ready: _Ready, columns: pa.Schema, own: Own | None) -> str:
    """The EXPLAIN line: keys, columns, and where each conjunct is evaluated."""
    shuttle, keys = lowering.shuttle, ready.keys
    table = named(pa.schema([]), lookup.schema)
    parts = [f"key=({', '.join(keys.tables)})"]
    if own is None:
        filters = show_expressions(shuttle, table, lookup.conjuncts)
        parts.append(f"replicated columns=({', '.join(columns.names)}) where=[{' AND '.join(filters)}]")
    else:
        parts.append(f"fetch=({', '.join(columns.names)})")
        pushed = [text for p, text in zip(own.pushed, own.shown, strict=True) if p.op in lookup.relation.pushable]
        kept = [text for p, text in zip(own.pushed, own.shown, strict=True) if p.op not in lookup.relation.pushable]
        parts.append(f"pushed=[{' AND '.join(pushed)}]")
        kept += show_expressions(shuttle, table, own.local)
        parts.append(f"after fetch=[{' AND '.join(kept)}]")
    stream_side = show_expressions(shuttle, pa.schema(list(ready.node.schema)[: ready.original]), keys.stream)
    if stream_side:
        parts.append(f"asked only if=[{' AND '.join(stream_side)}]")
    both = named(ready.node.schema, columns)
    parts.append(f"residual=[{' AND '.join(show_expressions(shuttle, both, ready.residual()))}]")
    return " ".join(parts)
