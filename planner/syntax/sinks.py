"""CREATE SINK, ALTER SINK, SHOW SINKS and SHOW CREATE SINK.

    CREATE [OR REPLACE] SINK [IF NOT EXISTS] s [INTO t] FROM v | AS query [WITH (…)]

Postgres has nothing like them, so all but the query is read here.
"""

from __future__ import annotations

from constellationdb.errors import FeatureNotSupported, SqlSyntaxError
from constellationdb.planner.statements import AlterSink, CreateSink, Query, Select, ShowCreateSink, Statement
from constellationdb.planner.syntax.cursor import Cursor
from constellationdb.planner.syntax.names import Name
from constellationdb.planner.syntax.options import read_options, with_options
from constellationdb.planner.syntax.queries import read_query
from constellationdb.planner.syntax.tokens import Region

_SHOWN = "SELECT name, relation, connector, type, state, position, error FROM constellation.sinks ORDER BY name"


def create_sink(region: Region) -> Statement:
    cursor = Cursor(region)
    cursor.expect("create")
    or_replace = cursor.accept("or", "replace")
    cursor.expect("sink")
    position = cursor.position
    if_not_exists = cursor.accept("if", "not", "exists")
    if or_replace and if_not_exists:
        raise SqlSyntaxError("OR REPLACE and IF NOT EXISTS exclude each other", position=position + 1)
    name = cursor.name()
    into = cursor.name() if cursor.accept("into") else None
    relation: Name | None = None
    query: Query | None = None
    text = ""
    if cursor.accept("as"):
        end = _options_at(cursor)
        inside = region.of(cursor.index, end)
        query, text = _query(inside), inside.text
        cursor.index = end
    else:
        cursor.expect("from")
        relation = cursor.name()
    options = with_options(cursor)
    cursor.expect_end()
    return CreateSink(
        region.text,
        region.start,
        name.reference,
        None if relation is None else relation.reference,
        query,
        None if into is None else into.reference,
        options,
        if_not_exists,
        or_replace,
        name.position,
        name.position if relation is None else relation.position,
        name.position if into is None else into.position,
        text,
    )


def _options_at(cursor: Cursor) -> int:
    """Where the query ends: at the WITH (…) that is the last thing of the statement, or at its end."""
    region = cursor.region
    at = Cursor(region)
    at.index = cursor.index
    while not at.done:
        if at.at("with", "(") and at.source.matching(at.index + 1, region.hi) == region.hi - 1:
            return at.index
        if at.at("("):
            at.group()
        else:
            at.next()
    return region.hi


def _query(region: Region) -> Query:
    query = read_query(region).query()
    if query.looks_back:
        raise FeatureNotSupported("AS OF is not supported in a sink", position=query.offset + 1)
    return query


def alter_sink(region: Region) -> Statement:
    """ALTER SINK [IF EXISTS] s SET (…)."""
    cursor = Cursor(region)
    cursor.expect("alter", "sink")
    if_exists = cursor.accept("if", "exists")
    name = cursor.name()
    if not cursor.at("set", "("):
        if cursor.at("rename") or cursor.at("owner") or cursor.at("reset"):
            word = cursor.next().word.upper()
            raise FeatureNotSupported(f"ALTER SINK … {word} is not supported", position=region.start + 1)
        raise cursor.error()
    cursor.expect("set")
    options = read_options(cursor.group())
    cursor.expect_end()
    return AlterSink(region.text, region.start, name.reference, options, if_exists, name.position)


def show(region: Region) -> Statement | None:
    """None for the SHOW of a setting."""
    cursor = Cursor(region)
    cursor.expect("show")
    if cursor.accept("create", "sink"):
        name = cursor.name()
        cursor.expect_end()
        return ShowCreateSink(region.text, region.start, name.reference, name.position)
    if cursor.accept("sinks") and cursor.done:
        return Select(region.text, region.start, Query(_SHOWN, region.start))
    return None
