"""Rows as values: put together, taken apart, compared.

ROW(a, b)        con_record(ARRAY[a::text, b::text])      the text that Postgres prints of it
(r).f            con_value_int32(con_record_field(r, 0))
r IS NULL        coalesce(con_record_nulls(r) = 2, true)  a row of nothing but NULLs
r < s            con_made_key(…, r) < con_made_key(…, s)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pglast import ast
from pglast.enums import A_Expr_Kind, NullTestType

from constellationdb.catalog import types
from constellationdb.catalog.types import SqlType
from constellationdb.errors import DatatypeMismatch, FeatureNotSupported, UndefinedColumn, UndefinedFunction
from constellationdb.planner.analysis import equality, forms, kinds, printing
from constellationdb.planner.analysis.kinds import UNKNOWN, Kind
from constellationdb.planner.analysis.made_kinds import Made, fields_of
from constellationdb.planner.analysis.operators import COMPARISONS
from constellationdb.planner.analysis.typed import Typed
from constellationdb.planner.record_functions import value_reader
from constellationdb.planner.rewrite.tree import parse_expression, to_sql

NUMERIC_OID = 1700


def is_row(kind: Kind) -> bool:
    return isinstance(kind, Made) and kind.sql_type.element is None and (kind == "record" or bool(kind.sql_type.fields))


def row(members: Sequence[Typed], names: Sequence[str], position: int | None, kind: Made | None = None) -> Typed:
    """A row of these fields; ``kind``: of a declared type, whose fields they are."""
    found = []
    for member in members:
        sql_type = types.TEXT if member.kind == UNKNOWN else kinds.sql_type(member.kind)
        if sql_type is None:
            raise FeatureNotSupported(
                "a row with a value whose type is not known here is not supported",
                hint="cast it, as in value::bigint",
                position=position,
            )
        found.append(sql_type)
    texts = tuple(kinds.cast(printing.joined(member.node, member.kind), kinds.TEXT) for member in members)
    made = kind or Made(types.record(tuple(zip(names, found, strict=True))))
    listed = kinds.cast(ast.A_ArrayExpr(elements=texts), f"{kinds.TEXT}[]")
    members = tuple(m if m.kind != UNKNOWN else Typed(kinds.cast(m.node, kinds.TEXT), kinds.TEXT) for m in members)
    return Typed(forms.call("con_record", listed), made, members=tuple(members))


def numbered(count: int) -> list[str]:
    return [f"f{i}" for i in range(1, count + 1)]


def fields(value: Typed) -> list[tuple[str, Typed]]:
    """The fields of a row, by name."""
    known = fields_of(value.kind)
    if value.members:
        return [(name, member) for (name, _), member in zip(known, value.members, strict=True)]
    return [(name, _field(value.node, place, kind)) for place, (name, kind) in enumerate(known)]


def _field(node: Any, place: int, sql_type: SqlType) -> Typed:
    text = forms.call("con_record_field", node, kinds.cast(forms.integer(place), kinds.BIGINT))
    return Typed(value_of_text(text, sql_type), kinds.of_sql_type(sql_type))


def value_of_text(text: Any, sql_type: SqlType) -> Any:
    """A value of the type from the text that it has in a row or a map."""
    if kinds.is_text(kinds.of_sql_type(sql_type)):
        return text
    if sql_type.oid == NUMERIC_OID and sql_type.typmod >= 0:
        name = kinds.type_name(kinds.NUMERIC)
        name.typmods = (forms.integer(sql_type.arrow.precision), forms.integer(sql_type.arrow.scale))
        return ast.TypeCast(arg=text, typeName=name)
    return forms.call(value_reader(sql_type), text)


def field(value: Typed, name: str, position: int | None) -> Typed:
    """``(value).name``."""
    found = [member for known, member in fields(value) if known == name]
    if not found:
        kind = "record" if value.kind == "record" else value.kind
        known = "identify" if value.kind == "record" else "found"
        message = (
            f'could not {known} column "{name}" in record data type'
            if value.kind == "record"
            else f'column "{name}" not {known} in data type {kind}'
        )
        raise UndefinedColumn(message, position=position)
    return found[0]


def with_field(value: Typed, name: str, new: Typed, position: int | None) -> Typed:
    """The row with another value in one field; of a NULL row, one with NULLs in the others."""
    known = fields(value)
    field(value, name, position)
    members = [new if mine == name else member for mine, member in known]
    return row(members, [mine for mine, _ in known], position, value.kind if isinstance(value.kind, Made) else None)


def null_test(value: Typed, test: NullTestType) -> Any:
    count = f"con_record_nulls({to_sql(value.node)})"
    if test == NullTestType.IS_NULL:
        return parse_expression(f"coalesce({count} = {len(fields_of(value.kind))}, true)")
    return parse_expression(f"coalesce({count} = 0, false)")


def compared(name: str, left: Typed, right: Typed, position: int | None) -> Typed | None:
    """``left name right`` of two rows; None where they are none."""
    if not (is_row(left.kind) and is_row(right.kind)) or name not in COMPARISONS:
        return None
    check_alike(left.kind, right.kind, position)
    key = equality.key if name in ("=", "<>", "!=") else equality.sort_key
    sides = [key(side.node, side.kind) for side in (left, right)]
    name = "<>" if name == "!=" else name
    made = ast.A_Expr(kind=A_Expr_Kind.AEXPR_OP, name=(ast.String(sval=name),), lexpr=sides[0], rexpr=sides[1])
    return Typed(made, kinds.BOOLEAN)


def check_alike(left: Kind, right: Kind, position: int | None) -> None:
    mine, others = fields_of(left), fields_of(right)
    if left != right and "record" not in (left, right):
        raise UndefinedFunction(
            f"operator does not exist: {left} = {right}",
            hint="No operator matches the given name and argument types. You might need to add explicit type casts.",
            position=position,
        )
    if len(mine) != len(others):
        raise DatatypeMismatch("cannot compare record types with different numbers of columns", position=position)
    for number, ((_, a), (_, b)) in enumerate(zip(mine, others, strict=True), 1):
        if kinds.of_sql_type(a) != kinds.of_sql_type(b):
            shown = f"{kinds.of_sql_type(a)} and {kinds.of_sql_type(b)}"
            raise DatatypeMismatch(f"cannot compare dissimilar column types {shown} at record column {number}")
