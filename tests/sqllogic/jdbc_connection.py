"""Scripts through JDBC: one Java program holds all connections, ``tests/clients/jdbc/Statements.java``.

What JDBC does to a statement is part of the proof: it splits a text at its semicolons and says each
statement by the extended protocol.
"""

from __future__ import annotations

import itertools
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from constellationdb.cli.slt.connection import Answer, ConnectionLost, SqlError
from tests.clients.installed import jdbc_command

_PROGRAM = Path(__file__).parents[1] / "clients" / "jdbc" / "Statements.java"
_LOST = {"08001", "08003", "08006", "57P01"}


@dataclass(frozen=True)
class Typed:
    """A result with the names of its columns' types."""

    answer: Answer
    types: tuple[str, ...]


class Jdbc:
    """The program, and a way to ask it. The context ends it."""

    def __init__(self, url: str) -> None:
        self._numbers = itertools.count()
        self._process = subprocess.Popen(
            [*jdbc_command(_PROGRAM), url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )

    def __enter__(self) -> Jdbc:
        return self

    def __exit__(self, *_: object) -> None:
        self._said.write(struct.pack("!i", -1))
        self._process.wait(60)
        for stream in (self._said, self._heard):
            stream.close()

    def connect(self) -> JdbcConnection:
        return JdbcConnection(self, next(self._numbers))

    def say(self, number: int, sql: str) -> None:
        text = sql.encode()
        self._said.write(struct.pack("!ii", number, len(text)) + text)

    def ask(self, number: int, sql: str) -> Typed:
        self.say(number, sql)
        kind = self._read(1)
        if kind == b"E":
            state, message, detail, hint = (self._text() for _ in range(4))
            if state is None or state in _LOST:
                raise ConnectionLost(message)
            raise SqlError(state, message or "", detail, hint)
        count = self._integer()
        if kind == b"U":
            return Typed(Answer((), (), f"DONE {count}"), ())
        names, types = ([text or "" for text in self._texts()] for _ in range(2))
        cells = self._texts()
        width = len(names)
        rows = tuple(tuple(cells[row * width : (row + 1) * width]) for row in range(count))
        return Typed(Answer(tuple(names), rows, f"SELECT {count}"), tuple(types))

    @property
    def _said(self) -> IO[bytes]:
        assert self._process.stdin is not None
        return self._process.stdin

    @property
    def _heard(self) -> IO[bytes]:
        assert self._process.stdout is not None
        return self._process.stdout

    def _texts(self) -> list[str | None]:
        return [self._text() for _ in range(self._integer())]

    def _text(self) -> str | None:
        length = self._integer()
        return None if length < 0 else self._read(length).decode()

    def _integer(self) -> int:
        (value,) = struct.unpack("!i", self._read(4))
        return int(value)

    def _read(self, size: int) -> bytes:
        read = b""
        while len(read) < size:
            more = self._heard.read(size - len(read))
            if not more:
                raise ConnectionLost("the Java program ended")
            read += more
        return read


class JdbcConnection:
    """One of the program's connections, opened by its first statement."""

    def __init__(self, jdbc: Jdbc, number: int) -> None:
        self._jdbc = jdbc
        self._number = number
        self._used = False

    def execute(self, sql: str) -> Answer:
        return self.typed(sql).answer

    def typed(self, sql: str) -> Typed:
        self._used = True
        return self._jdbc.ask(self._number, sql)

    def close(self) -> None:
        if self._used:
            self._jdbc.say(self._number, "")
