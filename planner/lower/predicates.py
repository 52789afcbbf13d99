"""Conjuncts in the closed language of lookup sources: column OP constant, IN, IS [NOT] NULL."""

from __future__ import annotations

import datetime
import decimal
import re
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from substrait.proto import Expression

from constellationdb.planner import plan
from constellationdb.planner.shuttle import Shuttle, field_index, project

_OPERATORS = {"equal": "=", "not_equal": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_MIRRORED = {"=": "=", "<>": "<>", ">": "<", ">=": "<=", "<": ">", "<=": ">="}


def to_predicate(shuttle: Shuttle, conjunct: Expression, schema: pa.Schema) -> plan.PushedPredicate | None:
    """``conjunct`` over columns of ``schema`` as a predicate, or None when the language cannot say it."""
    match conjunct.WhichOneof("rex_type"):
        case "selection":
            return _flag(conjunct, schema, value=True)
        case "singular_or_list":
            return _in_list(conjunct, schema)
        case "scalar_function":
            return _call(shuttle, conjunct, schema)
        case _:
            return None


def _flag(conjunct: Expression, schema: pa.Schema, *, value: bool) -> plan.PushedPredicate | None:
    """A boolean column by itself, or under NOT."""
    index = field_index(conjunct)
    return None if index is None else _of_values(schema, index, "=", [value])


def _in_list(conjunct: Expression, schema: pa.Schema) -> plan.PushedPredicate | None:
    index = field_index(conjunct.singular_or_list.value)
    if index is None:
        return None
    return _made(schema, index, "in", list(conjunct.singular_or_list.options))


def _call(shuttle: Shuttle, conjunct: Expression, schema: pa.Schema) -> plan.PushedPredicate | None:
    call = conjunct.scalar_function
    name = shuttle.function_name(call.function_reference)
    arguments = [argument.value for argument in call.arguments]
    if name in ("is_null", "is_not_null"):
        index = field_index(arguments[0])
        return None if index is None else _made(schema, index, name.replace("_", " "), [])
    if name == "not":
        return _flag(arguments[0], schema, value=False)
    if name == "or":
        return _either(shuttle, conjunct, schema)
    operator = _OPERATORS.get(name)
    if operator is None:
        return None
    left, right = field_index(arguments[0]), field_index(arguments[1])
    if left is not None:
        return _made(schema, left, operator, [arguments[1]])
    if right is not None:
        return _made(schema, right, _MIRRORED[operator], [arguments[0]])
    return None


def _either(shuttle: Shuttle, conjunct: Expression, schema: pa.Schema) -> plan.PushedPredicate | None:
    """a = 1 OR a = 2 is a IN (1, 2); any other OR stays with us."""
    options: list[Expression] = []
    columns: set[int | None] = set()
    pending = [conjunct]
    while pending:
        call = pending.pop(0).scalar_function
        name = shuttle.function_name(call.function_reference)
        arguments = [argument.value for argument in call.arguments]
        if name == "or" and all(a.WhichOneof("rex_type") == "scalar_function" for a in arguments):
            pending += arguments
        elif name == "equal" and field_index(arguments[0]) is not None:
            columns.add(field_index(arguments[0]))
            options.append(arguments[1])
        else:
            return None
    index = columns.pop() if len(columns) == 1 else None
    return None if index is None else _made(schema, index, "in", options)


def _made(schema: pa.Schema, index: int, operator: str, constants: list[Expression]) -> plan.PushedPredicate | None:
    values: list[Any] = []
    for constant in constants:
        value = _literal(constant)
        if value is None:
            return None
        values.append(value)
    return _of_values(schema, index, operator, values)


def _of_values(schema: pa.Schema, index: int, operator: str, values: list[Any]) -> plan.PushedPredicate | None:
    kind = schema.field(index).type
    try:
        batch = pa.record_batch([pa.array(values, kind)], names=["value"])
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return None
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return plan.PushedPredicate(schema.field(index).name, operator, sink.getvalue().to_pybytes())


def _literal(expression: Expression) -> Any:
    """The Python value of a literal; None for NULL and for kinds that stay with us."""
    if expression.WhichOneof("rex_type") != "literal":
        return None
    literal = expression.literal
    kind = literal.WhichOneof("literal_type")
    match kind:
        case "boolean" | "i8" | "i16" | "i32" | "i64" | "fp32" | "fp64" | "string" | "var_char":
            value = getattr(literal, kind)
            return value.value if kind == "var_char" else value
        case "decimal":
            unscaled = int.from_bytes(literal.decimal.value, "little", signed=True)
            return decimal.Decimal(f"{unscaled}e-{literal.decimal.scale}")  # scaleb would round to 28 digits
        case "date":
            return datetime.date(1970, 1, 1) + datetime.timedelta(days=literal.date)
        case "precision_timestamp" if literal.precision_timestamp.precision == 6:
            return datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=literal.precision_timestamp.value)
        case _:
            return None


def values_of(predicate: plan.PushedPredicate) -> pa.Array:
    """The constants of a predicate, in the column's type."""
    return pa.ipc.open_stream(predicate.values_ipc).read_all().column(0).combine_chunks()


def show(predicate: plan.PushedPredicate) -> str:
    """The predicate as SQL, for EXPLAIN."""
    values = [_constant(value) for value in values_of(predicate).to_pylist()]
    if predicate.op == "in":
        return f"{predicate.column} IN ({', '.join(values)})"
    if not values:
        return f"{predicate.column} {predicate.op.upper()}"
    return f"{predicate.column} {predicate.op} {values[0]}"


def _constant(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float | decimal.Decimal):
        return str(value)
    return "'" + str(value).replace("'", "''") + "'"


def show_expressions(shuttle: Shuttle, schema: pa.Schema, expressions: Sequence[Expression]) -> list[str]:
    """Expressions over columns of ``schema`` as EXPLAIN shows them: DataFusion's words, constants as in SQL."""
    shown = []
    for expression in expressions:
        source = shuttle.slot(0, schema)
        first = shuttle.display_of(project(source, len(schema), [expression]), 1).splitlines()[0]
        text = first.strip().removeprefix("Projection: ").removesuffix(" AS c0").replace("slot0.", "")
        text = re.sub(r'Utf8\("([^"]*)"\)', r"'\1'", text)
        text = re.sub(r"Decimal128\(([^(),]*),\d+,\d+\)", r"\1", text)
        shown.append(re.sub(r"\b(?:U?Int|Float)\d+\(([^()]*)\)", r"\1", text))
    return shown
