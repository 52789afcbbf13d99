"""A page of docs/sql as a script: its blocks in order, and what each must print.

    ```sql             runs in one session of an engine in memory
    ```text            what the block before it prints; without one, it must print nothing
    ```sql postgres    runs in a real Postgres instead; the page calls it postgresql://localhost/shop
    ```csv NAME        becomes a file (any other word than csv will do)

Rows print as in psql, then NOTICEs, WARNINGs and errors. A stream is read until
it has printed as many rows as the page shows.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.types as pt

from constellationdb.catalog.text import Style
from constellationdb.cli.display import texts_of
from constellationdb.engine.engine import Engine
from constellationdb.engine.result import Result
from constellationdb.engine.session import Session
from constellationdb.errors import ConstellationError, QueryCanceled
from constellationdb.wire.answer import style_for

POSTGRES_URL = "postgresql://localhost/shop"
_FENCE = re.compile(r"^```(\w+)?(?: (\S+))?\n(.*?)^```$", re.M | re.S)
_PATIENCE_S = 20.0
_RECORDING_S = 1.0  # how long a stream is watched when its page is written anew


@dataclass
class Block:
    """``expected`` None: no text block follows. ``span``: where the expected text lies in the page, or would."""

    language: str
    argument: str
    body: str
    line: int
    expected: str | None = None
    span: tuple[int, int] = (0, 0)


def blocks_of(page: str) -> list[Block]:
    found: list[Block] = []
    for match in _FENCE.finditer(page):
        language, argument, body = match[1] or "", match[2] or "", match[3]
        if language == "text" and found and found[-1].language == "sql" and found[-1].expected is None:
            found[-1].expected, found[-1].span = body, match.span()
        elif argument or language == "sql":
            line = page.count("\n", 0, match.start()) + 1
            found.append(Block(language, argument, body, line, span=(match.end(), match.end())))
    return found


class Player:
    """Runs the blocks of one page. ``record``: watch streams for a while instead of counting their rows."""

    def __init__(self, session: Session, folder: Path, postgres: str, *, record: bool = False) -> None:
        self._session = session
        self._folder = folder
        self._postgres = postgres
        self._record = record

    def play(self, block: Block) -> str:
        """What the block prints. A single SELECT is asked again while the page's answer is still to come."""
        if block.language != "sql":
            (self._folder / block.argument).write_text(block.body)
            return ""
        if block.argument == "postgres":
            with psycopg.connect(self._postgres, autocommit=True) as connection:
                connection.execute(block.body.encode())
            return ""
        if self._record:
            time.sleep(0.3)
        printed = self._run(block)
        deadline = time.monotonic() + _PATIENCE_S
        while printed != (block.expected or "") and _only_reads(block.body) and not self._record:
            if time.monotonic() > deadline:
                break
            time.sleep(0.02)
            printed = self._run(block)
        return printed

    def _run(self, block: Block) -> str:
        shown: list[str] = []
        rows = (block.expected or "").count("\n") - 2  # without the two lines of the heading
        for statement in statements_of(block.body.replace(POSTGRES_URL, self._postgres)):
            try:
                for result in self._session.execute(statement):
                    if result.columns is not None:
                        shown.append(_table(self._read(result, rows), style_for(self._session)))
                    shown += [_notice(n.severity, n.message, n.hint) for n in result.notices]
            except ConstellationError as error:
                shown.append(_error(error))
        return "\n".join(shown)

    def _read(self, result: Result, rows: int) -> pa.Table:
        assert result.columns is not None
        batches: list[pa.RecordBatch] = []
        timer = threading.Timer(_RECORDING_S if self._record else _PATIENCE_S, self._session.cancel)
        if result.streaming:
            timer.start()
        try:
            for batch in result.batches:
                batches.append(batch)
                if result.streaming and not self._record and sum(b.num_rows for b in batches) >= rows:
                    break
        except QueryCanceled:
            pass  # the page shows more rows than there are, or it is being recorded
        finally:
            timer.cancel()
        schema = pa.schema([(c.name, c.arrow) for c in result.columns])
        arrays = [[b.column(i) for b in batches] for i in range(len(schema))]
        columns = [pa.chunked_array(parts, field.type) for parts, field in zip(arrays, schema, strict=True)]
        return pa.Table.from_arrays(columns, schema=schema)


def play_page(page: str, folder: Path, postgres: str, *, record: bool = False) -> Iterator[tuple[Block, str]]:
    """Each block that runs, with what it printed."""
    with Engine() as engine:
        player = Player(engine.session(), folder, postgres, record=record)
        for block in blocks_of(page):
            yield block, player.play(block)


def statements_of(sql: str) -> list[str]:
    """As psql sends them, one by one: a statement ends with a semicolon that ends its line."""
    parts = re.split(r"(?<=;)[ ]*\n", sql.strip())
    return [part for part in parts if re.sub(r"--.*", "", part).strip()]


def _only_reads(sql: str) -> bool:
    statements = statements_of(re.sub(r"--.*", "", sql))
    return len(statements) == 1 and statements[0].lower().lstrip().startswith("select")


def _table(table: pa.Table, style: Style) -> str:
    """As psql prints it: numbers to the right, NULL as nothing."""
    if not table.num_rows:
        return "(0 rows)\n"
    columns = [[text or "" for text in texts_of(column, None, style)] for column in table.columns]
    widths = [max(len(field.name), *map(len, column)) for field, column in zip(table.schema, columns, strict=True)]
    right = [bool(pt.is_integer(f.type) or pt.is_floating(f.type) or pt.is_decimal(f.type)) for f in table.schema]
    lines = [
        " | ".join(field.name.center(width) for field, width in zip(table.schema, widths, strict=True)),
        "-+-".join("-" * width for width in widths),
    ]
    for row in zip(*columns, strict=True):
        padded = [v.rjust(w) if r else v.ljust(w) for v, w, r in zip(row, widths, right, strict=True)]
        lines.append(" | ".join(padded))
    lines[1] = f"-{lines[1]}-"
    return "".join((line if i == 1 else f" {line}").rstrip() + "\n" for i, line in enumerate(lines))


def _notice(severity: str, message: str, hint: str | None) -> str:
    return f"{severity}:  {message}\n" + (f"HINT:  {hint}\n" if hint else "")


def _error(error: ConstellationError) -> str:
    parts = [f"ERROR:  {error.sqlstate}: {error.message}\n"]
    parts += [f"DETAIL:  {error.detail}\n"] if error.detail else []
    parts += [f"HINT:  {error.hint}\n"] if error.hint else []
    return "".join(parts)
