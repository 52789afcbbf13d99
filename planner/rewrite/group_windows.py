"""Windows in GROUP BY, as Flink had them first, as windows in FROM.

    SELECT TUMBLE_START(ts, INTERVAL '1' HOUR), count(*) FROM trade GROUP BY TUMBLE(ts, INTERVAL '1' HOUR)
    SELECT window_start AS tumble_start, count(*) FROM TUMBLE(trade, ts, INTERVAL '1' HOUR) AS trade
    GROUP BY window_start, window_end

The bare value is the window's start. Sessions are told apart by what else is grouped by.
"""

from __future__ import annotations

from typing import Any

from pglast import ast
from pglast.enums import SetOperation

from constellationdb.errors import FeatureNotSupported, GroupingError
from constellationdb.planner.rewrite.tree import last_name, nodes, replace, strings, to_sql
from constellationdb.planner.rewrite.windows import FORMS

_EDGES = {f"{kind}{suffix}": edge for kind in FORMS for suffix, edge in (
    ("", "window_start"), ("_start", "window_start"), ("_end", "window_end"))}  # fmt: skip


def expand_group_windows(tree: Any, offset: int) -> Any:
    """In place, every SELECT of ``tree`` by itself."""
    for node in list(nodes(tree)):
        if isinstance(node, ast.SelectStmt) and node.op == SetOperation.SETOP_NONE and node.groupClause:
            _expand(node, offset)
    return tree


def _expand(select: Any, offset: int) -> None:
    keys = [_meant(select, key) for key in select.groupClause]
    windows = {to_sql(key): key for key in keys if _is_call(key, FORMS)}
    if not windows:
        return
    window, *others = windows.values()
    if others:
        raise FeatureNotSupported("a query is grouped by one window", position=others[0].location + offset + 1)
    kind, wanted = last_name(window), _said(window)
    alias = _into_from(select, window, [_target(select, key) for key in keys if not _is_call(key, FORMS)], offset)
    edges = {name: edge for name, edge in _EDGES.items() if name.startswith(kind)}
    for target in select.targetList:
        if target.name is None and _is_call(target.val, edges):
            target.name = last_name(target.val)
    bounds = tuple(_column(alias, edge) for edge in ("window_start", "window_end"))
    select.groupClause = tuple(node for key in keys for node in (bounds if _is_call(key, FORMS) else (key,)))

    def column(node: Any) -> Any:
        if not _is_call(node, edges) or node.over is not None:
            return None
        if _said(node) != wanted:
            raise GroupingError(
                f"{last_name(node).upper()} is of another window than GROUP BY has",
                position=node.location + offset + 1,
            )
        return _column(alias, edges[last_name(node)])

    for clause in ("targetList", "havingClause", "sortClause"):
        if getattr(select, clause) is not None:
            setattr(select, clause, replace(getattr(select, clause), column))


def _meant(select: Any, key: Any) -> Any:
    """What is grouped by: a name or number may stand for a target that is a window."""
    target = _target(select, key)
    return target if _is_call(target, FORMS) else key


def _target(select: Any, key: Any) -> Any:
    """The target that a key in GROUP BY is the name or the number of, or the key itself."""
    if isinstance(key, ast.A_Const) and isinstance(key.val, ast.Integer):
        found = [t.val for t in select.targetList[key.val.ival - 1 : key.val.ival]]
    elif isinstance(key, ast.ColumnRef):
        found = [t.val for t in select.targetList if t.name is not None and [t.name] == strings(key)]
    else:
        found = []
    return found[0] if found else key


def _is_call(node: Any, names: Any) -> bool:
    return isinstance(node, ast.FuncCall) and last_name(node) in names


def _arguments(call: Any) -> Any:
    return tuple(call.args or ())


def _said(call: Any) -> list[str]:
    """The arguments of a call as text, the time column without its relation."""
    return [strings(a)[-1] if isinstance(a, ast.ColumnRef) else to_sql(a) for a in _arguments(call)]


def _into_from(select: Any, window: Any, keys: list[Any], offset: int) -> str:
    """Make the relation that has the time column a windowed one; its alias."""
    position = window.location + offset + 1
    time, *amounts = _arguments(window) or (None,)
    names = strings(time) if isinstance(time, ast.ColumnRef) else []
    tables = [t for t in nodes(select.fromClause) if isinstance(t, ast.RangeVar)]
    chosen = [t for t in tables if names[:-1] in ([], [_called(t)])]
    if not names or len(chosen) != 1 or any(not isinstance(t, ast.RangeVar) for t in select.fromClause):
        raise FeatureNotSupported(
            f"{last_name(window).upper()} in GROUP BY needs the time column of a relation in FROM",
            hint=f"write FROM {FORMS[last_name(window)].usage}",
            position=position,
        )
    table, alias = chosen[0], _called(chosen[0])
    given = [_table(table)]
    if last_name(window) == "session":
        given += [_bare(strings(key)[-1]) for key in keys if _is_column(key, alias, position)]
    call = ast.FuncCall(funcname=window.funcname, args=(*given, _bare(names[-1]), *amounts), location=window.location)
    function = ast.RangeFunction(functions=((call, None),), alias=table.alias or ast.Alias(aliasname=alias))
    select.fromClause = tuple(function if item is table else item for item in select.fromClause)
    return alias


def _is_column(key: Any, alias: str, position: int) -> bool:
    """Whether a key is a column of the windowed relation; one that is computed would have to be so before."""
    if not isinstance(key, ast.ColumnRef):
        raise FeatureNotSupported(
            "SESSION in GROUP BY needs the other keys to be columns",
            hint="write FROM SESSION((SELECT …) PARTITION BY key, time_column, gap)",
            position=position,
        )
    return strings(key)[:-1] in ([], [alias])


def _called(table: Any) -> str:
    name: str = table.alias.aliasname if table.alias is not None else table.relname
    return name


def _table(table: Any) -> Any:
    names = [table.relname] if table.schemaname is None else [table.schemaname, table.relname]
    return ast.ColumnRef(fields=tuple(ast.String(sval=name) for name in names))


def _bare(name: str) -> Any:
    return ast.ColumnRef(fields=(ast.String(sval=name),))


def _column(alias: str, name: str) -> Any:
    return ast.ColumnRef(fields=(ast.String(sval=alias), ast.String(sval=name)))
