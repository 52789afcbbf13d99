"""FOR SYSTEM_TIME AS OF an event time: the version of each key that held then, which is an ASOF join.

A versioned relation has a time column, and its rows are versions: a row holds
for its key from its time on, until the time of the key's next row. Which
column that is, the relation says itself: the one its watermark is declared
for, or the one time of a table's primary key.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
from pglast import ast

from constellationdb.errors import FeatureNotSupported
from constellationdb.planner.relations import PlannedRelation
from constellationdb.planner.rewrite.asof import conjuncts, mark, order
from constellationdb.planner.rewrite.tree import nodes, parse_expression, strings
from constellationdb.planner.statements import Query, TemporalClause

Find = Callable[[str, str | None], PlannedRelation | None]
_NOW_HINT = "FOR SYSTEM_TIME AS OF PROCTIME() joins the row as it is known now"
_BEFORE = len("SELECT ")


def mark_versions(tree: Any, query: Query, find: Find) -> None:
    """Make an ASOF join of every join with a relation as of an event time."""
    for clause in query.temporal:
        if clause.as_of is not None:
            _mark(tree, clause, query, find)


def _mark(tree: Any, clause: TemporalClause, query: Query, find: Find) -> None:
    position = clause.position + 1
    join = next((j for j in nodes(tree) if _joins(j, clause.relation_position)), None)
    if join is None or join.quals is None:
        raise FeatureNotSupported(
            "FOR SYSTEM_TIME AS OF an event time belongs to the right side of a JOIN … ON", position=position
        )
    table = join.rarg
    relation = find(table.relname, table.schemaname)
    if relation is None and not any(
        isinstance(n, ast.CommonTableExpr) and n.ctename == table.relname for n in nodes(tree)
    ):
        return  # there is no such relation, which is said later
    if relation is None:
        raise FeatureNotSupported(
            f'"{table.relname}" has no versions: FOR SYSTEM_TIME AS OF needs a table, source or materialized view',
            position=position,
        )
    column = version_time(relation, position)
    name = table.alias.aliasname if table.alias is not None else table.relname
    time = ast.ColumnRef(fields=(ast.String(sval=name), ast.String(sval=column)), location=clause.relation_position)
    keys = conjuncts(join.quals)
    _check_keys(relation, column, keys, position)
    moment = _moment(clause, query)
    mark(join, [order(moment, time, clause.as_of_position - query.offset), *keys], position, query.offset)


def _joins(node: Any, location: int) -> bool:
    return isinstance(node, ast.JoinExpr) and isinstance(node.rarg, ast.RangeVar) and node.rarg.location == location


def _moment(clause: TemporalClause, query: Query) -> Any:
    """The expression, parsed behind as many blanks as make its locations those of the query."""
    assert clause.as_of is not None
    return parse_expression(" " * (clause.as_of_position - query.offset - _BEFORE) + clause.as_of)


def version_time(relation: PlannedRelation, position: int | None = None) -> str:
    """The column that says from when on a row of ``relation`` holds; refused where there is none."""
    times = [relation.schema.field(i).name for i in relation.times]
    if not times and relation.kind == "table":
        times = [n for n in relation.primary_key if pa.types.is_timestamp(relation.schema.field(n).type)]
    if len(times) == 1:
        return str(times[0])
    if len(times) > 1:
        raise FeatureNotSupported(
            f'"{relation.name}" has several event times: {", ".join(times)}',
            hint="write ASOF JOIN with the one that is meant",
            position=position,
        )
    hint = _NOW_HINT
    if relation.kind == "table":
        hint = "put the time from which a row holds into the PRIMARY KEY, and INSERT a row for every version"
    elif relation.kind in ("view", "materialized view"):
        hint = "write ASOF JOIN … ON l.key = r.key AND l.ts >= r.ts"
    elif relation.kind == "source":
        hint = "declare WATERMARK FOR its event time"
    raise FeatureNotSupported(
        f'{relation.kind} "{relation.name}" has no event time, so it has no versions', hint=hint, position=position
    )


def _check_keys(relation: PlannedRelation, time: str, keys: list[Any], position: int) -> None:
    """A version is one of a whole key."""
    named = {strings(node)[-1] for node in nodes(keys) if isinstance(node, ast.ColumnRef) and strings(node)}
    missing = [n for n in relation.primary_key if n != time and n not in named]
    if missing:
        raise FeatureNotSupported(
            f'the join with the versions of "{relation.name}" must compare its whole key',
            detail=f"Missing: {', '.join(missing)}.",
            position=position,
        )
