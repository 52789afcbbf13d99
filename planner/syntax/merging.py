"""MERGE: Postgres' parser judges it, then the tokens are walked for its parts.

MERGE INTO t USING s ON t.id = s.id WHEN MATCHED AND s.gone THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (…)
"""

from __future__ import annotations

from typing import Any

from constellationdb.errors import DuplicateAlias, FeatureNotSupported, SqlSyntaxError
from constellationdb.planner.statements import Merge, MergeAction, Statement
from constellationdb.planner.syntax import postgres
from constellationdb.planner.syntax.changes import (
    assignments,
    checked,
    insert_columns,
    overriding,
    refuse_temporal,
    skip_with,
)
from constellationdb.planner.syntax.cursor import Cursor
from constellationdb.planner.syntax.tokens import Region


def merge(region: Region) -> Statement:
    masked = checked(region)
    masked.refuse_streaming("MERGE")
    refuse_temporal(masked, "MERGE")
    cursor = Cursor(region)
    with_clause = skip_with(cursor, "merge", "into")
    node = postgres.tree(region)
    cursor.expect("merge", "into")
    cursor.accept("only")
    name = cursor.name()
    alias = None
    if not cursor.at("using"):
        cursor.accept("as")
        alias = cursor.identifier()
    cursor.expect("using")
    source, condition = _source_and_condition(cursor)
    source_alias = _alias_of(node.sourceRelation, region)
    if source_alias == (alias or name.parts[-1]):
        raise DuplicateAlias(
            f'name "{source_alias}" specified more than once',
            detail="The name is used both as MERGE target table and data source.",
        )
    actions = []
    while not cursor.done:
        actions.append(_action(cursor))
    _check_reachable(actions)
    return Merge(
        region.text,
        region.start,
        name.reference,
        alias,
        source.text,
        source_alias,
        condition.text,
        tuple(actions),
        name.position,
        with_clause=with_clause,
    )


def _check_reachable(actions: list[MergeAction]) -> None:
    ended: set[bool] = set()
    for action in actions:
        if action.matched in ended:
            raise SqlSyntaxError("unreachable WHEN clause specified after unconditional WHEN clause")
        if action.condition is None:
            ended.add(action.matched)


def _alias_of(source: Any, region: Region) -> str:
    alias: str | None = None if source.alias is None else source.alias.aliasname
    alias = alias or getattr(source, "relname", None)
    if alias is None:
        raise FeatureNotSupported(
            "this source of MERGE is not supported", hint="write USING (SELECT …) AS name", position=region.start + 1
        )
    return alias


def _source_and_condition(cursor: Cursor) -> tuple[Region, Region]:
    """Up to the first WHEN that is of no CASE; the last ON before it parts the two."""
    lo = cursor.index
    on = _walk(cursor, ("when",), "on")
    assert on is not None, "Postgres' grammar has seen it"
    return cursor.region.of(lo, on), cursor.region.of(on + 1, cursor.index)


def _walk(cursor: Cursor, stops: tuple[str, ...], mark: str = "") -> int | None:
    """To one of ``stops`` outside of brackets and CASE; where ``mark`` stood last on the way."""
    cases, found = 0, None
    while not cursor.done and not (cases == 0 and cursor.peek().word in stops):
        if mark and cases == 0 and cursor.at(mark):
            found = cursor.index
        cases += cursor.at("case")
        cases -= cursor.at("end")
        if cursor.at("(") or cursor.at("["):
            cursor.index = cursor.source.matching(cursor.index, cursor.region.hi) + 1
        else:
            cursor.next()
    return found


def _action(cursor: Cursor) -> MergeAction:
    cursor.expect("when")
    matched = not cursor.accept("not")
    cursor.expect("matched")
    condition = None
    if cursor.accept("and"):
        lo = cursor.index
        _walk(cursor, ("then",))
        condition = cursor.region.slice(lo, cursor.index)
    cursor.expect("then")
    if cursor.accept("do", "nothing"):
        return MergeAction(matched, condition, "nothing")
    if cursor.accept("delete"):
        return MergeAction(matched, condition, "delete")
    if cursor.accept("update", "set"):
        return MergeAction(matched, condition, "update", assignments(_up_to_when(cursor), ()))
    cursor.expect("insert")
    columns = insert_columns(cursor)
    ignored = overriding(cursor)
    if cursor.accept("default", "values"):
        return MergeAction(matched, condition, "insert", columns=columns, overriding=ignored)
    cursor.expect("values")
    values = _listed(Cursor(cursor.group()))
    return MergeAction(matched, condition, "insert", columns=columns, values=values, overriding=ignored)


def _up_to_when(cursor: Cursor) -> Cursor:
    lo = cursor.index
    _walk(cursor, ("when",))
    return Cursor(cursor.region.of(lo, cursor.index))


def _listed(cursor: Cursor) -> tuple[str, ...]:
    found = []
    while not cursor.done:
        lo = cursor.index
        _walk(cursor, (",",))
        found.append(cursor.region.slice(lo, cursor.index))
        cursor.accept(",")
    return tuple(found)
