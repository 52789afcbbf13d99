"""COPY: a relation, a query or a SUBSCRIBE, in both of Postgres' option styles."""

from __future__ import annotations

from typing import Any

from constellationdb.errors import FeatureNotSupported, SqlSyntaxError
from constellationdb.planner.statements import Copy, Select, Statement, Subscribe
from constellationdb.planner.syntax import postgres
from constellationdb.planner.syntax.cursor import Cursor
from constellationdb.planner.syntax.edits import overlay
from constellationdb.planner.syntax.names import of_range_var
from constellationdb.planner.syntax.queries import select, subscribe
from constellationdb.planner.syntax.tokens import Region


def copy(region: Region) -> Statement:
    cursor = Cursor(region)
    cursor.expect("copy")
    if not cursor.at("("):
        node = postgres.tree(region)
        return _copy(region, node, None)
    inside = cursor.group()
    if inside.lo >= inside.hi:
        raise region.source.error_at(inside.hi)
    source = _source(inside)
    # Postgres judges the options with the shortest query there is in place of ours, which was read on its own.
    text = overlay(region.scanned, [(inside.start, inside.end, "SELECT")], region.start)
    return _copy(region, postgres.tree(region, text), source)


def _source(inside: Region) -> Select | Subscribe:
    word = inside.source.tokens[inside.lo].word
    if word == "subscribe":
        return subscribe(inside)
    if word in ("insert", "update", "delete", "merge"):
        raise FeatureNotSupported(f"COPY of {word.upper()} is not supported", position=inside.start + 1)
    return select(inside)


def _copy(region: Region, node: Any, source: Select | Subscribe | None) -> Copy:
    position = region.start + 1
    if node.filename is not None or node.is_program:
        raise FeatureNotSupported(
            "COPY to or from a file or program of the server is not supported",
            hint="use COPY … FROM STDIN or TO STDOUT; psql's \\copy does that with a local file",
            position=position,
        )
    if node.whereClause is not None:
        raise FeatureNotSupported("COPY … WHERE is not supported", position=position)
    return Copy(
        region.text,
        region.start,
        "in" if node.is_from else "out",
        None if node.relation is None else of_range_var(node.relation, region.start).reference,
        tuple(column.sval for column in node.attlist or ()),
        source,
        _options(region, node.options or ()),
    )


def _options(region: Region, elements: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    for element in elements:
        position = region.start + element.location + 1
        name = element.defname.lower()
        if name in found:
            raise SqlSyntaxError("conflicting or redundant options", position=position)
        found[name] = _option_text(name, element.arg, position)
    return found


def _option_text(name: str, node: Any, position: int) -> str:
    kind = type(node).__name__
    if kind in ("NoneType", "Boolean"):
        return "true" if node is None or node.boolval else "false"
    if kind == "String":
        return str(node.sval)
    if kind == "Integer":
        return str(node.ival)
    raise FeatureNotSupported(f"COPY option {name.upper()} with a list is not supported", position=position)
