"""A real Postgres that writes down what reaches it, so that a test can read what a lookup asked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

_LOGGED = re.compile(r"LOG:  execute [^:]+: (?P<text>.*)\n(?:.*DETAIL:  [Pp]arameters: (?P<values>.*)\n)?")
_VALUE = re.compile(r"\$(\d+) = ('(?:[^']|'')*'|NULL)")


@dataclass(frozen=True)
class Question:
    """A statement as the server logged it; ``values`` are its parameters as SQL literals, $1 first."""

    text: str
    values: tuple[str, ...]

    @property
    def where(self) -> str:
        return self.text.partition(" WHERE ")[2]

    @property
    def filled(self) -> str:
        """The statement with its values in it."""
        return re.sub(r"\$(\d+)", lambda found: self.values[int(found[1]) - 1], self.text)

    @property
    def keys(self) -> list[str]:
        """The values of its first array of keys."""
        inner = self.values[0].strip("'").strip("{}")
        return inner.split(",") if inner else []


class Watched:
    """``connection`` is the test's own; ``options`` are for a lookup table of which every statement is logged."""

    def __init__(self, dsn: str) -> None:
        self.connection = psycopg.connect(dsn, autocommit=True)
        self._dsn = f"{dsn} options='-c log_statement=all -c log_min_messages=log'"
        (data,) = self.rows("SHOW data_directory")[0]
        self._log = Path(data).with_name("log")
        self._start = self._log.stat().st_size

    def run(self, statement: str, parameters: Sequence[Any] | None = None) -> None:
        self.connection.execute(statement, parameters)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(query).fetchall()

    def options(self, table: str, **more: str) -> str:
        dsn = self._dsn.replace("'", "''")
        given = "".join(f", {name.replace('__', '.')} = '{value}'" for name, value in more.items())
        return f"WITH (connector = 'postgres', dsn = '{dsn}', \"table\" = '{table}'{given})"

    def asked(self, table: str) -> list[Question]:
        """What was asked of a table since this was opened."""
        with self._log.open(encoding="utf-8", errors="replace") as log:
            log.seek(self._start)
            logged = [
                Question(found["text"], tuple(v for _, v in _VALUE.findall(found["values"] or "")))
                for found in _LOGGED.finditer(log.read())
            ]
        return [question for question in logged if f'FROM "{table}"' in question.text]

    def sent(self, table: str) -> int:
        """How many rows its answers have, if nothing has changed since."""
        return sum(len(self.rows(question.filled)) for question in self.asked(table))
