"""Functions in FROM: the query whose rows they are."""

from __future__ import annotations

from typing import Any

from pglast import ast
from pglast.enums import LimitOption, SetOperation

from constellationdb.errors import FeatureNotSupported
from constellationdb.planner.analysis import jsonb, kinds, set_functions
from constellationdb.planner.analysis.scope import Column
from constellationdb.planner.analysis.typed import Place, Typed, Walk
from constellationdb.planner.analysis.user_calls import UserCalls
from constellationdb.planner.rewrite.tree import last_name


def set_query(item: Any, walk: Walk, place: Place, users: UserCalls | None) -> tuple[Any, tuple[Column, ...], str]:
    """The query, its columns, and the name of the function; several functions run side by side."""
    if item.coldeflist or any(part[1] for part in item.functions):
        raise FeatureNotSupported("column definitions behind a function are not supported")
    made: list[tuple[Any, Column]] = []
    arrays: list[Typed] = []
    for node, _ in item.functions:
        found, array = _called(node, walk, place, users)
        made += found
        arrays += array
    if item.ordinality:
        if not arrays:
            raise FeatureNotSupported("WITH ORDINALITY of a function that returns no set is not supported")
        made.append((set_functions.ordinality(arrays), Column("ordinality", kinds.BIGINT)))
    select = ast.SelectStmt(
        targetList=tuple(ast.ResTarget(name=column.name, val=node) for node, column in made),
        op=SetOperation.SETOP_NONE,
        all=False,
        limitOption=LimitOption.LIMIT_OPTION_DEFAULT,
        groupDistinct=False,
    )
    _name_apart(select)
    first = item.functions[0][0]
    name = last_name(first) if isinstance(first, ast.FuncCall) else str(getattr(first, "op", "value"))
    return select, tuple(column for _, column in made), name


def _called(
    node: Any, walk: Walk, place: Place, users: UserCalls | None
) -> tuple[list[tuple[Any, Column]], list[Typed]]:
    if users is not None and users.in_python(node) is not None:
        found = users.arrays(walk, node, place)
        return [(element, column) for _, element, column in found], [array for array, _, _ in found]
    if not set_functions.is_set(node):
        typed = walk.expression(node, place)
        name = last_name(node) if isinstance(node, ast.FuncCall) else "value"
        return [(typed.node, Column(name, typed.kind))], []
    name, position = last_name(node), walk.at(node)
    arguments = [walk.expression(argument, place) for argument in node.args or ()]
    if (columns := jsonb.arrays_of(name, arguments, position)) is not None:
        called = [(set_functions.rows_of(array).node, Column(column, array.kind)) for array, column in columns]
        return called, [array for array, _ in columns]
    if name == "unnest" and len(arguments) > 1:
        arrays = [set_functions.array_of(name, [argument], walk.zoning, position) for argument in arguments]
    else:
        arrays = [set_functions.array_of(name, arguments, walk.zoning, position)]
    return [column for array in arrays for column in set_functions.columns_of(array, name)], arrays


def _name_apart(select: Any) -> None:
    """The alias outside names the columns; in here they only must not be called alike."""
    for i, target in enumerate(select.targetList):
        target.name = f"__f{i}"
