"""From lines to what is to be done: a statement at its semicolon, a backslash word at the end of its line.

    SELECT 1;            Statement("SELECT 1;")
    SELECT 2 \\gx         Word("gx", "", "SELECT 2 ")
    \\d orders            Word("d", "orders", "")

Sans-I/O: ``feed`` takes a line and gives what it completes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

from constellationdb.errors import ConstellationError
from constellationdb.planner.syntax.split import ends
from constellationdb.planner.syntax.tokens import Source, read_tokens

# Words that take the statement typed before them; the others leave it where it is.
TAKING = frozenset({"g", "gx", "gdesc", "watch", "e", "edit", "r", "reset"})


@dataclass(frozen=True)
class Statement:
    sql: str


@dataclass(frozen=True)
class Word:
    """``\\name argument``; ``sql`` is the unfinished statement that it takes."""

    name: str
    argument: str = ""
    sql: str = ""


Piece: TypeAlias = Statement | Word


class Script:
    """``pending`` is the statement that has not ended yet."""

    def __init__(self) -> None:
        self.pending = ""

    def feed(self, line: str) -> list[Piece]:
        """``line`` without its line break. What it completes may be several pieces, the last of which may be a word."""
        known = len(self.pending)
        self.pending += line + "\n"
        at = _backslash(self.pending, known)
        if at is not None:
            word = self.pending[at + 1 :].rstrip("\n")
            self.pending = self.pending[:at]
        found: list[Piece] = [*self._statements()] if at is not None or ";" in line else []
        if at is not None:
            found.append(self._word(word))
        if not _says_something(self.pending):
            self.pending = ""
        return found

    def finish(self) -> Iterator[Piece]:
        """The end of the input ends the last statement, too."""
        rest, self.pending = self.pending, ""
        if _says_something(rest):
            yield Statement(rest)

    def _statements(self) -> Iterator[Statement]:
        source = _scanned(self.pending)
        if source is None:
            return
        if isinstance(source, ConstellationError):
            # No string or comment is open: the database will say what is wrong with it.
            if self.pending.rstrip().endswith(";"):
                sql, self.pending = self.pending, ""
                yield Statement(sql)
            return
        cuts = [0, *(source.tokens[i].end for i in ends(source))]
        whole = [self.pending[begin:end] for begin, end in pairwise(cuts)]
        self.pending = self.pending[cuts[-1] :]
        yield from (Statement(sql) for sql in whole if sql.strip() != ";")

    def _word(self, text: str) -> Word:
        name, _, argument = text.partition(" ")
        if name[:1] in ("!", "?"):  # they need no blank behind them
            name, argument = text[0], text[1:]
        taken = ""
        if name in TAKING:
            taken, self.pending = self.pending, ""
        return Word(name, argument.strip(), taken)


def pieces(text: str) -> list[Piece]:
    """All of a text."""
    script = Script()
    found = [piece for line in text.split("\n") for piece in script.feed(line)]
    return [*found, *script.finish()]


def is_whole(text: str) -> bool:
    """Whether nothing is missing behind ``text``: every statement in it has ended, or it is a backslash word."""
    script = Script()
    for line in text.splitlines():
        word = None
        for piece in script.feed(line):
            word = piece if isinstance(piece, Word) else None
        if word is not None:
            return True
    return not script.pending


def _backslash(text: str, begin: int) -> int | None:
    """The first backslash from ``begin`` on that is in no string, name or comment."""
    at = text.find("\\", begin)
    while at >= 0:
        if _scanned(text[:at]) is not None and not in_comment(text[:at]):
            return at
        at = text.find("\\", at + 1)
    return None


def in_comment(before: str) -> bool:
    """Whether a comment that ends with its line is open."""
    line = before.rpartition("\n")[2]
    if "--" not in line:
        return False
    # A word that is put behind it is seen, unless it is part of a comment.
    probe = _scanned(before + " probe")
    return isinstance(probe, Source) and (not probe.tokens or probe.tokens[-1].end <= len(before))


def _scanned(text: str) -> Source | ConstellationError | None:
    """None while a string, a quoted name or a comment is open."""
    try:
        return read_tokens(text)
    except ConstellationError as error:
        return None if error.message.startswith("unterminated") else error


def _says_something(text: str) -> bool:
    """Whether there is more than blanks and comments."""
    source = _scanned(text)
    return not isinstance(source, Source) or bool(source.tokens)
