"""Plan a continuous query: text to lowered plan.

query ──Preparer──▶ SQL over internal names ──Shuttle──▶ Substrait ──gate──▶ Lowering ──▶ Plan
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from constellationdb.catalog.model import Function
from constellationdb.catalog.types import storage_type
from constellationdb.errors import ConstellationError, FeatureNotSupported, InvalidDefinition, WrongObjectType
from constellationdb.planner import gate, plan
from constellationdb.planner.analysis.queries import Columns
from constellationdb.planner.lower.casts import conform
from constellationdb.planner.lower.changelog import changelog
from constellationdb.planner.lower.core import Lowering, Stage, width_of
from constellationdb.planner.lower.recursion import recursion
from constellationdb.planner.lower.rules import RULES
from constellationdb.planner.lower.stream import Builder, Stream
from constellationdb.planner.lower.unnest import unnested
from constellationdb.planner.lower.windows import Lateness, Windowed
from constellationdb.planner.messages import planning
from constellationdb.planner.one_row import keep_above
from constellationdb.planner.outputs import output_schema
from constellationdb.planner.prepare import OtherZoneError, PreparedQuery, Preparer, called_names, relation_names
from constellationdb.planner.ranked_limits import rank_limits
from constellationdb.planner.relations import PlannedRelation, WindowCall, decode_body, functions_among
from constellationdb.planner.rewrite.changelogs import reads_changelog
from constellationdb.planner.rewrite.names import user_name
from constellationdb.planner.rewrite.set_all import rewrite_set_all
from constellationdb.planner.rewrite.tree import to_sql
from constellationdb.planner.shuttle import Shuttle, field
from constellationdb.planner.staging.walk import needs_stages, staged
from constellationdb.planner.statements import Emit, Query
from constellationdb.planner.unnest.iterations import ITERATION


def is_continuous(query: Query, relations: Mapping[str, PlannedRelation]) -> bool:
    """Whether a query reads an unbounded relation, itself or through a plain view."""
    if query.emit is not None:
        return True
    if reads_changelog(query.text):
        return True
    for name in relation_names(query):
        relation = relations.get(name)
        if relation is not None and _is_unbounded(relation, relations):
            return True
    return _calls_continuous(query, relations)


def _calls_continuous(query: Query, relations: Mapping[str, PlannedRelation]) -> bool:
    """The same of what the bodies of its functions read."""
    functions = functions_among(relations)
    if functions is None:
        return False
    seen: dict[int, Function] = {}
    called = [query]
    while called:
        for name in called_names(called.pop()):
            fresh = [f for f in functions.by_name.get(name, ()) if f.language == "sql" and f.oid not in seen]
            seen |= {function.oid: function for function in fresh}
            called += map(decode_body, fresh)
    reads = {name for function in seen.values() for name in function.tables}
    return any(name in relations and _is_unbounded(relations[name], relations) for name in reads)


def _is_unbounded(relation: PlannedRelation, relations: Mapping[str, PlannedRelation]) -> bool:
    if relation.kind == "view" and relation.query is not None:
        return is_continuous(relation.query, relations)
    return relation.kind == "source"


class _OnlyUnnestedError(Exception):
    """DataFusion would not understand the query unless its subqueries are made joins here."""


class ContinuousPlanner:
    """Plans one query over ``relations`` (by name; only those it mentions are looked at)."""

    def __init__(
        self, relations: Mapping[str, PlannedRelation], *, zoned: bool = False, unnesting: bool = False
    ) -> None:
        self._relations = relations
        self._zoned = zoned
        self._unnesting = unnesting
        self._preparer = Preparer(relations, continuous=True, zoned=zoned, unnesting=unnesting)
        self._shuttle = Shuttle((), zoned=zoned)
        # Our accumulators take DISTINCT as it is; two levels of groups would cost twice the state.
        self._shuttle.plan_without("single_distinct_aggregation_to_group_by")
        self._internal: dict[str, PlannedRelation] = {}
        self._stages: dict[str, Stage] = {}
        self._lowering = Lowering(self._shuttle, self._internal, self._stages, RULES)
        self._lateness = Lateness()
        self._bases: dict[str, Stream] = {}  # of recursions, by the name of what their step reads

    def _plan(self, query: Query, column_names: tuple[str, ...]) -> plan.Plan:
        emit = query.emit or Emit()
        self._lateness = Lateness(emit.lateness_us + emit.delay_us, kept=emit.late_to is not None)
        self._lowering.keeps_late_rows, self._lowering.lateness_us = self._lateness.kept, self._lateness.us
        stream, names, columns = self._query(query)
        root = self._lowering.build.finish(stream)
        if emit.mode == "on_window_close":
            root = _on_close(self._lowering.build, root, emit)
        _check_storable(names, root.schema)
        if len(column_names) > len(names):
            raise InvalidDefinition("more column names are given than the query has columns")
        names = [*column_names, *names[len(column_names) :]]
        output = output_schema(names, root.schema.types, columns)
        return plan.Plan(plan.VERSION, root, tuple(names), plan.encode_schema(output), emit.late_to)

    def _with_joins(self, query: Query, column_names: tuple[str, ...]) -> plan.Plan:
        """The same with its subqueries as joins."""
        return ContinuousPlanner(self._relations, zoned=self._zoned, unnesting=True)._plan(query, column_names)

    def plan(self, query: Query, column_names: tuple[str, ...] = ()) -> plan.Plan:
        try:
            return self._plan(query, column_names)
        except OtherZoneError:
            return ContinuousPlanner(self._relations, zoned=True).plan(query, column_names)
        except _OnlyUnnestedError:
            return self._with_joins(query, column_names)
        except FeatureNotSupported as refused:
            if self._unnesting:
                raise
            try:
                return self._with_joins(query, column_names)
            except ConstellationError:
                raise refused from None

    def _query(self, query: Query) -> tuple[Stream, list[str], Columns]:
        """The query's stream, its output names and their types; nested views come back here."""
        prepared = self._preparer.prepare(query)
        hard = prepared.doubtful or prepared.guarded or prepared.lateral or needs_stages(prepared.tree)
        if hard and not self._unnesting:
            raise _OnlyUnnestedError
        self._register(prepared)
        if prepared.in_time:
            self._shuttle.keep_joins_in_time()
        with planning(prepared.tree, query.offset, prepared.signatures):
            stream, names = self._lowered(staged(prepared.tree, self))
        return stream, [user_name(name) for name in names], prepared.columns

    def _lowered(self, tree: Any) -> tuple[Stream, list[str]]:
        """A query over relations that the shuttle knows, and what DataFusion calls its columns."""
        tree = rank_limits(rewrite_set_all(keep_above(tree), self._columns_of), self._columns_of)
        rel, schema, written = self._shuttle.plan(to_sql(tree))
        gate.check(self._shuttle, rel, width_of(rel), written)
        return self._lowering.lower(rel), list(schema.names)

    # -- stages --------------------------------------------------------------------------------

    def shared(self, query: Any, names: Sequence[str]) -> str:
        stream, own = self._lowered(query)
        return self._as_relation(stream, [*names, *own[len(names) :]])

    def unnested(self, query: Any, count: int, names: Sequence[str]) -> str:
        stream, _ = self._lowered(query)
        return self._as_relation(unnested(self._lowering, stream, count), names)

    def working(self, base: Any, names: Sequence[str]) -> str:
        stream, _ = self._lowered(base)
        stream = conform(self._lowering, stream, [storage_type(kind) for kind in stream.schema.types])
        name = self._preparer.internal()
        schema = pa.schema(list(zip(names, stream.schema.types, strict=True)))
        self._shuttle.register(name, schema)
        self._internal[name] = PlannedRelation(name, "table", schema)
        self._bases[name] = stream
        return name

    def recursive(self, working: str, step: Any, *, distinct: bool) -> str:
        stream, _ = self._lowered(step)
        names = self._internal[working].schema.names
        iteration = names.index(ITERATION)
        found = recursion(
            self._lowering, self._bases[working], stream, working, iteration, self._internal.values(), distinct=distinct
        )
        return self._as_relation(found, [name for name in names if name != ITERATION])

    def _as_relation(self, stream: Stream, names: Sequence[str]) -> str:
        """The internal name under which others read ``stream``, which runs once for all of them."""
        name = self._preparer.internal()
        node = self._lowering.build.stream(self._lowering.build.finish(stream))
        types = [storage_type(kind) for kind in node.schema.types]
        self._shuttle.register(name, pa.schema(list(zip(names, types, strict=True))))
        self._stages[name] = lambda lowering, wanted: lowering.build.project(node, [field(i) for i in wanted])
        return name

    def _columns_of(self, tree: Any) -> list[str]:
        return [user_name(name) for name in self._shuttle.context.sql(to_sql(tree)).schema().names]

    def _register(self, prepared: PreparedQuery) -> None:
        for signature in prepared.functions:
            raise FeatureNotSupported(f"{signature.shown} is not supported in a continuous query")
        for name, relation in prepared.relations.items():
            if relation.kind == "system table":
                raise FeatureNotSupported(
                    f'a continuous query cannot read system table "{relation.name}"', hint="SELECT from it alone"
                )
            if relation.kind == "changelog":
                self._register_changelog(name, relation)
                continue
            self._internal[name] = relation
            self._shuttle.register(name, relation.schema)
        for name, call in prepared.windows.items():
            self._register_window(name, call)
        for name, view in prepared.views.items():
            self._register_view(name, view)

    def _register_view(self, name: str, view: PlannedRelation) -> None:
        assert view.query is not None
        stream, names, _ = self._query(view.query)
        names = [*view.column_names, *names[len(view.column_names) :]]
        types = [storage_type(kind) for kind in stream.schema.types]
        self._shuttle.register(name, pa.schema(list(zip(names, types, strict=True))))
        self._stages[name] = lambda lowering, wanted: lowering.build.project(stream, [field(i) for i in wanted])

    def _register_changelog(self, name: str, relation: PlannedRelation) -> None:
        self._shuttle.register(name, relation.schema)
        read = self._relations[relation.name]
        self._stages[name] = lambda lowering, wanted: changelog(lowering, read, wanted)

    def _register_window(self, name: str, call: WindowCall) -> None:
        relation = call.over
        if relation.kind in ("lookup table", "system table"):
            raise WrongObjectType(f'"{call.relation}" is a {relation.kind}, not a stream', position=call.position)
        windowed = Windowed(call, *self._window_input(relation))
        self._shuttle.register(name, call.windowed(windowed.schema))
        self._stages[name] = lambda lowering, wanted: windowed.columns(lowering.build, wanted, self._lateness)

    def _window_input(self, relation: PlannedRelation) -> tuple[pa.Schema, Callable[[list[int]], Stream]]:
        """The columns of what a window is over under the user's names, and how to read some of them."""
        if relation.kind == "view":
            assert relation.query is not None
            stream, names, _ = self._query(relation.query)
            names = [*relation.column_names, *names[len(relation.column_names) :]]
            schema = pa.schema(list(zip(names, stream.schema.types, strict=True)))
            return schema, lambda kept: self._lowering.build.project(stream, [field(i) for i in kept])
        return relation.schema, lambda kept: self._lowering.build.stream(self._lowering.scan(relation, kept))


def _check_storable(names: list[str], schema: pa.Schema) -> None:
    for name, kind in zip(names, schema.types, strict=True):
        if pa.types.is_struct(kind):
            raise FeatureNotSupported(f'column "{name}" is a row, which a view cannot hold yet')


def _on_close(build: Builder, root: plan.AnyNode, emit: Emit) -> plan.AnyNode:
    """EMIT ON WINDOW CLOSE: the policy goes into the aggregate where one stands at the root, else on top.

    What closes need not be in the output: then it is under the projections and filters at the root.
    """
    held = _held(build, root, emit)
    if held is None:
        raise FeatureNotSupported(
            "EMIT ON WINDOW CLOSE needs a window_start or window_end column of a source with a watermark",
            hint="declare WATERMARK FOR on the source, and SELECT window_end",
            position=emit.position + 1,
        )
    return held


def _held(build: Builder, node: plan.AnyNode, emit: Emit) -> plan.AnyNode | None:
    if not node.closing:
        held = _held(build, node.input, emit) if isinstance(node, plan.Fragment) else None
        return None if held is None else replace_struct(node, input=held, append_only=held.append_only)
    column = min(node.closing, key=lambda c: (c.offset_us, c.index))
    if any(_lets_in_late(inner) for inner in plan.walk(node)):
        column = plan.Column(column.index, column.offset_us - emit.lateness_us)  # shown at its end, corrected after
    fused = None if emit.lateness_us else _fuse(node)
    if fused is not None:
        return fused
    return plan.OnClose(
        id=build.next_id(),
        schema_ipc=node.schema_ipc,
        append_only=emit.lateness_us == 0,
        closing=node.closing,
        input=node,
        column=column,
        holds_nulls=any(
            isinstance(inner, plan.Over | plan.TopN | plan.Recompute) and inner.expiry is not None
            for inner in plan.walk(node)
        ),
    )


def _lets_in_late(node: plan.AnyNode) -> bool:
    """Whether it keeps for the lateness what it would free."""
    if isinstance(node, plan.Over | plan.TopN | plan.Recompute):
        return plan.late_by(node) is not None
    return isinstance(node, plan.Windowing) and node.watermarked


def _fuse(root: plan.AnyNode) -> plan.AnyNode | None:
    """An aggregate that itself waits for its windows to close, under at most one fragment."""
    if isinstance(root, plan.SessionAggregate | plan.PaneAggregate) or (
        isinstance(root, plan.Aggregate) and root.closing and root.keys
    ):
        return replace_struct(root, emit_on_close=True, append_only=True)
    if isinstance(root, plan.Fragment):
        inner = _fuse(root.input)
        return None if inner is None else replace_struct(root, input=inner, append_only=True)
    return None


def replace_struct(node: plan.AnyNode, **changes: object) -> plan.AnyNode:
    from msgspec.structs import replace as changed

    made: plan.AnyNode = changed(node, **changes)
    return made


def describe_relation(relation: PlannedRelation, lowered: plan.Plan) -> PlannedRelation:
    """A materialized view as its readers see it: what the plan says of the root's columns."""
    root = lowered.root
    return replace(
        relation,
        schema=lowered.output,
        append_only=root.append_only,
        times=root.times,
        closing=root.closing,
    )
