"""The query a Postgres lookup sends: quoted names, bound parameters, nothing written into the text.

One key column asks ``k = ANY($1::bigint[])``; several join the keys as rows,
``JOIN unnest($1::bigint[], $2::text[]) AS k(k0, k1) ON …``. A column whose type
there is not the one declared here is cast, so that what is compared is what is shown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from constellationdb.catalog.types import of_arrow
from constellationdb.connectors.api import LookupPredicate

_INTEGERS = frozenset({"smallint", "integer", "bigint"})
_TEXTS = frozenset({"text", "character varying"})
_RANGES = frozenset({"<", "<=", ">", ">="})


@dataclass
class LookupQuery:
    """The text with $1, $2 …, and what is bound to them: a pair of values and their Arrow type each."""

    text: str = ""
    parameters: list[Any] = field(default_factory=list)

    def bind(self, value: Any, sql_type: str) -> str:
        self.parameters.append(value)
        return f"${len(self.parameters)}::{sql_type}"


def quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def sql_type(arrow: pa.DataType) -> str:
    """The type's name in Postgres, a numeric always with its digits: Arrow has a scale a column."""
    if pa.types.is_decimal(arrow):
        return f"numeric({arrow.precision},{arrow.scale})"
    return of_arrow(arrow).name


def build_query(
    table: str,
    schema: pa.Schema,
    actual: Mapping[str, str],
    keys: pa.RecordBatch,
    columns: Sequence[str],
    predicates: Sequence[LookupPredicate],
) -> LookupQuery:
    """``table`` is quoted already; ``actual`` holds the types of the columns there, by name."""
    query = LookupQuery()
    expressions = {name: _expression(name, schema.field(name).type, actual.get(name)) for name in schema.names}
    shown = [_shown(name, schema.field(name).type, actual.get(name)) for name in columns]
    names = keys.schema.names
    arrays = [
        query.bind(column.to_pylist(), sql_type(schema.field(name).type) + "[]")
        for name, column in zip(names, keys.columns, strict=True)
    ]
    if len(names) == 1:
        source, where = f"{table} AS t", [f"{expressions[names[0]]} = ANY({arrays[0]})"]
    else:
        aliases = [f"k{i}" for i in range(len(names))]
        on = " AND ".join(f"{expressions[name]} = k.{alias}" for name, alias in zip(names, aliases, strict=True))
        source = f"{table} AS t JOIN unnest({', '.join(arrays)}) AS k({', '.join(aliases)}) ON {on}"
        where = []
    where += [_condition(query, expressions[each.column], each) for each in predicates]
    query.text = f"SELECT {', '.join(shown)} FROM {source}"
    if where:
        query.text += f" WHERE {' AND '.join(where)}"
    return query


def _shown(name: str, declared: pa.DataType, actual: str | None) -> str:
    column = f"t.{quote(name)}"
    return column if actual == sql_type(declared) else f"{column}::{sql_type(declared)}"


def _expression(name: str, declared: pa.DataType, actual: str | None) -> str:
    """What to compare: the bare column where that is the same (an index can serve it), else cast."""
    return f"t.{quote(name)}" if _same_values(sql_type(declared), actual) else _shown(name, declared, actual)


def _same_values(declared: str, actual: str | None) -> bool:
    if actual is None or actual == declared:
        return True
    if actual in _INTEGERS and declared in _INTEGERS:
        return True
    if re.sub(r"\(\d+\)$", "", actual) in _TEXTS and declared in _TEXTS:
        return True
    if actual == "real" and declared == "double precision":
        return True
    wanted, found = _scale(declared), _scale(actual)
    return wanted is not None and found is not None and found <= wanted


def _scale(name: str) -> int | None:
    match = re.fullmatch(r"numeric\(\d+,(\d+)\)", name)
    return int(match[1]) if match else None


def _condition(query: LookupQuery, column: str, predicate: LookupPredicate) -> str:
    if predicate.op == "is null":
        return f"{column} IS NULL"
    if predicate.op == "is not null":
        return f"{column} IS NOT NULL"
    if predicate.op == "in":
        return _among(query, column, predicate.values)
    value = predicate.values[0]
    if predicate.op in _RANGES and pa.types.is_string(value.type):
        column = f'{column} COLLATE "C"'  # texts are ordered by their bytes here, whatever the database says
    return f"{column} {predicate.op} {query.bind(value.as_py(), _parameter_type(value.type))}"


def _among(query: LookupQuery, column: str, values: Sequence[pa.Scalar]) -> str:
    by_type: dict[str, list[Any]] = {}
    for value in values:
        if value.is_valid:
            by_type.setdefault(_parameter_type(value.type), []).append(value.as_py())
    if not by_type:
        return "FALSE"
    tests = [f"{column} = ANY({query.bind(listed, name + '[]')})" for name, listed in by_type.items()]
    return tests[0] if len(tests) == 1 else f"({' OR '.join(tests)})"


def _parameter_type(arrow: pa.DataType) -> str:
    # a constant keeps all its digits
    return "numeric" if pa.types.is_decimal(arrow) else of_arrow(arrow).name
