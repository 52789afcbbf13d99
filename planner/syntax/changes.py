"""INSERT, UPDATE, DELETE: Postgres' parser judges them, then the tokens are walked for the parts.

Expressions are handed on as the client's own text.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal, TypeAlias

from pglast import ast

from constellationdb.errors import FeatureNotSupported, SqlSyntaxError
from constellationdb.planner.statements import WITH_FIELD, Delete, Insert, OnConflict, Query, Statement, Update
from constellationdb.planner.syntax import postgres
from constellationdb.planner.syntax.cursor import Cursor
from constellationdb.planner.syntax.edits import Edit, identifier, literal, overlay
from constellationdb.planner.syntax.mask import Masked, mask
from constellationdb.planner.syntax.rows import Rows, read_rows
from constellationdb.planner.syntax.tokens import Region

_Defaults: TypeAlias = tuple[int, tuple[tuple[int, int], ...], list[Edit]]

_NO_ROW = "source for a multiple-column UPDATE item must be a sub-SELECT or ROW() expression"
_NO_DEFAULTS: _Defaults = (0, (), [])
_QUERY_STARTS = frozenset(("select", "with", "table", "("))


def insert(region: Region, rows: Rows | None = None) -> Statement:
    """``rows`` are those a long VALUES list was already read into, of which the region shows the first."""
    masked = checked(region)
    masked.refuse_streaming("INSERT")
    cursor = Cursor(region)
    skip_with(cursor, "insert", "into")
    with_end = cursor.index
    cursor.expect("insert", "into")
    name = cursor.name()
    alias = cursor.identifier() if cursor.accept("as") else None
    columns = insert_columns(cursor)
    ignored = overriding(cursor)
    source_lo = cursor.index
    source_hi = cursor.index if cursor.accept("default", "values") else _skip_insert_source(cursor)
    conflict = _on_conflict(cursor) if cursor.at("on") else None
    returning = _returning(cursor)
    source = region.of(source_lo, source_hi)
    is_default = region.source.tokens[source_lo].word == "default"
    if rows is None and region.source.tokens[source_lo].word == "values" and with_end == region.lo:
        rows = read_rows(source)
    is_list = rows is None and region.source.tokens[source_lo].word == "values"
    listed, defaulted, edits = _defaults_in(source) if is_list else _NO_DEFAULTS
    query = None if is_default else _insert_query(masked, source, with_end, edits)
    return Insert(
        region.text,
        region.start,
        name.reference,
        columns,
        query,
        rows,
        conflict,
        returning,
        name.position,
        ignored,
        alias,
        listed,
        defaulted,
    )


def update(region: Region) -> Statement:
    masked = checked(region)
    masked.refuse_streaming("UPDATE")
    cursor = Cursor(region)
    refuse_temporal(masked, "UPDATE")
    with_clause = skip_with(cursor, "update")
    cursor.expect("update")
    cursor.accept("only")
    name = cursor.name()
    alias = _alias(cursor, "set")
    cursor.expect("set")
    changed = assignments(cursor, ("from", "where", "returning"))
    from_clause = _clause(cursor, "from", ("where", "returning"))
    where = _where(cursor)
    return Update(
        region.text,
        region.start,
        name.reference,
        alias,
        changed,
        from_clause,
        where,
        _returning(cursor),
        name.position,
        with_clause,
    )


def delete(region: Region) -> Statement:
    masked = checked(region)
    masked.refuse_streaming("DELETE")
    cursor = Cursor(region)
    refuse_temporal(masked, "DELETE")
    with_clause = skip_with(cursor, "delete", "from")
    cursor.expect("delete", "from")
    cursor.accept("only")
    name = cursor.name()
    alias = _alias(cursor, "using")
    using = _clause(cursor, "using", ("where", "returning"))
    where = _where(cursor)
    return Delete(
        region.text,
        region.start,
        name.reference,
        alias,
        using,
        where,
        _returning(cursor),
        name.position,
        with_clause,
    )


def checked(region: Region) -> Masked:
    masked = mask(region)
    postgres.check(region, masked.text)
    return masked


def _refuse(cursor: Cursor, what: str, is_used: bool) -> None:
    if is_used:
        raise FeatureNotSupported(f"{what} is not supported", position=cursor.position + 1)


def refuse_temporal(masked: Masked, statement: str) -> None:
    if masked.temporal:
        raise FeatureNotSupported(
            f"FOR SYSTEM_TIME in {statement} is not supported", position=masked.temporal[0].position + 1
        )
    if masked.asof:
        raise FeatureNotSupported(f"ASOF JOIN in {statement} is not supported", position=masked.asof[0].position + 1)


def skip_with(cursor: Cursor, *words: str) -> str:
    """The WITH list before the words that the statement begins with."""
    lo = cursor.index
    while not cursor.at(*words) or (cursor.index > lo and cursor.peek(-1).word != ")"):
        _step(cursor)
    return cursor.region.slice(lo, cursor.index) if cursor.index > lo else ""


def _defaults_in(values: Region) -> _Defaults:
    """How many rows VALUES lists, where they say DEFAULT, and the edits that make NULLs of these."""
    cursor = Cursor(values)
    cursor.expect("values")
    found: list[tuple[int, int]] = []
    edits: list[Edit] = []
    row = 0
    while cursor.at("("):
        inside = Cursor(cursor.group())
        place = 0
        while not inside.done:
            if inside.at("default") and (inside.peek(1).word in (",", "") and inside.peek(1).kind == "NO_KEYWORD"):
                found.append((row, place))
                edits.append((inside.position, inside.position + len("default"), "NULL"))
            place += inside.at(",")
            _step(inside)
        row += 1
        cursor.accept(",")
    return row, tuple(found), edits


def _insert_query(masked: Masked, source: Region, with_end: int, edits: list[Edit]) -> Query:
    """The source of rows; a WITH list before INSERT stays before it, with the words between blanked."""
    region = masked.region
    if with_end == region.lo:
        query = masked.query(source)
        if edits:
            return replace(query, text=overlay(query.text, edits, query.offset))
        return query if source.text == source.scanned else Query(source.text, source.start)
    whole = region.of(region.lo, source.hi)
    insert_start = region.source.tokens[with_end].start
    text = masked.query(whole)
    blanked = overlay(text.text, [(insert_start, source.start, ""), *edits], region.start)
    return Query(blanked, region.start, temporal=text.temporal, asof=text.asof)


def insert_columns(cursor: Cursor) -> tuple[str, ...]:
    if not cursor.at("(") or cursor.peek(1).word in _QUERY_STARTS or cursor.at("(", "values", "("):
        return ()
    inside = Cursor(cursor.group())
    columns: list[str] = []
    while not inside.done:
        columns.append(inside.identifier())
        _refuse(inside, "a part of a column as INSERT's target", inside.at(".") or inside.at("["))
        inside.accept(",")
    return tuple(columns)


def overriding(cursor: Cursor) -> Literal["", "system", "user"]:
    if not cursor.accept("overriding"):
        return ""
    kind: Literal["system", "user"] = "system" if cursor.accept("system") else "user"
    if kind == "user":
        cursor.expect("user")
    cursor.expect("value")
    return kind


def _skip_insert_source(cursor: Cursor) -> int:
    """The query ends before RETURNING or before the last ON CONFLICT: an earlier one is a join's condition."""
    conflict: int | None = None
    while not cursor.done and not cursor.at("returning"):
        if cursor.at("on", "conflict"):
            conflict = cursor.index
        _step(cursor)
    cursor.index = cursor.index if conflict is None else conflict
    return cursor.index


def _step(cursor: Cursor) -> None:
    if cursor.at("("):
        cursor.group()
    else:
        cursor.next()


def _on_conflict(cursor: Cursor) -> OnConflict:
    position = cursor.position
    cursor.expect("on", "conflict")
    constraint = cursor.identifier() if cursor.accept("on", "constraint") else None
    target: list[str] = []
    if cursor.at("("):
        inside = Cursor(cursor.group())
        while not inside.done:
            target.append(inside.identifier())
            _refuse(inside, "an expression as ON CONFLICT's target", not inside.done and not inside.at(","))
            inside.accept(",")
        _refuse(cursor, "a partial index as ON CONFLICT's target", cursor.at("where"))
    cursor.expect("do")
    if cursor.accept("nothing"):
        return OnConflict(tuple(target), constraint=constraint)
    cursor.expect("update", "set")
    changed = assignments(cursor, ("where", "returning"))
    if not target and constraint is None:
        raise SqlSyntaxError(
            "ON CONFLICT DO UPDATE requires inference specification or constraint name",
            hint="For example, ON CONFLICT (column_name).",
            position=position + 1,
        )
    return OnConflict(tuple(target), changed, _clause(cursor, "where", ("returning",)), constraint)


def _alias(cursor: Cursor, stop: str) -> str | None:
    cursor.accept("*")
    if cursor.accept("as"):
        return cursor.identifier()
    if cursor.peek().is_identifier and not cursor.at(stop):
        return cursor.identifier()
    return None


def assignments(cursor: Cursor, stops: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    while True:
        if cursor.at("("):
            found += _row_assignment(cursor)
            if not cursor.accept(","):
                return tuple(found)
            continue
        column = cursor.identifier()
        path: list[str] = []
        while cursor.accept("."):
            path.append(cursor.identifier())
        _refuse(cursor, "SET on a part of a column", cursor.at("[") or len(path) > 1)
        cursor.expect("=")
        value = _expression(cursor, (",", *stops))
        if path:
            value, found = _with_field(column, path[0], value, found)
        found.append((column, value))
        if not cursor.accept(","):
            return tuple(found)


def _with_field(column: str, field: str, value: str, found: list[tuple[str, str]]) -> tuple[str, list[tuple[str, str]]]:
    """SET c.f = value: the row that ``c`` is, with another field; and the assignments that are no part of it."""
    before = next((text for name, text in found if name == column), identifier(column))
    made = f"{WITH_FIELD}({before}, {literal(field)}, ({value}), {literal(column)})"
    return made, [assignment for assignment in found if assignment[0] != column]


def _row_assignment(cursor: Cursor) -> list[tuple[str, str]]:
    """(a, b) = (x, y): an assignment for each."""
    columns = Cursor(cursor.group())
    names = []
    while not columns.done:
        names.append(columns.identifier())
        _refuse(columns, "SET on a part of a column", columns.at(".") or columns.at("["))
        columns.accept(",")
    cursor.expect("=")
    is_row, begin = cursor.accept("row"), cursor.index
    if not cursor.at("("):
        raise FeatureNotSupported(_NO_ROW, position=cursor.position + 1)
    position = cursor.position
    group = cursor.group()
    if not is_row and _is_query(group):
        return _of_query(names, group, cursor.region.slice(begin, cursor.index), position)
    values = Cursor(group)
    texts = []
    while not values.done:
        texts.append(_expression(values, (",",)))
        values.accept(",")
    if len(texts) == 1 and not is_row:
        raise FeatureNotSupported(_NO_ROW, position=group.start + 1)
    if len(texts) != len(names):
        raise SqlSyntaxError("number of columns does not match number of values", position=position + 1)
    return list(zip(names, texts, strict=True))


def _is_query(group: Region) -> bool:
    """Whether brackets hold a query, in brackets of its own or not."""
    tokens = group.source.tokens
    lo, hi = group.lo, group.hi
    while lo < hi and tokens[lo].word == "(" and group.source.matching(lo, hi) == hi - 1:
        lo, hi = lo + 1, hi - 1
    return lo < hi and tokens[lo].word in ("select", "with", "values", "table")


def _of_query(names: list[str], group: Region, text: str, position: int) -> list[tuple[str, str]]:
    """(a, b) = (SELECT …): each column gets its own from the one row that there is."""
    width = _width(postgres.tree(group))
    if width is None:
        raise FeatureNotSupported(
            "SET (a, b) = (SELECT * …) is not supported", hint="list the columns", position=position + 1
        )
    if width != len(names):
        raise SqlSyntaxError("number of columns does not match number of values", position=position + 1)
    listed = ", ".join(f"c{i}" for i in range(width))
    return [(name, f'SELECT c{i} FROM {text} AS "#set"({listed})') for i, name in enumerate(names)]


def _width(select: Any) -> int | None:
    """How many columns a query has; None where it says ``*``."""
    while select.larg is not None:
        select = select.larg
    if select.valuesLists:
        return len(select.valuesLists[0])
    targets = select.targetList or ()
    starred = any(isinstance(t.val, ast.ColumnRef) and isinstance(t.val.fields[-1], ast.A_Star) for t in targets)
    return None if starred else len(targets)


def _clause(cursor: Cursor, word: str, stops: tuple[str, ...]) -> str | None:
    return _expression(cursor, stops) if cursor.accept(word) else None


def _where(cursor: Cursor) -> str | None:
    _refuse(cursor, "WHERE CURRENT OF", cursor.at("where", "current", "of"))
    return _clause(cursor, "where", ("returning",))


def _returning(cursor: Cursor) -> str | None:
    _refuse(cursor, "RETURNING WITH", cursor.at("returning", "with"))
    return _clause(cursor, "returning", ())


def _expression(cursor: Cursor, stops: tuple[str, ...]) -> str:
    """The client's text up to one of ``stops`` outside brackets. IS DISTINCT FROM is no FROM."""
    lo = cursor.index
    tokens = cursor.source.tokens
    while not cursor.done:
        if cursor.peek().word in stops and not (cursor.at("from") and tokens[cursor.index - 1].word == "distinct"):
            break
        if cursor.at("["):
            cursor.index = cursor.source.matching(cursor.index, cursor.region.hi) + 1
        else:
            _step(cursor)
    return cursor.region.slice(lo, cursor.index)
