"""Plan a snapshot SELECT: the same rewriting and checked arithmetic as a view's, run once over whole tables.

The plan leaves as Substrait with its arithmetic and sums hardened. A query that
Substrait cannot carry (UNNEST, generate_series, recursion, GROUPING SETS) runs
as the text DataFusion planned, with DataFusion's own arithmetic.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import pyarrow as pa
from substrait.proto import AggregateFunction, Rel

from constellationdb.errors import (
    ConstellationError,
    FeatureNotSupported,
    InvalidFrameSize,
    NullNotAllowed,
    NumericOutOfRange,
)
from constellationdb.planner import arithmetic, comparisons, gate, interruption, outer_joins, overs, unnested_keys
from constellationdb.planner.aggregates import correct
from constellationdb.planner.analysis.catalog_functions import Functions, Signature
from constellationdb.planner.analysis.conversions import named_objects
from constellationdb.planner.analysis.kinds import BIGINT, INTEGER, Kind
from constellationdb.planner.analysis.literal_places import literal_position
from constellationdb.planner.analysis.queries import Columns
from constellationdb.planner.analysis.zoning import unknown
from constellationdb.planner.asof_stages import AsofCutter, AsofStage
from constellationdb.planner.frame_stages import FrameCutter, FrameStage
from constellationdb.planner.lower.condition import hide_residual
from constellationdb.planner.lower.core import width_of
from constellationdb.planner.messages import planning
from constellationdb.planner.one_row import keep_above
from constellationdb.planner.outputs import output_schema
from constellationdb.planner.prepare import OtherZoneError, PreparedQuery, Preparer
from constellationdb.planner.ranked_limits import rank_limits
from constellationdb.planner.relations import PlannedRelation, WindowCall
from constellationdb.planner.rewrite.names import user_name
from constellationdb.planner.rewrite.set_all import rewrite_set_all
from constellationdb.planner.rewrite.tree import to_sql
from constellationdb.planner.shuttle import Shuttle, parsed, project, subqueries
from constellationdb.planner.statements import Query


@dataclass(frozen=True)
class SnapshotPlan:
    """``tables``: internal name → relation; ``windows`` are computed over theirs first, or over one of ``inputs``."""

    tables: Mapping[str, str]
    windows: Mapping[str, WindowCall]
    views: Mapping[str, str]  # internal name → SQL of a plain view, in the order to register
    sql: str
    substrait: bytes | None
    names: tuple[str, ...]
    schema: pa.Schema
    kinds: tuple[Kind, ...] | None = None  # the columns' types as Postgres knows them
    # Of the catalog or the session: what running the plan needs besides tables, as DataFusion's.
    functions: Mapping[Signature, Any] = field(default_factory=dict)
    inputs: Mapping[str, SnapshotPlan] = field(default_factory=dict)  # by the internal name of the window
    # Tables that joins in time make, and frames that DataFusion does not compute, in the order to make them.
    stages: tuple[AsofStage | FrameStage, ...] = ()


@dataclass
class _Parts:
    tables: dict[str, str] = field(default_factory=dict)
    inputs: dict[str, SnapshotPlan] = field(default_factory=dict)
    windows: dict[str, WindowCall] = field(default_factory=dict)
    views: dict[str, str] = field(default_factory=dict)
    functions: dict[Signature, Any] = field(default_factory=dict)
    stages: list[AsofStage | FrameStage] = field(default_factory=list)


class SnapshotPlanner:
    """Plans one SELECT over ``relations``. ``clause``: what its list stands for (RETURNING, UPDATE).

    ``functions``: those that tell of the catalog and the session; None where there is no session.
    """

    def __init__(
        self,
        relations: Mapping[str, PlannedRelation],
        clause: str = "SELECT",
        *,
        functions: Functions | None = None,
        checked: bool = False,
        unnesting: bool = False,
        zoned: bool = False,
    ) -> None:
        self._relations = relations
        self._functions = functions
        self._clause = clause
        self._checked = checked
        self._unnesting = unnesting
        self._zoned = zoned
        self._asking = self._doubtful = self._unsure = self._in_time = False
        self._preparer = Preparer(
            relations, continuous=False, clause=clause, checked=checked, unnesting=unnesting, zoned=zoned
        )
        self._parts = _Parts()

    @cached_property
    def _shuttle(self) -> Shuttle:
        return Shuttle((), zoned=self._zoned)

    def plan(self, query: Query) -> SnapshotPlan:
        try:
            return self._in_zone(query)
        except OtherZoneError:
            self._zoned = True
            return self._again()._in_zone(query)

    def _in_zone(self, query: Query) -> SnapshotPlan:
        if self._unnesting:
            return self._plan(query)
        try:
            found = self._plan(query)
        except FeatureNotSupported as refused:
            return self._with_joins(query, refused)
        return self._with_joins(query) if self._doubtful or (self._asking and found.substrait is None) else found

    def _with_joins(self, query: Query, refused: FeatureNotSupported | None = None) -> SnapshotPlan:
        """The same with its subqueries as joins; where that fails, too, the first way has the last word."""
        try:
            return self._again(unnesting=True)._in_zone(query)
        except ConstellationError:
            if refused is not None:
                raise refused from None
            if self._doubtful:
                raise
            return self._again(checked=True)._plan(query)

    def _again(self, *, checked: bool = False, unnesting: bool = False) -> SnapshotPlanner:
        """Another try, in another way."""
        return SnapshotPlanner(
            self._relations,
            self._clause,
            functions=self._functions,
            checked=checked,
            unnesting=unnesting,
            zoned=self._zoned,
        )

    def _plan(self, query: Query) -> SnapshotPlan:
        prepared = self._prepare(query)
        self._read_literals(prepared, query)
        with planning(prepared.tree, query.offset, prepared.signatures):
            kept = keep_above(prepared.tree, limited=True)
            prepared.tree = rank_limits(rewrite_set_all(kept, self._columns_of), self._columns_of)
            sql = prepared.sql
            written = self._shuttle.context.sql(sql).schema()
            substrait, kinds = self._harden(sql, written)
        if substrait is None and self._in_time:
            raise FeatureNotSupported(
                "a join in time is not supported together with what else is in this query",
                hint="put the join into a materialized view and SELECT from that",
            )
        if substrait is None and not self._checked and (self._unnesting or not self._asking):
            # what runs as text cannot be corrected as a plan
            return self._again(checked=True, unnesting=self._unnesting)._plan(query)
        if substrait is None and self._unsure:
            raise unknown(None)
        names = tuple(user_name(name) for name in written.names)
        schema = output_schema(
            names, [_narrowed(i, kind, prepared.columns) for i, kind in enumerate(kinds)], prepared.columns
        )
        parts = self._parts
        types = None if prepared.columns is None else tuple(column.kind for column in prepared.columns)
        return SnapshotPlan(
            parts.tables, parts.windows, parts.views, sql, substrait, names, schema, types, parts.functions,
            parts.inputs,
            tuple(parts.stages),
        )  # fmt: skip

    def _harden(self, sql: str, written: pa.Schema) -> tuple[bytes | None, list[pa.DataType]]:
        try:
            rel, _, display = self._shuttle.plan(sql)
            if has_grouping_sets(rel):  # its keys are followed by one that no field reference counts
                return None, self._types_as_text(sql, written)
            width = width_of(rel)
            gate.check(self._shuttle, rel, width, display)
        except Exception:
            # Whatever Substrait cannot write or read back still runs as text.
            return None, self._types_as_text(sql, written)
        try:
            if self._in_time:
                cutter = AsofCutter(self._shuttle, harden)
                cutter.cut(rel)
                self._parts.stages += cutter.stages
            self._cut_frames(rel)
            harden(self._shuttle, rel)
            return self._shuttle.encode(rel, width), self._shuttle.schema_of(rel, width).types
        except (FeatureNotSupported, InvalidFrameSize, NullNotAllowed):
            raise
        except Exception:
            return None, self._types_as_text(sql, written)

    def _types_as_text(self, sql: str, written: pa.Schema) -> list[pa.DataType]:
        """The types of what runs as text. What is not optimized yet has a CASE of the type of its first result."""
        try:
            context = self._shuttle.context
            optimized = parsed(context, sql).optimized_logical_plan()
            return list(context.create_dataframe_from_logical_plan(optimized).schema().types)
        except Exception:  # it fails in the same words when it is run
            return list(written.types)

    def _cut_frames(self, rel: Rel) -> None:
        cutter = FrameCutter(self._shuttle, harden)
        cutter.cut(rel)
        self._parts.stages += cutter.stages

    def _columns_of(self, tree: Any) -> list[str]:
        return [user_name(name) for name in self._shuttle.context.sql(to_sql(tree)).schema().names]

    def _prepare(self, query: Query, *, as_view: bool = False) -> PreparedQuery:
        prepared = self._preparer.prepare(query)
        for signature in prepared.functions:
            self._function(signature)
        self._asking |= prepared.asking
        self._doubtful |= prepared.doubtful or prepared.lateral
        self._unsure |= prepared.unsure
        if prepared.in_time:
            self._in_time = True
            self._shuttle.keep_joins_in_time()
        for name, relation in prepared.relations.items():
            _check_readable(relation)
            self._shuttle.register(name, relation.schema)
            self._parts.tables[name] = relation.name
        for name, call in prepared.windows.items():
            self._window(name, call)
        unnested = unnested_keys.read_by_unnest(prepared.tree) if prepared.views else set()
        for name, view in prepared.views.items():
            self._view(name, view, hidden=name in unnested)
        if self._checked:
            prepared.tree = outer_joins.without_constants(prepared.tree, all_of_it=as_view)
            prepared.tree = outer_joins.filtered_above(prepared.tree)
            prepared.tree = unnested_keys.kept_apart(prepared.tree)
        return prepared

    def _read_literals(self, prepared: PreparedQuery, query: Query) -> None:
        """``'t'::regclass`` is an error where there is no t, whether a row would need it or not."""
        for signature, text in named_objects(prepared.tree, prepared.functions):
            if self._functions is not None:
                try:
                    self._functions.read(signature, text)
                except ConstellationError as error:
                    raise error.at(literal_position(query, text)) from None

    def _function(self, signature: Signature) -> None:
        if self._functions is None:
            raise FeatureNotSupported(f"{signature.shown} is not supported here")
        if signature not in self._parts.functions:
            self._parts.functions[signature] = made = self._functions(signature)
            self._shuttle.context.register_udf(made)

    def _window(self, name: str, call: WindowCall) -> None:
        schema = call.over.schema
        if call.over.query is not None:
            self._parts.inputs[name] = inner = self._input(call.over, call.over.query)
            schema = inner.schema
        else:
            _check_readable(call.over)
        self._shuttle.register(name, call.windowed(schema))
        self._parts.windows[name] = call

    def _input(self, view: PlannedRelation, query: Query) -> SnapshotPlan:
        """What a window over a plain view or a subquery reads."""
        inner = SnapshotPlanner(self._relations, functions=self._functions).plan(query)
        names = (*view.column_names, *inner.names[len(view.column_names) :])
        schema = pa.schema([field.with_name(name) for field, name in zip(inner.schema, names, strict=True)])
        return replace(inner, names=names, schema=schema)

    def _view(self, name: str, view: PlannedRelation, *, hidden: bool) -> None:
        """``hidden``: DataFusion must not know which of its columns are unique."""
        assert view.query is not None
        inner = self._prepare(view.query, as_view=True)
        with planning(inner.tree, view.query.offset, inner.signatures):
            inner.tree = rewrite_set_all(keep_above(inner.tree, all_of_it=True, limited=True), self._columns_of)
            frame = self._shuttle.context.sql(inner.sql)
            names = [user_name(n) for n in frame.schema().names]
            names = [*view.column_names, *names[len(view.column_names) :]]
            quoted = ['"' + n.replace('"', '""') + '"' for n in names]
            listed = ", ".join(f"{unnested_keys.HIDDEN.format(n)} AS {n}" for n in quoted) if hidden else "*"
            sql = f"SELECT {listed} FROM ({inner.sql}) AS v({', '.join(quoted)})"
            self._shuttle.context.register_view(name, self._shuttle.context.sql(sql))
        self._parts.views[name] = sql


def _check_readable(relation: PlannedRelation) -> None:
    """Whether there are rows to read at once."""
    if relation.kind == "lookup table" and not relation.replicated:
        raise FeatureNotSupported(
            f'lookup table "{relation.name}" is asked by key and cannot be read as a whole',
            hint="join a stream with it, or create it WITH (strategy = 'replicated') if its connector can",
        )
    if relation.kind == "changelog":
        raise FeatureNotSupported(
            f"changelog({relation.name}) has no rows that a statement could read at once",
            hint="create a materialized view of it and read that",
        )
    if relation.kind == "source":
        raise FeatureNotSupported(
            f'source "{relation.name}" keeps no rows that a statement could read at once',
            hint="create a materialized view of it and read that",
        )


def _narrowed(index: int, kind: pa.DataType, columns: Columns) -> pa.DataType:
    """The type of an output: DataFusion makes bigints of integers that Postgres keeps."""
    if pa.types.is_struct(kind):
        raise FeatureNotSupported("rows are not supported as a result")
    if pa.types.is_decimal256(kind):
        raise NumericOutOfRange("a numeric has at most 38 digits")
    known = columns[index].kind if columns is not None and index < len(columns) else None
    if known == INTEGER and pa.types.is_integer(kind):
        return pa.int32()
    return pa.int64() if known == BIGINT and kind == pa.decimal128(38, 0) else kind


def has_grouping_sets(rel: Rel) -> bool:
    kind = rel.WhichOneof("rel_type")
    body = getattr(rel, kind)
    asked = [q for name in _EXPRESSIONS.get(kind, ()) for q in subqueries(getattr(body, name))]
    match kind:
        case "read":
            inputs = []
        case "set":
            inputs = list(body.inputs)
        case "join" | "cross":
            inputs = [body.left, body.right]
        case _:
            inputs = [body.input]
    own = kind == "aggregate" and len(body.groupings) > 1
    return own or any(has_grouping_sets(part) for part in [*asked, *inputs])


def harden(shuttle: Shuttle, rel: Rel, *, filtered: bool = False) -> None:
    """Checked arithmetic and exact sums throughout ``rel``, in place, inputs first. ``filtered``: below a filter."""
    kind = rel.WhichOneof("rel_type")
    body = getattr(rel, kind)
    for name in _EXPRESSIONS.get(kind, ()):
        for asked in subqueries(getattr(body, name)):
            harden(shuttle, asked)
    match kind:
        case "read":
            return
        case "set":
            for member in body.inputs:
                harden(shuttle, member, filtered=filtered)
            return
        case "join" | "cross":
            harden(shuttle, body.left, filtered=filtered)
            harden(shuttle, body.right, filtered=filtered)
            if kind == "join":
                hide_residual(shuttle, body.expression, width_of(body.left))
                arithmetic.check(shuttle, _both(body), width_of(body.left) + width_of(body.right), body.expression)
            hidden = outer_joins.to_hide(shuttle, body, filtered) if kind == "join" else []
            interruption.watch(shuttle, rel)
            outer_joins.hide(shuttle, rel, width_of(rel), hidden)
            return
    harden(shuttle, body.input, filtered=filtered or kind == "filter")
    width = width_of(body.input)
    match kind:
        case "filter":
            arithmetic.check(shuttle, body.input, width, body.condition)
        case "project":
            arithmetic.check(shuttle, body.input, width, body.expressions)
            computing = overs.split_averages(shuttle, rel, width).project
            overs.correct(shuttle, computing.input, width, overs.window_calls(computing.expressions))
        case "sort":
            arithmetic.check(shuttle, body.input, width, body.sorts)
            overs.rank_sorts(shuttle, body.input, width, body.sorts)
        case "aggregate":
            arithmetic.check(shuttle, body.input, width, body)
            comparisons.canonical_groups(shuttle, body.input, width, body)
            for measure in body.measures:
                _exact_sum(shuttle, body.input, width, measure.measure)
                overs.rank_sorts(shuttle, body.input, width, measure.measure.sorts)
            rel.CopyFrom(_copy(correct(shuttle, _copy(rel), body.input, width)))


_EXPRESSIONS = {"filter": ("condition",), "project": ("expressions",), "sort": ("sorts",), "join": ("expression",)}


def _copy(rel: Rel) -> Rel:
    copy = Rel()
    copy.CopyFrom(rel)
    return copy


def _both(body: Any) -> Rel:
    rel = Rel()
    rel.cross.left.CopyFrom(body.left)
    rel.cross.right.CopyFrom(body.right)
    return rel


def _exact_sum(shuttle: Shuttle, source: Rel, width: int, function: AggregateFunction) -> None:
    """sum(bigint) is numeric, as in Postgres; the sum of narrower integers stays a bigint."""
    if shuttle.function_name(function.function_reference) != "sum":
        return
    argument = function.arguments[0].value
    if overs.is_widened(shuttle, source, width, argument):
        return
    if shuttle.schema_of(project(source, width, [argument]), 1).types[0] == pa.int64():
        overs.to_numeric(argument)
