"""INSERT, UPDATE, DELETE: Postgres' parser judges them, then the tokens are walked for the parts.

Expressions are handed on as the client's own text.
"""

from __future__ import annotations

from constellationdb.errors import FeatureNotSupported
from constellationdb.planner.statements import Delete, Insert, OnConflict, Query, Statement, Update
from constellationdb.planner.syntax import postgres
from constellationdb.planner.syntax.cursor import Cursor
from constellationdb.planner.syntax.edits import overlay
from constellationdb.planner.syntax.mask import Masked, mask
from constellationdb.planner.syntax.queries import refuse_changing_ctes
from constellationdb.planner.syntax.rows import Rows, read_rows
from constellationdb.planner.syntax.tokens import Region

_QUERY_STARTS = frozenset(("select", "with", "table", "("))


def insert(region: Region, rows: Rows | None = None) -> Statement:
    """``rows`` are those a long VALUES list was already read into, of which the region shows the first."""
    masked = _checked(region)
    masked.refuse_streaming("INSERT")
    cursor = Cursor(region)
    with_end = _skip_with(cursor)
    cursor.expect("insert", "into")
    name = cursor.name()
    _refuse(cursor, "an alias of INSERT's table", cursor.at("as"))
    columns = _insert_columns(cursor)
    _refuse(cursor, "OVERRIDING", cursor.at("overriding"))
    source_lo = cursor.index
    source_hi = cursor.index if cursor.accept("default", "values") else _skip_insert_source(cursor)
    conflict = _on_conflict(cursor) if cursor.at("on") else None
    returning = _returning(cursor)
    source = region.of(source_lo, source_hi)
    is_default = region.source.tokens[source_lo].word == "default"
    if rows is None and region.source.tokens[source_lo].word == "values" and with_end == region.lo:
        rows = read_rows(source)
    query = None if is_default else _insert_query(masked, source, with_end)
    return Insert(region.text, region.start, name.reference, columns, query, rows, conflict, returning, name.position)


def update(region: Region) -> Statement:
    masked = _checked(region)
    masked.refuse_streaming("UPDATE")
    cursor = Cursor(region)
    _refuse(cursor, "WITH before UPDATE", cursor.at("with"))
    _refuse_temporal(masked, "UPDATE")
    cursor.expect("update")
    cursor.accept("only")
    name = cursor.name()
    alias = _alias(cursor, "set")
    cursor.expect("set")
    assignments = _assignments(cursor, ("from", "where", "returning"))
    from_clause = _clause(cursor, "from", ("where", "returning"))
    where = _where(cursor)
    return Update(
        region.text,
        region.start,
        name.reference,
        alias,
        assignments,
        from_clause,
        where,
        _returning(cursor),
        name.position,
    )


def delete(region: Region) -> Statement:
    masked = _checked(region)
    masked.refuse_streaming("DELETE")
    cursor = Cursor(region)
    _refuse(cursor, "WITH before DELETE", cursor.at("with"))
    _refuse_temporal(masked, "DELETE")
    cursor.expect("delete", "from")
    cursor.accept("only")
    name = cursor.name()
    alias = _alias(cursor, "using")
    using = _clause(cursor, "using", ("where", "returning"))
    where = _where(cursor)
    return Delete(region.text, region.start, name.reference, alias, using, where, _returning(cursor), name.position)


def _checked(region: Region) -> Masked:
    masked = mask(region)
    postgres.check(region, masked.text)
    refuse_changing_ctes(region)
    return masked


def _refuse(cursor: Cursor, what: str, is_used: bool) -> None:
    if is_used:
        raise FeatureNotSupported(f"{what} is not supported", position=cursor.position + 1)


def _refuse_temporal(masked: Masked, statement: str) -> None:
    if masked.temporal:
        raise FeatureNotSupported(
            f"FOR SYSTEM_TIME in {statement} is not supported", position=masked.temporal[0].position + 1
        )
    if masked.asof:
        raise FeatureNotSupported(f"ASOF JOIN in {statement} is not supported", position=masked.asof[0].position + 1)


def _skip_with(cursor: Cursor) -> int:
    """Behind a WITH list, where the INSERT begins."""
    while not cursor.at("insert", "into"):
        _step(cursor)
    return cursor.index


def _insert_query(masked: Masked, source: Region, with_end: int) -> Query:
    """The source of rows; a WITH list before INSERT stays before it, with the words between blanked."""
    region = masked.region
    if with_end == region.lo:
        query = masked.query(source)
        return query if source.text == source.scanned else Query(source.text, source.start)
    whole = region.of(region.lo, source.hi)
    insert_start = region.source.tokens[with_end].start
    text = masked.query(whole)
    blanked = overlay(text.text, [(insert_start, source.start, "")], region.start)
    return Query(blanked, region.start, temporal=text.temporal, asof=text.asof)


def _insert_columns(cursor: Cursor) -> tuple[str, ...]:
    if not cursor.at("(") or cursor.peek(1).word in _QUERY_STARTS or cursor.at("(", "values", "("):
        return ()
    inside = Cursor(cursor.group())
    columns: list[str] = []
    while not inside.done:
        columns.append(inside.identifier())
        _refuse(inside, "a part of a column as INSERT's target", inside.at(".") or inside.at("["))
        inside.accept(",")
    return tuple(columns)


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
    cursor.expect("on", "conflict")
    _refuse(cursor, "ON CONFLICT ON CONSTRAINT", cursor.at("on"))
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
        return OnConflict(tuple(target))
    cursor.expect("update", "set")
    assignments = _assignments(cursor, ("where", "returning"))
    return OnConflict(tuple(target), assignments, _clause(cursor, "where", ("returning",)))


def _alias(cursor: Cursor, stop: str) -> str | None:
    cursor.accept("*")
    if cursor.accept("as"):
        return cursor.identifier()
    if cursor.peek().is_identifier and not cursor.at(stop):
        return cursor.identifier()
    return None


def _assignments(cursor: Cursor, stops: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    while True:
        _refuse(cursor, "SET (a, b) = …", cursor.at("("))
        column = cursor.identifier()
        _refuse(cursor, "SET on a part of a column", cursor.at(".") or cursor.at("["))
        cursor.expect("=")
        found.append((column, _expression(cursor, (",", *stops))))
        if not cursor.accept(","):
            return tuple(found)


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
