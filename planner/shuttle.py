"""Between DataFusion and Substrait: build, re-type and read plans.

A ``Shuttle`` holds one DataFusion context in which every relation is an empty
table of its schema, and the function anchors of the plan being lowered. Any
subtree can be cut off and replaced by a read of a *slot*, a table registered
here under ``slotN``, and DataFusion itself tells the cut plan's types.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pyarrow as pa
from datafusion import DataFrame, SessionConfig, SessionContext
from datafusion.substrait import Consumer, Producer, Serde
from substrait.proto import Expression, JoinRel, Plan, ReadRel, Rel, SimpleExtensionDeclaration

from constellationdb.planner import functions, python_functions

_OPTIONS = {
    "datafusion.sql_parser.dialect": "postgres",
    "datafusion.sql_parser.parse_float_as_decimal": "true",
    "datafusion.sql_parser.map_string_types_to_utf8view": "false",
    "datafusion.execution.target_partitions": "1",
    "datafusion.execution.time_zone": "UTC",
    "datafusion.catalog.information_schema": "false",
}


# A left join that is an inner one in truth must not be dropped where only its left side is asked for, and the like.
_WRONG_IN_TIME = ("eliminate_join", "eliminate_outer_join", "push_down_limit", "propagate_empty_relation")


def new_context() -> SessionContext:
    """A DataFusion context as all of ours are: Postgres' dialect, one partition, checked functions.

    ``push_down_filter`` stays here, where scans cannot take a filter; contexts that
    execute fragments over live slots remove it.
    """
    context = SessionContext(SessionConfig(_OPTIONS))
    functions.register(context)
    python_functions.register(context)
    return context


def parsed(context: SessionContext, sql: str, without: Iterable[str] = ()) -> DataFrame:
    """``sql`` as DataFusion understands it, with NULLs that meet only where they are to. ``context`` is without
    these rules of the optimizer.

    A join of DataFusion's takes NULLs for equal in all of its keys or in none, and two rules add keys to one that
    does without asking: ``eliminate_cross_join`` those of joins in it, ``extract_equijoin_predicate`` those of
    conditions that came to it later. So such a query has its conditions where they belong before any becomes a key.
    """
    frame = context.sql(sql)
    logical = frame.logical_plan()
    if "IS NOT DISTINCT FROM" not in logical.display_indent():
        return frame
    context.remove_optimizer_rule("eliminate_cross_join")
    first = new_context()
    for rule in ("eliminate_cross_join", "extract_equijoin_predicate", *without):
        first.remove_optimizer_rule(rule)
    placed = first.create_dataframe_from_logical_plan(logical).optimized_logical_plan()
    return context.create_dataframe_from_logical_plan(placed)


def bare(schema: pa.Schema) -> pa.Schema:
    """A schema as DataFusion sees it: without the SQL types, which would tell equal columns apart."""
    return pa.schema([field.remove_metadata() for field in schema])


def empty_batch(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([], schema=bare(schema))


class Shuttle:
    """One query's context. ``tables``: name → schema, everything the text may read.

    ``zoned``: what depends on a time zone must say which; what does not is refused (``planner.zone_guard``).
    """

    def __init__(self, tables: Iterable[tuple[str, pa.Schema]], *, zoned: bool = False) -> None:
        self.zoned = zoned
        self.context = new_context()
        self._without: tuple[str, ...] = ()
        self._anchors: dict[str, int] = {}
        self._names: dict[int, str] = {}
        self._extensions: list[SimpleExtensionDeclaration] = []
        self._reads: dict[str, Rel] = {}
        for name, schema in tables:
            self.register(name, schema)

    def register(self, name: str, schema: pa.Schema) -> None:
        self.context.register_record_batches(name, [[empty_batch(schema)]])

    def keep_joins_in_time(self) -> None:
        """Plan nothing below a left join that is not true of one which gives a row the closest in time, or drops it."""
        self.plan_without(*_WRONG_IN_TIME)

    def plan_without(self, *rules: str) -> None:
        """Leave rules of DataFusion's optimizer out."""
        self._without += rules
        for rule in rules:
            self.context.remove_optimizer_rule(rule)

    def plan(self, sql: str) -> tuple[Rel, pa.Schema, str]:
        """The optimized plan of ``sql``: its root relation, output schema and display."""
        frame = parsed(self.context, sql, self._without)
        logical = frame.optimized_logical_plan()
        plan = Plan()
        plan.ParseFromString(Producer.to_substrait_plan(logical, self.context).encode())
        # DataFusion writes the grouping keys twice, once in a field that our protocol version
        # no longer knows: left in, it would contradict every later edit.
        plan.DiscardUnknownFields()
        self._adopt(plan)
        _give_conditions(plan)
        _tell_columns_apart(plan)
        return plan.relations[0].root.input, frame.schema(), logical.display_indent()

    def _adopt(self, plan: Plan) -> None:
        """Rename the plan's function anchors to this shuttle's, which hold for every plan of the query."""
        declared = (extension.extension_function for extension in plan.extensions)
        mapping = {function.function_anchor: self.anchor(function.name) for function in declared}
        _renumber(plan, mapping)

    def function_name(self, anchor: int) -> str:
        return self._names[anchor]

    def anchor(self, name: str) -> int:
        """The anchor of function ``name``, declared on first use."""
        if name not in self._anchors:
            number = max(self._names, default=0) + 1
            declaration = SimpleExtensionDeclaration()
            declaration.extension_function.function_anchor = number
            declaration.extension_function.name = name
            declaration.extension_function.extension_urn_reference = 4294967295
            self._extensions.append(declaration)
            self._anchors[name], self._names[number] = number, name
        return self._anchors[name]

    def slot(self, number: int, schema: pa.Schema) -> Rel:
        """A read of ``slot{number}``, (re)registered with ``schema``."""
        return self.read(f"slot{number}", schema)

    def read(self, name: str, schema: pa.Schema) -> Rel:
        """A read of the table ``name``, (re)registered with ``schema``."""
        if self.context.table_exist(name):
            self.context.deregister_table(name)
        self.register(name, schema)
        plan = Plan()
        logical = self.context.table(name).logical_plan()
        plan.ParseFromString(Producer.to_substrait_plan(logical, self.context).encode())
        read: Rel = plan.relations[0].root.input
        return read

    def encode(self, rel: Rel, width: int) -> bytes:
        """``rel`` as a whole plan whose columns are called c0, c1, …"""
        plan = Plan()
        plan.version.minor_number = 85
        plan.extensions.extend(self._extensions)
        root = plan.relations.add().root
        root.input.CopyFrom(rel)
        root.names.extend(f"c{i}" for i in range(width))
        data: bytes = plan.SerializeToString()
        return data

    def schema_of(self, rel: Rel, width: int) -> pa.Schema:
        """The output schema DataFusion gives ``rel``, columns named c0, c1, …"""
        logical = Consumer.from_substrait_plan(self.context, Serde.deserialize_bytes(self.encode(rel, width)))
        found = self.context.create_dataframe_from_logical_plan(logical).schema()
        return pa.schema([pa.field(f"c{i}", kind) for i, kind in enumerate(found.types)])

    def evaluate(self, rel: Rel, width: int) -> pa.Table:
        """The rows of a relation that reads no table, columns named c0, c1, …"""
        logical = Consumer.from_substrait_plan(self.context, Serde.deserialize_bytes(self.encode(rel, width)))
        table = self.context.create_dataframe_from_logical_plan(logical).to_arrow_table()
        return table.rename_columns([f"c{i}" for i in range(width)])

    def display_of(self, rel: Rel, width: int) -> str:
        """The logical plan DataFusion reads back from ``rel``: what the gate compares."""
        logical = Consumer.from_substrait_plan(self.context, Serde.deserialize_bytes(self.encode(rel, width)))
        shown: str = logical.display_indent()
        return shown


def _renumber(message: Any, mapping: dict[int, int]) -> None:
    if "function_reference" in message.DESCRIPTOR.fields_by_name:
        message.function_reference = mapping[message.function_reference]
    for descriptor, value in message.ListFields():
        if descriptor.message_type is not None:
            for item in value if _repeated(descriptor) else (value,):
                _renumber(item, mapping)


def _give_conditions(message: Any) -> None:
    """DataFusion writes a join without a condition but will not read one: make it TRUE."""
    if isinstance(message, JoinRel) and not message.HasField("expression"):
        message.expression.literal.boolean = True
    for descriptor, value in message.ListFields():
        if descriptor.message_type is not None:
            for item in value if _repeated(descriptor) else (value,):
                _give_conditions(item)


def _tell_columns_apart(message: Any) -> None:
    """DataFusion writes no rows of a join as a table with the names of both sides, but reads none with a name twice."""
    if isinstance(message, ReadRel) and message.HasField("virtual_table"):
        names = list(message.base_schema.names)
        if len(set(names)) < len(names):
            message.base_schema.names[:] = [f"{name} {place}" for place, name in enumerate(names)]
    for descriptor, value in message.ListFields():
        if descriptor.message_type is not None:
            for item in value if _repeated(descriptor) else (value,):
                _tell_columns_apart(item)


# Expressions are protobuf trees; these few functions are all the rest of the planner knows of their shape.


def field(index: int) -> Expression:
    """A reference to input column ``index``."""
    expression = Expression()
    expression.selection.direct_reference.struct_field.field = index
    expression.selection.root_reference.SetInParent()
    return expression


def field_index(expression: Expression) -> int | None:
    """The column ``expression`` merely refers to, or None when it computes something."""
    if expression.WhichOneof("rex_type") != "selection":
        return None
    reference = expression.selection
    if reference.WhichOneof("reference_type") != "direct_reference":
        return None
    if reference.direct_reference.struct_field.HasField("child"):
        return None
    index: int = reference.direct_reference.struct_field.field
    return index


def visit(message: Any, action: Callable[[Expression], None], *, enter_relations: bool = True) -> None:
    """Call ``action`` on every Expression inside a protobuf message (or a list of them), children first.

    Without ``enter_relations``, only on those whose columns are the message's own: not in inputs or subqueries.
    """
    if not hasattr(message, "ListFields"):
        for member in message:
            visit(member, action, enter_relations=enter_relations)
        return
    for descriptor, value in message.ListFields():
        if descriptor.message_type is None or (not enter_relations and descriptor.message_type.name == "Rel"):
            continue
        for item in value if _repeated(descriptor) else (value,):
            visit(item, action, enter_relations=enter_relations)
    if isinstance(message, Expression):
        action(message)


def subqueries(message: Any) -> list[Rel]:
    """The relations that expressions inside a message (or a list of them) ask, not those inside these."""
    if not hasattr(message, "ListFields"):
        return [rel for member in message for rel in subqueries(member)]
    if isinstance(message, Rel):
        return [message]
    return [
        rel
        for descriptor, value in message.ListFields()
        if descriptor.message_type is not None
        for item in (value if _repeated(descriptor) else (value,))
        for rel in subqueries(item)
    ]


def below(rel: Rel) -> list[Rel]:
    """The relations that expressions of ``rel`` ask, then those it stands on."""
    kind = rel.WhichOneof("rel_type")
    body = getattr(rel, kind)
    inputs = ("input", "left", "right", "inputs")
    own = [v for d, v in body.ListFields() if d.message_type is not None and d.name not in (*inputs, "common")]
    children = body.inputs if kind == "set" else [
        getattr(body, name) for name in inputs if name in body.DESCRIPTOR.fields_by_name
    ]  # fmt: skip
    return [*subqueries(own), *(child for child in children if child.WhichOneof("rel_type") is not None)]


def _repeated(descriptor: Any) -> bool:
    repeated = getattr(descriptor, "is_repeated", None)
    return bool(repeated) if repeated is not None else descriptor.label == descriptor.LABEL_REPEATED


def fields_used(message: Any) -> set[int]:
    """The input columns that an expression (or any message of expressions) refers to."""
    used: set[int] = set()

    def note(expression: Expression) -> None:
        index = field_index(expression)
        if index is not None:
            used.add(index)

    visit(message, note)
    return used


def remap(expression: Expression, mapping: Callable[[int], int]) -> Expression:
    """A copy whose column references went through ``mapping``."""
    copy = Expression()
    copy.CopyFrom(expression)

    def move(inner: Expression) -> None:
        index = field_index(inner)
        if index is not None:
            inner.selection.direct_reference.struct_field.field = mapping(index)

    visit(copy, move)
    return copy


def substitute(expression: Expression, outputs: Sequence[Expression]) -> Expression:
    """A copy in which each column reference is the expression in its place of ``outputs``."""
    copy = Expression()
    copy.CopyFrom(expression)

    def replace(inner: Expression) -> None:
        index = field_index(inner)
        if index is not None:
            inner.CopyFrom(outputs[index])

    visit(copy, replace)
    return copy


def project(source: Rel, width: int, expressions: Sequence[Expression]) -> Rel:
    """A projection of ``source`` (``width`` columns) to exactly ``expressions``."""
    rel = Rel()
    rel.project.input.CopyFrom(source)
    rel.project.expressions.extend(expressions)
    rel.project.common.emit.output_mapping.extend(range(width, width + len(expressions)))
    return rel


def select(source: Rel, condition: Expression) -> Rel:
    """The rows of ``source`` for which ``condition`` is true."""
    rel = Rel()
    rel.filter.input.CopyFrom(source)
    rel.filter.condition.CopyFrom(condition)
    return rel
