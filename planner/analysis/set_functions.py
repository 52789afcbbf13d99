"""Functions that return sets, in FROM and in the list of a SELECT: as unnest() of arrays, which DataFusion knows.

generate_series(1, n)             unnest(generate_series(1, n))
generate_series(at, end, span)    unnest(con_zone_series('UTC', at, end, span))
string_to_table(s, ',')           unnest(string_to_array(s, ','))
generate_subscripts(a, 1)         unnest(generate_series(1, cardinality(a)))
unnest(a) WITH ORDINALITY         unnest(a), unnest(generate_series(1, cardinality(a)))
regexp_matches(s, 'p', 'g')       unnest(con_regexp_matches(s, 'p', 'g')); regexp_split_to_table alike
_pg_expandarray(a)                unnest(con_expand_…(a)): rows of x, the element, and n, its place
pg_options_to_table(a)            unnest(a), cut in two at the equals sign
"""

from __future__ import annotations

import re
from typing import Any

from pglast import ast

from constellationdb.errors import FeatureNotSupported, SqlSyntaxError, UndefinedFunction
from constellationdb.planner.analysis import forms, jsonb, kinds, records, regexes, texts
from constellationdb.planner.analysis.kinds import BIGINT, INTEGER, UNKNOWN, Kind
from constellationdb.planner.analysis.scope import Column
from constellationdb.planner.analysis.typed import Typed
from constellationdb.planner.analysis.zoning import Zoning
from constellationdb.planner.rewrite.tree import last_name, parse_expression, to_sql

NAMES = frozenset(
    {
        "unnest",
        "generate_series",
        "generate_subscripts",
        "_pg_expandarray",
        "pg_options_to_table",
        *jsonb.SETS,
        *regexes.SETS,
    }
)
_EXPANDED = "record of "  # the kind of _pg_expandarray's rows, before that of x
_OPTION = "option"  # the kind of pg_options_to_table's rows
_NUMBER = re.compile(r"-? ?\d*\.?\d+")
_SUFFIXES = {kinds.SMALLINT: "i16", kinds.INTEGER: "i32", "oid": "i64", kinds.BIGINT: "i64"}


def is_set(node: Any) -> bool:
    return isinstance(node, ast.FuncCall) and node.over is None and last_name(node) in NAMES


def array_of(name: str, arguments: list[Typed], zoning: Zoning, position: int | None) -> Typed:
    """The array whose elements a call returns; its kind is that of one element."""
    if name == "unnest" and len(arguments) == 1:
        array = arguments[0]
        if not kinds.is_array(array.kind):
            raise _missing(name, arguments, position)
        assert array.kind is not None
        return Typed(array.node, kinds.element(array.kind))
    if name == "generate_series" and len(arguments) in (2, 3):
        return _moments(arguments, zoning, position) or _series(arguments, position)
    if name == "generate_subscripts" and len(arguments) == 2 and kinds.is_array(arguments[0].kind):
        last = f"CAST(cardinality({to_sql(arguments[0].node)}) AS bigint)"
        first, last = ("0", f"{last} - 1") if arguments[0].kind in kinds.VECTORS else ("1", last)
        only = f"CASE WHEN {to_sql(arguments[1].node)} = 1 THEN {last} END"
        return Typed(_cast(parse_expression(f"generate_series({first}, {only})"), INTEGER), INTEGER)
    if name == "_pg_expandarray" and len(arguments) == 1 and kinds.is_array(arguments[0].kind):
        assert arguments[0].kind is not None
        element = kinds.element(arguments[0].kind)
        if element not in _SUFFIXES:
            raise FeatureNotSupported(f"_pg_expandarray of {arguments[0].kind} is not supported", position=position)
        return Typed(forms.call(f"con_expand_{_SUFFIXES[element]}", arguments[0].node), _EXPANDED + element)
    if name == "pg_options_to_table" and [argument.kind for argument in arguments] == ["text[]"]:
        return Typed(arguments[0].node, _OPTION)
    if name == "string_to_table" and len(arguments) in (2, 3):
        return Typed(forms.call("string_to_array", *(argument.node for argument in arguments)), kinds.TEXT)
    if (made := regexes.array_of(name, arguments)) is not None:
        return made
    columns = jsonb.arrays_of(name, arguments, position)
    if columns is not None and len(columns) == 1:
        return columns[0][0]
    if columns is not None:
        raise FeatureNotSupported(f"{name} is only supported in FROM", position=position)
    raise _missing(name, arguments, position)


def _series(arguments: list[Typed], position: int | None) -> Typed:
    kind = kinds.unify(argument.kind for argument in arguments)
    written = [to_sql(argument.node) for argument in arguments]
    if kind == kinds.NUMERIC and all(map(_NUMBER.fullmatch, written)):
        return Typed(_of_numerics(written), kind)
    if kind == UNKNOWN or kind not in kinds.INTEGERS:
        raise FeatureNotSupported(
            "generate_series is only supported over integers, constants, dates and timestamps", position=position
        )
    kind = INTEGER if kind == kinds.SMALLINT else kind
    numbers = [kinds.cast(argument.node, BIGINT) for argument in arguments]
    if len(numbers) == 3:
        numbers[2] = forms.call("con_step", numbers[2])
    return Typed(_cast(forms.call("generate_series", *numbers), kind), kind)


def _of_numerics(written: list[str]) -> Any:
    """A series of the digits that its ends and its step have."""
    digits = max(len(number.partition(".")[2]) for number in written)
    start, end, step = (f"'{number}'" for number in (*written, "1")[:3])
    return parse_expression(f"CAST(con_numeric_series({start}, {end}, {step}) AS numeric(38, {digits})[])")


def _moments(arguments: list[Typed], zoning: Zoning, position: int | None) -> Typed | None:
    """A series of timestamps, or of instants by the clocks of the zone; None of other values."""
    found = {argument.kind for argument in arguments[:2]}
    if len(arguments) < 3 or found == {UNKNOWN} or not found <= {UNKNOWN, *kinds.MOMENTS}:
        return None
    if arguments[2].kind not in (UNKNOWN, kinds.INTERVAL):
        return None
    bare = kinds.TIMESTAMP in found and kinds.TIMESTAMPTZ not in found
    kind = kinds.TIMESTAMP if bare else kinds.TIMESTAMPTZ
    ends = [_moment(argument, kind, zoning, position) for argument in arguments[:2]]
    step = arguments[2].node
    if arguments[2].kind == UNKNOWN and isinstance(step, ast.A_Const):
        step = texts.typed(step, kinds.INTERVAL, position)
    made = forms.call("con_series", *ends, step) if bare else zoning.call("series", *ends, step)
    return Typed(made, kind)


def _moment(argument: Typed, kind: str, zoning: Zoning, position: int | None) -> Any:
    node = argument.node
    if argument.kind == UNKNOWN and isinstance(node, ast.A_Const):
        return kinds.cast(node, kind) if node.isnull else texts.typed(node, kind, position)
    if argument.kind == kind:
        return node
    return zoning.instant(node, argument.kind) if kind == kinds.TIMESTAMPTZ else kinds.cast(node, kind)


def _cast(array: Any, element: str) -> Any:
    return kinds.cast(array, element + "[]")


def _missing(name: str, arguments: list[Typed], position: int | None) -> UndefinedFunction:
    shown = ", ".join(str(argument.kind or "unknown") for argument in arguments)
    return UndefinedFunction(
        f"function {name}({shown}) does not exist",
        hint="No function matches the given name and argument types. You might need to add explicit type casts.",
        position=position,
    )


def rows_of(array: Typed) -> Typed:
    """The rows that ``array`` stands for."""
    return Typed(forms.call("unnest", array.node), array.kind)


def field(row: Typed, name: str, position: int | None) -> Typed | None:
    """``(row).name``, for the rows known here."""
    if row.kind is None or not row.kind.startswith(_EXPANDED):
        return None
    known = {"x": row.kind.removeprefix(_EXPANDED), "n": INTEGER}
    if name not in known:
        from constellationdb.errors import UndefinedColumn

        raise UndefinedColumn(f'column "{name}" not found in data type record', position=position)
    return Typed(forms.call("get_field", row.node, forms.text(name)), known[name])


def is_row(kind: Kind) -> bool:
    return kind is not None and kind.startswith(_EXPANDED)


def columns_of(array: Typed, name: str) -> list[tuple[Any, Column]]:
    """What the columns of a call in FROM are, and their names; a function of one column calls it like itself."""
    if array.kind == _OPTION:
        row = to_sql(forms.call("unnest", array.node))
        value = parse_expression(f"substr({row}, strpos({row}, '=') + 1)")
        return [
            (parse_expression(f"split_part({row}, '=', 1)"), Column("option_name", kinds.TEXT)),
            (value, Column("option_value", kinds.TEXT)),
        ]
    if records.is_row(array.kind):
        if array.kind == "record":
            raise SqlSyntaxError('a column definition list is required for functions returning "record"')
        return [(member.node, Column(n, member.kind)) for n, member in records.fields(rows_of(array))]
    if not is_row(array.kind):
        return [(forms.call("unnest", array.node), Column(name, array.kind))]
    rows = rows_of(array)
    parts = [field(rows, part, None) for part in ("x", "n")]
    return [(part.node, Column(n, part.kind)) for part, n in zip(parts, "xn", strict=True) if part is not None]


def ordinality(arrays: list[Typed]) -> Any:
    """The numbers of the rows: as many as the longest array has elements."""
    counts = ", ".join(f"CAST(cardinality({to_sql(array.node)}) AS bigint)" for array in arrays)
    return parse_expression(f"unnest(generate_series(1, greatest({counts})))")
