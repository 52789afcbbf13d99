"""WATERMARK FOR ts AS ts - INTERVAL '5' SECOND, and the LATENESS attribute of a column that means the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from constellationdb.catalog.types import TIMESTAMP, TIMESTAMPTZ
from constellationdb.errors import DatatypeMismatch, FeatureNotSupported, InvalidDefinition, UndefinedColumn
from constellationdb.planner.statements import ColumnDef, WatermarkDef
from constellationdb.planner.syntax import literals
from constellationdb.planner.syntax.cursor import Cursor
from constellationdb.planner.syntax.edits import Edit
from constellationdb.planner.syntax.intervals import interval_literal
from constellationdb.planner.syntax.tokens import Region


@dataclass(slots=True)
class Found:
    """The watermark of a column list, and what to blank out so that Postgres can read the rest."""

    watermark: WatermarkDef | None
    edits: list[Edit]


def find_watermark(elements: Region) -> Found:
    """``elements`` is what stands between the brackets of CREATE SOURCE."""
    found = Found(None, [])
    for item in _items(elements):
        cursor = Cursor(item)
        if cursor.at("watermark", "for"):
            _add(found, _clause(cursor), _with_comma(elements, item))
        else:
            _find_lateness(item, found)
    return found


def check_watermark(watermark: WatermarkDef | None, columns: Sequence[ColumnDef]) -> None:
    """Its column must be one of ``columns``, and a timestamp. With no columns the connector knows them."""
    if watermark is None or not columns:
        return
    column = next((c for c in columns if c.name == watermark.column), None)
    position = watermark.position + 1
    if column is None:
        raise UndefinedColumn(f'column "{watermark.column}" named in WATERMARK does not exist', position=position)
    if column.type not in (TIMESTAMP, TIMESTAMPTZ):
        raise DatatypeMismatch(
            f'watermark column "{column.name}" is of type {column.type.name}, not a timestamp', position=position
        )


def _items(elements: Region) -> list[Region]:
    """The comma-separated parts."""
    items, lo, index = [], elements.lo, elements.lo
    tokens = elements.source.tokens
    while index < elements.hi:
        if tokens[index].word == "(":
            index = elements.source.matching(index, elements.hi)
        elif tokens[index].word == ",":
            items.append(elements.of(lo, index))
            lo = index + 1
        index += 1
    items.append(elements.of(lo, elements.hi))
    return [item for item in items if item.lo < item.hi]


def _clause(cursor: Cursor) -> WatermarkDef:
    position = cursor.position
    cursor.expect("watermark", "for")
    column = cursor.identifier()
    delay = 0
    if cursor.accept("as"):
        expression = cursor.position + 1
        if cursor.identifier() != column:
            raise FeatureNotSupported(
                f'the WATERMARK of "{column}" must be computed from "{column}" itself',
                hint=f"write WATERMARK FOR {column} AS {column} - INTERVAL '5' SECOND",
                position=expression,
            )
        delay = _delay(cursor)
    cursor.expect_end()
    return WatermarkDef(column, delay, position)


def _delay(cursor: Cursor) -> int:
    """``- interval``, or nothing."""
    return interval_literal(cursor) if cursor.accept("-") else 0


def _find_lateness(item: Region, found: Found) -> None:
    """``ts timestamp LATENESS INTERVAL '5' SECOND``."""
    for i in range(item.lo + 1, item.hi - 1):
        cursor = Cursor(item)
        cursor.index = i
        if cursor.accept("lateness") and cursor.at("interval"):
            position = item.source.tokens[i].start
            delay = interval_literal(cursor)
            column = literals.identifier(item.source, item.source.tokens[item.lo])
            span = (position, item.source.tokens[cursor.index - 1].end, "")
            _add(found, WatermarkDef(column, delay, position), span)
            return


def _add(found: Found, watermark: WatermarkDef, edit: Edit) -> None:
    if found.watermark is not None:
        raise InvalidDefinition("a source has at most one WATERMARK", position=watermark.position + 1)
    found.watermark = watermark
    found.edits.append(edit)


def _with_comma(elements: Region, item: Region) -> Edit:
    """The item with the comma that joins it to its neighbour: the one before it or, for the first, the one behind."""
    tokens = elements.source.tokens
    if item.lo > elements.lo:
        return (tokens[item.lo - 1].start, item.end, "")
    return (item.start, tokens[item.hi].end if item.hi < elements.hi else item.end, "")
