"""COPY: a relation, a query or a SUBSCRIBE, in both of Postgres' option styles."""

from __future__ import annotations

import re
from typing import Any

from constellationdb.errors import FeatureNotSupported, InvalidParameter, SqlSyntaxError
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


def _options(region: Region, elements: Any) -> dict[str, str | tuple[str, ...]]:
    """Values are judged where the COPY runs; names and kinds here, where their place in the text is known."""
    found: dict[str, str | tuple[str, ...]] = {}
    for element in elements:
        position = region.start + element.location + 1
        name = element.defname.lower()
        if name not in _WORDS and name not in _LISTS:
            raise SqlSyntaxError(f'option "{name}" not recognized', position=position)
        if name in found:
            raise SqlSyntaxError("conflicting or redundant options", position=position)
        found[name] = _columns(name, element.arg, position) if name in _LISTS else _word(name, element.arg, position)
    return found


def _check_encoding(name: str, position: int) -> None:
    plain = "".join(letter for letter in name.lower() if letter.isalnum())
    if plain in ("utf8", "unicode"):
        return
    if _OTHER_ENCODINGS.fullmatch(plain) is None:
        raise InvalidParameter('argument to option "encoding" must be a valid encoding name', position=position)
    raise FeatureNotSupported(
        f'COPY with encoding "{name}" is not supported', hint="the only encoding is UTF8", position=position
    )


_OTHER_ENCODINGS = re.compile(
    r"abc|alt|big5|euc(cn|jis2004|jp|kr|tw)|gb(18030|k)|iso8859(1[03456]?|[2-9])|johab|koi8[ru]?|latin([1-9]|10)|mskanji"
    r"|muleinternal|sjis|shiftjis(2004)?|sqlascii|tcvn(5712)?|uhc|vscii|win|win(dows)?(125[0-8]|866|874|932|936|949|950)"
)
_WORDS = ("format", "freeze", "delimiter", "null", "header", "quote", "escape", "encoding")
_LISTS = ("force_quote", "force_not_null", "force_null")


def _word(name: str, node: Any, position: int) -> str:
    kind = type(node).__name__
    if kind in ("NoneType", "Boolean"):
        return "true" if node is None or node.boolval else "false"
    if kind == "String":
        value = str(node.sval)
        if name == "format" and value not in ("text", "csv", "binary"):
            raise InvalidParameter(f'COPY format "{value}" not recognized', position=position)
        if name == "encoding":
            _check_encoding(value, position)
        return value
    if kind == "Integer":
        return str(node.ival)
    raise SqlSyntaxError(f"{name} requires a parameter", position=position)


def _columns(name: str, node: Any, position: int) -> tuple[str, ...]:
    if type(node).__name__ == "A_Star":
        return ("*",)
    if isinstance(node, list | tuple):
        return tuple(str(item.sval) for item in node)
    raise InvalidParameter(f'argument to option "{name}" must be a list of column names', position=position)
