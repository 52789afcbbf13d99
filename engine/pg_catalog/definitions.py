"""Definitions as text: what pg_get_viewdef(), pg_get_indexdef() and pg_get_expr() say."""

from __future__ import annotations

import re

from constellationdb.catalog.model import Check, Relation
from constellationdb.engine.pg_catalog import lookup
from constellationdb.engine.pg_catalog.names import plain_type_name, qualified, quoted
from constellationdb.engine.pg_catalog.objects import Described, Index
from constellationdb.planner import statements as st
from constellationdb.planner.printed import printed
from constellationdb.planner.syntax import parse

_STRING = re.compile(r"'(?:[^']|'')*'")
_NEGATIVE = re.compile(r"-\s*(\d+(?:\.\d+)?)")
_WHOLE = re.compile(r"'(\d+)'")
_INTEGERS = ("smallint", "integer", "bigint")
_TIMES = re.compile(r"current_(?:timestamp|date|time)|localtime(?:stamp)?", re.IGNORECASE)


def query_of(relation: Relation) -> str:
    """A view's query as it was written, EMIT and all."""
    statement = parse(relation.sql)[0]
    assert isinstance(statement, st.CreateView)
    return statement.text[statement.query.offset - statement.offset :].strip().rstrip(";").rstrip()


def view(relation: Described) -> str:
    """Postgres begins with a blank, too."""
    made = relation.relation
    if made is None or made.kind not in ("view", "materialized view"):
        return ""
    return f" {query_of(made)};"


def index(found: Index, column: int = 0, *, pretty: bool = False) -> str:
    """The statement, or one column of it. ``pretty``: the table's name is qualified only where it must be."""
    names = [quoted(attribute.name) for attribute in found.attributes]
    if column:
        return names[column - 1] if 0 < column <= len(names) else ""
    table = qualified(found.of.schema, found.of.name, visible=pretty)
    unique = "UNIQUE " if found.is_unique else ""
    return f"CREATE {unique}INDEX {quoted(found.name)} ON {table} USING btree ({', '.join(names)})"


def constraint(found: Index) -> str:
    word = "PRIMARY KEY" if found.is_primary else "UNIQUE"
    return f"{word} ({', '.join(quoted(attribute.name) for attribute in found.attributes)})"


def check(found: Check, *, pretty: bool = False) -> str:
    return f"CHECK ({printed(found.expression, pretty=pretty)})"


def default(relation: Described, written: str, *, pretty: bool = False) -> str:
    """A constant is shown with the type Postgres reads it as."""
    column = next((a for a in relation.attributes if a.default == written), None)
    if column is None:
        return written
    kind = plain_type_name(lookup.types_by_oid()[column.type_oid]["typname"])
    if kind in _INTEGERS and (whole := _WHOLE.fullmatch(written)):
        return whole[1]
    if _STRING.fullmatch(written):
        return f"{written}::{kind}"
    if negative := _NEGATIVE.fullmatch(written):
        return f"'-{negative[1]}'::{'numeric' if '.' in negative[1] else 'integer'}"
    if column.sequence:
        return written
    if _TIMES.fullmatch(written):
        return written.upper()
    return printed(written, pretty=pretty)
