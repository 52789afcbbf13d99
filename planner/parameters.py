"""Binding: a statement with values for its $1, $2, …

Where a query is planned its parse tree gets them (``rewrite.bound``). The rows of an INSERT
get them as values where their types are those of the columns, so that nothing has to be planned.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pyarrow as pa

from constellationdb.catalog.types import of_field
from constellationdb.planner import postgres_types as types
from constellationdb.planner import statements as st
from constellationdb.planner.rewrite.bound import read_boolean, read_integer, read_numeric

_NUMBERS = ("int2", "int4", "int8", "numeric")
_TEXTS = ("text", "varchar")


def arguments(values: Sequence[str | None], oids: Sequence[int]) -> tuple[st.Argument, ...]:
    return tuple(map(st.Argument, values, oids))


def bind(statement: st.Statement, bound: tuple[st.Argument, ...], target: pa.Schema | None = None) -> st.Statement:
    """``target``: the columns of the table that ``statement`` writes."""
    match statement:
        case st.Explain():
            return replace(statement, statement=bind(statement.statement, bound, target))
        case st.DeclareCursor(source=source):
            inner = bind(source, bound)
            assert isinstance(inner, st.Select | st.Subscribe)
            return replace(statement, source=inner)
        case st.Insert():
            return _insert(statement, bound, target)
        case st.ChangingWith(change=change, rest=rest):
            made = bind(change, bound)
            assert isinstance(made, st.Insert | st.Update | st.Delete)
            return replace(statement, change=made, rest=bind(rest, bound))
        case st.Update() | st.Delete() | st.Merge():
            return replace(statement, parameters=bound)
        case st.Select() | st.CreateTableAs():
            return replace(statement, query=replace(statement.query, parameters=bound))
        case st.Subscribe(query=query) if query is not None:
            return replace(statement, query=replace(query, parameters=bound))
        case _:
            return statement


def _insert(statement: st.Insert, bound: tuple[st.Argument, ...], target: pa.Schema | None) -> st.Insert:
    query = None if statement.query is None else replace(statement.query, parameters=bound)
    rows = None if statement.rows is None or target is None else _rows(statement, bound, target)
    return replace(statement, parameters=bound, query=query, rows=rows)


def _rows(
    statement: st.Insert, bound: tuple[st.Argument, ...], target: pa.Schema
) -> tuple[tuple[object, ...], ...] | None:
    """The rows as values; None when a value has to be cast to what its column is."""
    assert statement.rows is not None
    columns = statement.columns or tuple(target.names)
    readers: dict[tuple[int, int], Callable[[str], object] | None] = {}
    made = []
    for row in statement.rows:
        values: list[object] = []
        for place, value in enumerate(row):
            if not isinstance(value, st.Parameter):
                values.append(value)
                continue
            key = (value.number, place)
            if key not in readers:
                readers[key] = _reader(bound[value.number - 1].oid, columns, place, target)
            reader, text = readers[key], bound[value.number - 1].text
            if reader is None:
                return None
            values.append(None if text is None else reader(text))
        made.append(tuple(values))
    return tuple(made)


def _reader(oid: int, columns: Sequence[str], place: int, target: pa.Schema) -> Callable[[str], object] | None:
    """What makes a value for its column of a parameter's text, which for the column's own type is the text itself."""
    if place >= len(columns) or (index := target.get_field_index(columns[place])) < 0:
        return str  # an error that whoever plans the statement finds
    kind, wanted = types.by_oid(oid), types.by_oid(of_field(target.field(index)).oid)
    if kind == "bool" == wanted:
        return read_boolean
    if kind in _NUMBERS and wanted in _NUMBERS:
        assert kind is not None
        return read_numeric if kind == "numeric" else lambda text: read_integer(text, kind)
    same = kind == wanted or (kind in _TEXTS and wanted in _TEXTS)
    return str if same or kind in (None, types.UNKNOWN) else None
