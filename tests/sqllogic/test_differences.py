"""What differs from Postgres is what the page about it says: each sentence there has a statement that shows it.

Values and errors that differ are shown by ``differences/*.slt``, under the sentence as a
comment; Postgres and we pass those scripts, each with its own answers. Types that differ,
which no script sees, are shown here.
"""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest

from constellationdb.engine.engine import Engine
from constellationdb.server.listener import Server

PAGE = Path(__file__).parents[2] / "docs" / "sql" / "postgres-differences.md"
SCRIPTS = sorted((Path(__file__).parent / "differences").glob("*.slt"))
_BULLET = re.compile(r"^- (.+(?:\n  .+)*)", re.M)
_SHOWN = re.compile(r"^# - (.+(?:\n#   .+)*)", re.M)
# Transactions and epochs: the tests of those show what these sentences say.
_ELSEWHERE = "## Reads and transactions"

_VARCHAR = "A result of type `varchar` says that it is `text`."
_TYPE = "`pg_typeof` gives the name of a type as a `text`."
TYPES = [
    (_VARCHAR, "SELECT 'abc'::varchar", 1043, 25),
    (_TYPE, "SELECT pg_typeof(1)", 2206, 25),
]


@pytest.mark.parametrize(("statement", "theirs", "ours"), [row[1:] for row in TYPES])
def test_types_that_differ(statement: str, theirs: int, ours: int, postgres: str) -> None:
    with Engine() as engine, Server(engine, port=0) as server:
        host, port = server.address
        served = f"host={host} port={port} user=tester dbname=constellation"
        assert [_type_of(statement, dsn) for dsn in (postgres, served)] == [theirs, ours]


def test_every_sentence_of_the_page_is_shown() -> None:
    page = PAGE.read_text()
    said = [_one_line(found) for found in _BULLET.findall(page[: page.index(_ELSEWHERE)])]
    shown = [_one_line(found) for script in SCRIPTS for found in _SHOWN.findall(script.read_text())]
    assert said == [*shown, *dict.fromkeys(sentence for sentence, *_ in TYPES)]


def _one_line(text: str) -> str:
    return " ".join(text.replace("\n#", "\n").split())


def _type_of(statement: str, dsn: str) -> int:
    with psycopg.connect(dsn, autocommit=True) as connection:
        result = connection.execute(statement.encode()).pgresult
        assert result is not None
        return result.ftype(0)
