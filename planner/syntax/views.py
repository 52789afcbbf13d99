"""CREATE VIEW, CREATE MATERIALIZED VIEW (and CREATE STREAM … AS, another word for a view), CREATE TABLE … AS."""

from __future__ import annotations

from typing import Any

from constellationdb.errors import FeatureNotSupported
from constellationdb.planner.statements import CreateTableAs, CreateView, Query, Statement
from constellationdb.planner.syntax import postgres
from constellationdb.planner.syntax.cursor import Cursor
from constellationdb.planner.syntax.definitions import on_commit
from constellationdb.planner.syntax.edits import Edit, overlay
from constellationdb.planner.syntax.mask import Masked, mask
from constellationdb.planner.syntax.names import of_range_var
from constellationdb.planner.syntax.options import read_options
from constellationdb.planner.syntax.tokens import Region


def create_view(region: Region) -> Statement:
    cursor = Cursor(region)
    cursor.expect("create")
    edits: list[Edit] = []
    begin = cursor.position
    replaces = cursor.accept("or", "replace")
    if replaces and cursor.at("materialized"):  # Postgres knows OR REPLACE for plain views only
        edits.append((begin, region.source.tokens[cursor.index - 1].end, ""))
    if cursor.at("stream"):
        edits.append((cursor.position, region.source.tokens[cursor.index].end, "VIEW"))
    options = _options(cursor, edits)
    masked, text = _mask_query(region, cursor, edits)
    return _view(region, masked, postgres.tree(region, text), options, replaces)


def _view(region: Region, masked: Masked, node: Any, options: dict[str, str], replaces: bool) -> CreateView:
    materialized = type(node).__name__ == "CreateTableAsStmt"
    relation = node.into.rel if materialized else node.view
    columns = node.into.colNames if materialized else node.aliases
    _refuse_view_features(region, node, materialized)
    name = of_range_var(relation, region.start)
    return CreateView(
        text=region.text,
        offset=region.start,
        name=name.reference,
        query=_present(masked),
        column_names=tuple(column.sval for column in columns or ()),
        materialized=materialized,
        if_not_exists=materialized and bool(node.if_not_exists),
        or_replace=replaces,
        options=options,
        name_position=name.position,
        temporary=relation.relpersistence == "t" or relation.schemaname == "pg_temp",
    )


def create_table_as(region: Region) -> Statement:
    cursor = Cursor(region)
    edits: list[Edit] = []
    options = _options(cursor, edits)
    masked, text = _mask_query(region, cursor, edits)
    node = postgres.tree(region, text)
    masked.refuse_streaming("CREATE TABLE AS")
    _refuse_table_as_features(region, node, options)
    name = of_range_var(node.into.rel, region.start)
    return CreateTableAs(
        text=region.text,
        offset=region.start,
        name=name.reference,
        query=masked.query(),
        if_not_exists=bool(node.if_not_exists),
        name_position=name.position,
        column_names=tuple(column.sval for column in node.into.colNames or ()),
        with_data=not node.into.skipData,
        temporary=on_commit(node.into.rel, node.into.onCommit),
    )


def is_table_as(region: Region) -> bool:
    """Whether a CREATE … TABLE has AS outside brackets."""
    cursor = Cursor(region)
    _skip_to_as(cursor)
    return not cursor.done


def _options(cursor: Cursor, edits: list[Edit]) -> dict[str, str]:
    """WITH (…) before AS; the cursor is left at AS."""
    options: dict[str, str] = {}
    while not cursor.done and not cursor.at("as"):
        if cursor.at("with", "("):
            begin = cursor.position
            cursor.expect("with")
            options = read_options(cursor.group())
            edits.append((begin, cursor.source.tokens[cursor.index - 1].end, ""))
        else:
            _step(cursor)
    return options


def _skip_to_as(cursor: Cursor) -> None:
    while not cursor.done and not cursor.at("as"):
        _step(cursor)


def _step(cursor: Cursor) -> None:
    if cursor.at("("):
        cursor.index = min(cursor.source.matching(cursor.index, cursor.region.hi) + 1, cursor.region.hi)
    else:
        cursor.next()


def _present(masked: Masked) -> Query:
    """A view follows its relations: it cannot stay at an epoch."""
    query = masked.query()
    if query.looks_back:
        raise FeatureNotSupported("AS OF is not supported in a view", position=query.offset + 1)
    return query


def _mask_query(region: Region, cursor: Cursor, edits: list[Edit]) -> tuple[Masked, str]:
    """The masked query behind AS, and the whole statement as Postgres can read it."""
    cursor.accept("as")
    query = region.of(cursor.index, _without_data_clause(region))
    if query.lo >= query.hi:  # no AS, or nothing behind it: Postgres says what is missing
        postgres.check(region, overlay(region.scanned, edits, region.start))
        raise region.source.error_at(region.hi)
    masked = mask(query)
    text = overlay(region.scanned, [*edits, (query.start, query.end, masked.text)], region.start)
    return masked, text


def _without_data_clause(region: Region) -> int:
    """Where the query ends: WITH [NO] DATA and WITH [LOCAL | CASCADED] CHECK OPTION are not part of it."""
    words = [token.word for token in region.source.tokens[max(region.hi - 4, region.lo) : region.hi]]
    for tail in (
        ["with", "data"],
        ["with", "no", "data"],
        ["with", "check", "option"],
        ["with", "local", "check", "option"],
        ["with", "cascaded", "check", "option"],
    ):
        if words[-len(tail) :] == tail:
            return region.hi - len(tail)
    return region.hi


def _refuse_view_features(region: Region, node: Any, materialized: bool) -> None:
    with_clause = getattr(node.query, "withClause", None)
    if with_clause is not None and any(type(cte.ctequery).__name__ != "SelectStmt" for cte in with_clause.ctes):
        raise FeatureNotSupported(
            "materialized views must not use data-modifying statements in WITH"
            if materialized
            else "views must not contain data-modifying statements in WITH"
        )
    if materialized:
        _refuse(region, "CREATE MATERIALIZED VIEW … WITH NO DATA", node.into.skipData)
        return
    _refuse(region, "WITH CHECK OPTION", node.withCheckOption is not None and node.withCheckOption.value != 0)


def _refuse_table_as_features(region: Region, node: Any, options: dict[str, str]) -> None:
    _refuse(region, "an UNLOGGED table", node.into.rel.relpersistence == "u")
    _refuse(region, "CREATE TABLE AS EXECUTE", type(node.query).__name__ != "SelectStmt")
    _refuse(region, "WITH options in CREATE TABLE AS", bool(options))


def _refuse(region: Region, what: str, is_used: bool) -> None:
    if is_used:
        raise FeatureNotSupported(f"{what} is not supported", position=region.start + 1)
