"""What there is: ``\\d`` and its relatives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from constellationdb.cli import catalog_queries
from constellationdb.cli.catalog_queries import Entry
from constellationdb.cli.shell.script import Word
from constellationdb.cli.shell.words.entry import Action, Refused, entry
from constellationdb.embedded import Database

if TYPE_CHECKING:
    from constellationdb.cli.shell.interpreter import Shell


def relations(shell: Shell, word: Word) -> None:
    """``\\dt`` and the like; the letters behind the d say which kinds."""
    letters = word.name.rstrip("+S")[1:]
    entries = catalog_queries.of_kind(catalog_queries.relations(shell.database), letters)
    rows = [(e.name, e.kind, e.rows) for e in entries if _fits(e.name, word.argument)]
    if not rows and word.argument:
        raise Refused(f'Did not find any relation named "{word.argument}".')
    _list(shell, "List of relations", rows, Name=pa.string(), Kind=pa.string(), Rows=pa.int64())


def describe(shell: Shell, word: Word) -> None:
    if not word.argument:
        relations(shell, Word("d"))
        return
    entries = catalog_queries.relations(shell.database)
    if "*" in word.argument or "?" in word.argument:
        found = [e for e in catalog_queries.of_kind(entries, "") if _fits(e.name, word.argument)]
    else:
        found = [catalog_queries.relation(shell.database, entries, word.argument)]
    for one in found:
        _describe(shell, entries, one)
    if not found:
        raise Refused(f'Did not find any relation named "{word.argument}".')


def _describe(shell: Shell, entries: Sequence[Entry], one: Entry) -> None:
    columns = catalog_queries.columns(shell.database, one)
    rows = [(c.name, c.type, "" if c.nullable else "not null", c.default) for c in columns]
    title = f'{one.kind[0].upper()}{one.kind[1:]} "{one.name}"'
    _list(shell, title, rows, Column=pa.string(), Type=pa.string(), Nullable=pa.string(), Default=pa.string())
    if shell.display.format == "table" and not shell.display.tuples_only:
        shell.output.lines([*_facts(entries, one), ""])


def _facts(entries: Sequence[Entry], one: Entry) -> Iterator[str]:
    if one.key:
        yield f"Primary key: {', '.join(one.key)}"
    if one.rows is not None:
        yield f"Rows: {one.rows} at epoch {one.frontier}"
    for label, names in (
        ("Belongs to" if one.owner else "Reads", one.reads),
        ("Read by", [e.name for e in catalog_queries.readers(entries, one.name)]),
        ("Side outputs", [e.name for e in catalog_queries.side_outputs(entries, one.name)]),
    ):
        if names:
            yield f"{label}: {', '.join(names)}"
    if one.definition:
        yield "Definition:"
        yield from ("    " + line for line in one.definition.strip().split("\n"))


def indexes(shell: Shell, word: Word) -> None:
    """Every primary key has one; there are no others."""
    entries = [e for e in catalog_queries.relations(shell.database) if e.key and _fits(e.name, word.argument)]
    rows = [(f"{e.name}_pkey", e.name, ", ".join(e.key)) for e in entries]
    _list(shell, "List of indexes", rows, Name=pa.string(), Table=pa.string(), Columns=pa.string())


def functions(shell: Shell, word: Word) -> None:
    rows = [row for row in catalog_queries.functions(shell.database) if _fits(str(row[1]), word.argument)]
    _list(shell, "List of functions", rows, **dict.fromkeys(("Schema", "Name", "Result", "Arguments"), pa.string()))


def _names(title: str, ask: Callable[[Database], list[str]]) -> Action:
    def action(shell: Shell, word: Word) -> None:
        rows = [(name,) for name in ask(shell.database) if _fits(name, word.argument)]
        _list(shell, title, rows, Name=pa.string())

    return action


def _list(shell: Shell, title: str, rows: Sequence[tuple[Any, ...]], **columns: pa.DataType) -> None:
    arrays = [pa.array([row[place] for row in rows], kind) for place, kind in enumerate(columns.values())]
    shell.show(pa.Table.from_arrays(arrays, names=list(columns)), title)


def _fits(name: str, pattern: str) -> bool:
    return not pattern or fnmatchcase(name, pattern)


ENTRIES = (
    entry("d [NAME]", "every relation, or the columns, key, definition and readers of one", describe),
    entry("dt [PATTERN]", "tables; dv views, dm materialized views, ds sources, dl lookup tables", relations,
          "dv", "dm", "ds", "dl"),
    entry("di [PATTERN]", "indexes", indexes),
    entry("df [PATTERN]", "functions", functions),
    entry("dn [PATTERN]", "schemas", _names("List of schemas", catalog_queries.schemas)),
    entry("du [PATTERN]", "roles", _names("List of roles", catalog_queries.roles), "dg"),
    entry("l [PATTERN]", "databases", _names("List of databases", catalog_queries.databases), "list"),
)  # fmt: skip
