"""CREATE TABLE, CREATE SOURCE and CREATE LOOKUP TABLE.

All three are read as Postgres' CREATE TABLE: what Postgres does not know (the
other words, WATERMARK, WITH with quoted keys, FORMAT … ENCODE …) is read here
and overwritten in place; Postgres' grammar judges the rest at true positions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from constellationdb.errors import FeatureNotSupported, InvalidDefinition
from constellationdb.planner.statements import (
    CreateLookupTable,
    CreateSource,
    CreateTable,
    OnCommit,
    Statement,
    WatermarkDef,
)
from constellationdb.planner.syntax import postgres
from constellationdb.planner.syntax.columns import Columns, read_columns
from constellationdb.planner.syntax.constraints import ENFORCED, refuse_constraints
from constellationdb.planner.syntax.cursor import Cursor
from constellationdb.planner.syntax.edits import Edit, overlay
from constellationdb.planner.syntax.names import Name
from constellationdb.planner.syntax.options import merge_options, read_options
from constellationdb.planner.syntax.tokens import Region
from constellationdb.planner.syntax.watermark import check_watermark, find_watermark


@dataclass(slots=True)
class Header:
    """What was read by ourselves; ``edits`` make the rest a CREATE TABLE."""

    region: Region
    kind: str
    name: Name
    or_replace: bool = False
    if_not_exists: bool = False
    has_elements: bool = False
    watermark: WatermarkDef | None = None
    options: dict[str, str] = field(default_factory=dict)
    edits: list[Edit] = field(default_factory=list)

    def tree(self) -> Any:
        return postgres.tree(self.region, overlay(self.region.scanned, self.edits, self.region.start))


def create_table(region: Region) -> Statement:
    header = read_header(region, "table")
    if header.watermark is not None:
        raise FeatureNotSupported(
            "WATERMARK on a table is not supported", hint="use CREATE SOURCE", position=header.watermark.position + 1
        )
    node = header.tree()
    temporary = on_commit(node.relation, node.oncommit)
    _refuse_table_features(region, node)
    refuse_constraints(region, node.tableElts or (), ENFORCED)
    read = read_columns(region, node, header.name.label)
    return CreateTable(
        text=region.text,
        offset=region.start,
        name=header.name.reference,
        columns=read.columns,
        primary_key=read.primary_key,
        if_not_exists=header.if_not_exists,
        options=header.options,
        name_position=header.name.position,
        temporary=temporary,
        checks=read.checks,
        uniques=read.uniques,
        key_name=read.key_name,
    )


_ON_COMMIT: dict[str, OnCommit] = {"ONCOMMIT_DROP": "drop", "ONCOMMIT_DELETE_ROWS": "delete"}


def on_commit(relation: Any, action: Any) -> OnCommit | None:
    """What COMMIT does with a temporary table; None for one that is not temporary."""
    name = "ONCOMMIT_NOOP" if action is None else action.name
    if relation.relpersistence == "t" or relation.schemaname == "pg_temp":
        return _ON_COMMIT.get(name, "preserve")
    if name != "ONCOMMIT_NOOP":
        raise InvalidDefinition("ON COMMIT can only be used on temporary tables")
    return None


def create_source(region: Region) -> Statement:
    header = read_header(region, "source")
    if header.or_replace:
        raise FeatureNotSupported(
            "CREATE OR REPLACE SOURCE is not supported", hint="drop the source first", position=region.start + 1
        )
    name = header.name.label
    if not header.has_elements:
        _give_empty_elements(header, name)
    node = header.tree()
    refuse_constraints(region, node.tableElts or ())
    read = read_columns(region, node, name)
    _check_source(header, read, name)
    return CreateSource(
        text=region.text,
        offset=region.start,
        name=header.name.reference,
        columns=read.columns,
        options=header.options,
        watermark=header.watermark,
        if_not_exists=header.if_not_exists,
        name_position=header.name.position,
    )


def create_lookup_table(region: Region) -> Statement:
    header = read_header(region, "lookup table")
    name = header.name.label
    if header.watermark is not None:
        raise FeatureNotSupported(
            "WATERMARK on a lookup table is not supported", position=header.watermark.position + 1
        )
    if not header.has_elements:
        _give_empty_elements(header, name)
    node = header.tree()
    refuse_constraints(region, node.tableElts or ())
    read = read_columns(region, node, name)
    _refuse_serial(read)
    if not read.primary_key:
        raise InvalidDefinition(
            f'lookup table "{name}" has no primary key',
            hint="declare the column it is looked up by: id bigint PRIMARY KEY, or PRIMARY KEY (a, b)",
            position=header.name.position + 1,
        )
    return CreateLookupTable(
        text=region.text,
        offset=region.start,
        name=header.name.reference,
        columns=read.columns,
        primary_key=read.primary_key,
        options=header.options,
        if_not_exists=header.if_not_exists,
        or_replace=header.or_replace,
        name_position=header.name.position,
    )


def read_header(region: Region, kind: str) -> Header:
    """Everything of our own in the statement. The words of ``kind`` are known to be there."""
    cursor = Cursor(region)
    cursor.expect("create")
    begin = cursor.position
    or_replace = kind != "table" and cursor.accept("or", "replace")
    while kind == "table" and not cursor.at("table"):
        cursor.next()  # TEMPORARY, UNLOGGED: Postgres' tree tells
    cursor.expect(*kind.split())
    edits: list[Edit] = [(begin, region.source.tokens[cursor.index - 1].end, "TABLE")] if kind != "table" else []
    if_not_exists = cursor.accept("if", "not", "exists")
    header = Header(region, kind, cursor.name(), or_replace, if_not_exists, edits=edits)
    if cursor.at("("):
        header.has_elements = True
        found = find_watermark(cursor.group())
        header.watermark = found.watermark
        header.edits += found.edits
    while _clause(cursor, header):
        pass
    return header


def _clause(cursor: Cursor, header: Header) -> bool:
    """One clause behind the columns; False where what comes is for Postgres to judge."""
    start, position = cursor.index, cursor.position
    if cursor.at("with", "("):
        cursor.expect("with")
        options = read_options(cursor.group())
    elif cursor.at("format"):
        options = _format(cursor)
    elif cursor.accept("append", "only"):
        options = {"append_only": "true"} if header.kind == "table" else {}
    elif header.kind == "source" and cursor.at("from"):
        options = _from_connector(cursor)
    elif cursor.at("include"):
        raise FeatureNotSupported("INCLUDE is not supported", position=position + 1)
    else:
        return False
    merge_options(header.options, options, position)
    header.edits.append((position, header.region.source.tokens[cursor.index - 1].end, ""))
    return cursor.index > start


def _format(cursor: Cursor) -> dict[str, str]:
    """FORMAT PLAIN ENCODE JSON (…); the envelopes other than PLAIN change what a row means."""
    cursor.expect("format")
    position = cursor.position + 1
    envelope = cursor.identifier()
    if envelope not in ("plain", "native"):
        raise FeatureNotSupported(f"FORMAT {envelope.upper()} is not supported", position=position)
    if not cursor.accept("encode"):
        return {"format": envelope} if envelope != "plain" else {}
    options = {"format": cursor.identifier()}
    if cursor.at("("):
        at = cursor.position
        merge_options(options, read_options(cursor.group()), at)
    return options


def _from_connector(cursor: Cursor) -> dict[str, str]:
    """FROM KAFKA (…) is WITH (connector = 'kafka', …)."""
    cursor.expect("from")
    options = {"connector": cursor.identifier()}
    at = cursor.position
    if cursor.at("("):
        merge_options(options, read_options(cursor.group()), at)
    return options


def _give_empty_elements(header: Header, name: str) -> None:
    """Without columns the connector knows them; Postgres wants the brackets: the first blanked clause has room."""
    clause = next((i for i, edit in enumerate(header.edits) if edit[0] > header.name.position), None)
    if clause is None:
        raise _nothing_known(header, name)
    start, end, _ = header.edits[clause]
    header.edits[clause] = (start, end, "()")


def _refuse_serial(read: Columns) -> None:
    for column in read.columns:
        if column.serial:
            raise FeatureNotSupported(
                f'column "{column.name}" cannot be serial: only a table has sequences of its own',
                hint="declare an integer type",
                position=column.position + 1,
            )


def _check_source(header: Header, read: Columns, name: str) -> None:
    _refuse_serial(read)
    if read.primary_key:
        raise FeatureNotSupported(
            f'source "{name}" cannot have a primary key',
            hint="a source is not stored; use CREATE TABLE for rows that replace each other by key",
            position=read.key_position + 1,
        )
    if not read.columns and "connector" not in header.options:
        raise _nothing_known(header, name)
    default = next((column for column in read.columns if column.default is not None), None)
    if default is not None and "connector" in header.options:
        raise FeatureNotSupported(
            f'DEFAULT on column "{default.name}" of source "{name}" is not supported', position=default.position + 1
        )
    check_watermark(header.watermark, read.columns)


def _nothing_known(header: Header, name: str) -> InvalidDefinition:
    return InvalidDefinition(
        f'{header.kind} "{name}" has neither columns nor a connector',
        hint=f"write CREATE {header.kind.upper()} {name} (column type, …) WITH (connector = '…')",
        position=header.name.position + 1,
    )


def _refuse_table_features(region: Region, node: Any) -> None:
    what = next((what for what, is_used in _table_features(node) if is_used), None)
    if what is not None:
        raise FeatureNotSupported(f"{what} is not supported", position=region.start + 1)


def _table_features(node: Any) -> tuple[tuple[str, bool], ...]:
    return (
        ("an UNLOGGED table", node.relation.relpersistence == "u"),
        ("INHERITS or PARTITION OF", bool(node.inhRelations)),
        ("PARTITION BY", node.partspec is not None),
        ("CREATE TABLE OF", node.ofTypename is not None),
        ("TABLESPACE", node.tablespacename is not None),
        ("USING an access method", node.accessMethod is not None),
    )
