"""A random form: stages that read tables, windows and one another, in the words of both sides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from tests.properties.oracle.expressions import Kind, Scope, Sql, kind_of
from tests.properties.oracle.forms import Form, Mode, Stage
from tests.properties.oracle.items import Readable
from tests.properties.oracle.shapes import Shapes
from tests.properties.oracle.tables import Table

_DEPTH = (1, 2, 2, 3)


@dataclass(frozen=True)
class Generated:
    """``tags``: the constructs in it, by which cases are counted."""

    form: Form
    tags: frozenset[str]


def generate(name: str, tables: Mapping[str, Table], mode: Mode, random: Random) -> Generated:
    sources = tuple(n for n in tables if mode == "source" or (mode == "mixed" and n == "t"))
    scopes = {name: _scope(table, name in sources) for name, table in tables.items()}
    if mode != "table" and random.random() < 0.25:
        return _closing(name, scopes, sources, random)
    return _updating(name, scopes, sources or tuple(tables), random)


def generate_over(name: str, scopes: Mapping[str, Scope], random: Random, author: type[Shapes] = Shapes) -> Generated:
    """A query over tables that have no windows."""
    return _updating(name, scopes, (), random, author)


def generate_one(name: str, scopes: Mapping[str, Scope], random: Random, author: type[Shapes] = Shapes) -> Generated:
    """The same as one view."""
    readable = Readable(dict(scopes))
    queries = author(random, readable)
    select = queries.select(random.choice(_DEPTH))
    return _form(name, [Stage(select.sql.ours, select.sql.duck)], queries, readable, 0)


def _scope(table: Table, source: bool) -> Scope:
    def kind(name: str, known: Kind) -> Kind:
        return "event" if source and name == "ts" else known

    return tuple(Sql(c.name, c.name, kind(c.name, kind_of(c.name, c.type))) for c in table.columns)


def _updating(
    name: str, scopes: Mapping[str, Scope], windowed: tuple[str, ...], random: Random, author: type[Shapes] = Shapes
) -> Generated:
    readable = Readable(dict(scopes), {n: scopes[n] for n in windowed} if random.random() < 0.35 else {})
    queries = author(random, readable)
    stages = []
    for number in range(random.choice((0, 0, 0, 1, 1, 2))):
        select, inner = queries.select(1), f"m{number}"
        # A window in a plain view would be another call for each of its readers.
        plain = "{" not in select.sql.ours and random.random() < 0.3
        queries.tags.add("plain view" if plain else "view on view")
        stages.append(Stage(select.sql.ours, select.sql.duck, name=inner, plain=plain))
        readable.relations[inner] = select.columns
        if random.random() < 0.6:  # so that the view is read
            readable.relations = {inner: select.columns, "t": scopes["t"]}
    select = queries.select(random.choice(_DEPTH))
    stages.append(Stage(select.sql.ours, select.sql.duck))
    return _form(name, stages, queries, readable, 0)


def _closing(name: str, scopes: Mapping[str, Scope], sources: tuple[str, ...], random: Random) -> Generated:
    readable = Readable(dict(scopes), {n: scopes[n] for n in sources})
    queries = Shapes(random, readable)
    two = len(sources) > 1 and random.random() < 0.3
    select = queries.closing(("t", "u") if two else ("t",))
    queries.tags.add("EMIT ON WINDOW CLOSE")
    lateness = random.choice((0, 0, 0, 4, 10))
    if lateness:
        queries.tags.add("ALLOW LATENESS")
    stages = [Stage(select.sql.ours, select.sql.duck, on_close=True)]
    return _form(name, stages, queries, readable, lateness)


def _form(name: str, stages: list[Stage], queries: Shapes, readable: Readable, lateness: int) -> Generated:
    ulps = 256 if queries.inexact else 0
    form = Form(name, tuple(stages), ulps=ulps, windows=readable.windows, lateness=lateness)
    return Generated(form, frozenset(queries.tags))
