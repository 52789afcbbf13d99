"""SELECT, VALUES, WITH, TABLE, and SUBSCRIBE around them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NoReturn

from constellationdb.errors import FeatureNotSupported, SqlSyntaxError
from constellationdb.planner.statements import CreateTableAs, Query, Select, Subscribe
from constellationdb.planner.syntax import postgres
from constellationdb.planner.syntax.cursor import Cursor
from constellationdb.planner.syntax.edits import overlay
from constellationdb.planner.syntax.emit import instant
from constellationdb.planner.syntax.mask import Masked, mask
from constellationdb.planner.syntax.names import Name
from constellationdb.planner.syntax.options import boolean_option, read_options
from constellationdb.planner.syntax.tokens import Region

_SELECT_FROM = "SELECT * FROM "


def select(region: Region) -> Select:
    return Select(region.text, region.start, read_query(region).query())


def select_statement(region: Region) -> Select | CreateTableAs:
    """A query, or SELECT … INTO, which is CREATE TABLE … AS in other words."""
    at = _into(region)
    return select(region) if at is None else _select_into(region, at)


def read_query(region: Region) -> Masked:
    """The region masked and found to be a query that only reads."""
    if region.lo >= region.hi:
        raise region.source.error_at(region.hi)
    masked = mask(region)
    if postgres.check(region, masked.text) != "SelectStmt":
        raise region.source.error_at(region.lo)
    if (at := _into(region)) is not None:
        raise _not_here(region, at)
    return masked


def _into(region: Region) -> int | None:
    """Where INTO is: a reserved word, and inside brackets it is an error, which Postgres tells."""
    depth = 0
    for i in range(region.lo, region.hi):
        word = region.source.tokens[i].word
        depth += (word == "(") - (word == ")")
        if word == "into" and depth == 0:
            return i
    return None


def _select_into(region: Region, at: int) -> CreateTableAs:
    node = postgres.tree(region, mask(region).text)
    into = getattr(node, "intoClause", None)
    if into is None:  # of the second query of a UNION, say
        raise _not_here(region, at)
    if into.rel.relpersistence == "u":
        raise FeatureNotSupported("an UNLOGGED table is not supported", position=region.start + 1)
    cursor = Cursor(region)
    cursor.index = at + 1
    while cursor.peek().word in ("temporary", "temp", "local", "global", "table"):
        cursor.next()
    name = cursor.name()
    blank = (region.source.tokens[at].start, region.source.tokens[cursor.index - 1].end, "")
    masked = mask(region)
    masked.refuse_streaming("SELECT INTO")
    query = masked.query()
    return CreateTableAs(
        text=region.text,
        offset=region.start,
        name=name.reference,
        query=replace(query, text=overlay(query.text, [blank], region.start)),
        name_position=name.position,
        temporary="preserve" if into.rel.relpersistence == "t" else None,
    )


def _not_here(region: Region, at: int) -> SqlSyntaxError:
    position = region.source.tokens[at + 1].start + 1
    return SqlSyntaxError("SELECT ... INTO is not allowed here", position=position)


@dataclass(slots=True)
class _Clauses:
    """What stands behind the relation or query of a SUBSCRIBE."""

    snapshot: bool = True
    progress: bool = False
    as_of: int | None = None
    as_of_time: str | None = None
    at_least: bool = False
    where: Region | None = None


def subscribe(region: Region) -> Subscribe:
    cursor = Cursor(region)
    cursor.expect("subscribe")
    cursor.accept("to")
    position, lo = cursor.position, cursor.index
    name: Name | None = None
    query: Query | None = None
    if cursor.at("("):
        query = _inner_query(cursor.group())
    else:
        name = cursor.name()
    hi = cursor.index
    clauses = _read_clauses(cursor)
    if clauses.where is not None:
        if query is not None:
            raise SqlSyntaxError(
                'syntax error at or near "WHERE"',
                hint="put the condition inside the query",
                position=region.source.tokens[clauses.where.lo - 1].start + 1,
            )
        name, query = None, _filtered(region, lo, hi, clauses.where)
    relation = None if name is None else name.reference
    return Subscribe(
        region.text,
        region.start,
        relation,
        query,
        clauses.snapshot,
        clauses.progress,
        clauses.as_of,
        position,
        clauses.as_of_time,
        clauses.at_least,
    )


def _inner_query(region: Region) -> Query:
    masked = read_query(region)
    if masked.looks_back:
        raise FeatureNotSupported(
            "AS OF inside the query of a SUBSCRIBE is not supported",
            hint="put it behind the brackets",
            position=region.start + 1,
        )
    return masked.query()


def _filtered(region: Region, lo: int, hi: int, where: Region) -> Query:
    """SUBSCRIBE name WHERE p as SELECT * FROM name WHERE p, name and p keeping their places.

    The text begins before the name by as much as ``SELECT * FROM`` is longer
    than what the client wrote, so the offset may be below zero.
    """
    name = region.of(lo, hi)
    condition = region.of(where.lo - 1, where.hi)
    blank = " " * (condition.start - name.end)
    text = f"{_SELECT_FROM}{name.text}{blank}{condition.scanned}"
    offset = name.start - len(_SELECT_FROM)
    if postgres.check(where, text, offset) != "SelectStmt":
        raise region.source.error_at(where.lo)
    return Query(text, offset)


def _read_clauses(cursor: Cursor) -> _Clauses:
    clauses = _Clauses()
    while not cursor.done:
        if cursor.at("with", "("):
            _read_with(cursor, clauses)
        elif clauses.as_of is None and clauses.as_of_time is None and cursor.accept("as", "of"):
            _read_as_of(cursor, clauses)
        elif clauses.where is None and cursor.at("where"):
            clauses.where = _condition(cursor)
        else:
            _refuse_clause(cursor)
    return clauses


def _read_as_of(cursor: Cursor, clauses: _Clauses) -> None:
    if cursor.accept("timestamp"):
        clauses.as_of_time = instant(cursor)
        return
    clauses.at_least = cursor.accept("at", "least")
    cursor.expect("epoch")
    clauses.as_of = cursor.integer()


def _read_with(cursor: Cursor, clauses: _Clauses) -> None:
    cursor.expect("with")
    position = cursor.position
    for key, value in read_options(cursor.group()).items():
        if key == "snapshot":
            clauses.snapshot = boolean_option(key, value, position)
        elif key == "progress":
            clauses.progress = boolean_option(key, value, position)
        else:
            raise SqlSyntaxError(
                f'unrecognized SUBSCRIBE option "{key}"', hint="known are snapshot and progress", position=position + 1
            )


def _condition(cursor: Cursor) -> Region:
    """What follows WHERE, up to WITH ( or AS OF, which no condition contains outside brackets."""
    cursor.expect("where")
    lo = cursor.index
    while not cursor.done and not cursor.at("with", "(") and not cursor.at("as", "of"):
        if cursor.at("("):
            cursor.group()
        else:
            cursor.next()
    if cursor.index == lo:
        raise cursor.error()
    return cursor.region.of(lo, cursor.index)


def _refuse_clause(cursor: Cursor) -> NoReturn:
    position = cursor.position + 1
    for words in (("envelope",), ("within",), ("up", "to"), ("emit",)):
        if cursor.at(*words):
            raise FeatureNotSupported(f"{' '.join(words).upper()} in SUBSCRIBE is not supported", position=position)
    raise cursor.error()
