"""The table of statements that answer here as in Postgres, in ``same/*.txt``, and how it is read and asked.

A statement stands on a line of its own; below it, indented, what Postgres answers:

    SELECT 1 + 1, 'a'
        [["?column?", 23], ["?column?", 25]]
        ["2", "a"]

first the columns' names and type oids, then each row's texts; or ``error`` and its SQLSTATE.
``python -m tests.sqllogic.same_table`` asks Postgres again and writes its answers down.
"""

from __future__ import annotations

import json
from pathlib import Path

import psycopg

from tests.postgres_fixture import start_postgres

FOLDER = Path(__file__).parent / "same"
FILES = sorted(FOLDER.glob("*.txt"))
_INDENT = "    "

Row = list[str | None]


def tables() -> list[str]:
    """The statements that make the tables the others read."""
    return [line for line in (FOLDER / "setup.sql").read_text().splitlines() if line]


def read(path: Path) -> list[tuple[str, list[str]]]:
    """Each statement with the lines of its answer."""
    found: list[tuple[str, list[str]]] = []
    for line in path.read_text().splitlines():
        if line.startswith(_INDENT):
            found[-1][1].append(line.strip())
        elif line:
            found.append((line, []))
    return found


def ask(connection: psycopg.Connection, statement: str) -> list[str]:
    """The answer, as the table has it."""
    try:
        result = connection.execute(statement.encode()).pgresult
    except psycopg.Error as error:
        return [f"error {error.sqlstate}"]
    assert result is not None
    columns = [[(result.fname(i) or b"").decode(), result.ftype(i)] for i in range(result.nfields)]
    rows = [[_text(result.get_value(j, i)) for i in range(result.nfields)] for j in range(result.ntuples)]
    return [json.dumps(line, ensure_ascii=False) for line in (columns, *rows)]


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()


def write(path: Path, answers: list[tuple[str, list[str]]]) -> None:
    lines = [line for statement, answer in answers for line in (statement, *(_INDENT + a for a in answer), "")]
    path.write_text("\n".join(lines))


if __name__ == "__main__":
    with start_postgres() as dsn, psycopg.connect(dsn, autocommit=True) as postgres:
        for statement in tables():
            postgres.execute(statement.encode())
        for path in FILES:
            write(path, [(statement, ask(postgres, statement)) for statement, _ in read(path)])
