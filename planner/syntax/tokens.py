"""The text a client sent, as Postgres' own scanner cuts it into tokens.

Every position in this package counts characters, not bytes, from 0; a token
ends where the next character begins (the scanner itself gives inclusive ends).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pglast.parser import ParseError, scan

from constellationdb.errors import CharacterNotInRepertoire, ConstellationError, SqlSyntaxError

_COMMENTS = frozenset(("SQL_COMMENT", "C_COMMENT"))
# Tokens with a text of the user's own: comparing them with a keyword would be wrong.
_OPAQUE = frozenset(("SCONST", "USCONST", "BCONST", "XCONST", "UIDENT", "Op"))


def word_set(words: str) -> frozenset[str]:
    """The words of a text, to look tokens up in."""
    return frozenset(words.split())


class Token(NamedTuple):
    """``word`` is the lower-case text of a keyword, bare identifier or sign, else empty."""

    name: str
    kind: str
    start: int
    end: int
    word: str

    @property
    def is_identifier(self) -> bool:
        """Whether it can name a column or a table without quotes around it."""
        return self.name in ("IDENT", "UIDENT") or self.kind in ("UNRESERVED_KEYWORD", "COL_NAME_KEYWORD")


@dataclass(frozen=True, slots=True)
class Source:
    """``text`` is what was sent; ``scanned`` is the same or, for a long list of rows, what was left to scan."""

    text: str
    scanned: str
    tokens: tuple[Token, ...]

    def error_at(self, index: int) -> SqlSyntaxError:
        """Postgres' own words for a token that has no business where it is."""
        if index >= len(self.tokens):
            return SqlSyntaxError("syntax error at end of input", position=len(self.text) + 1)
        token = self.tokens[index]
        return SqlSyntaxError(
            f'syntax error at or near "{self.scanned[token.start : token.end]}"', position=token.start + 1
        )

    def matching(self, index: int, limit: int) -> int:
        """The index of the bracket that closes the one at ``index``; ``limit`` when none does."""
        depth = 0
        for i in range(index, limit):
            word = self.tokens[i].word
            if word in ("(", "["):
                depth += 1
            elif word in (")", "]"):
                depth -= 1
                if depth == 0:
                    return i
        return limit


@dataclass(frozen=True, slots=True)
class Region:
    """The tokens ``lo <= i < hi`` of a source: a statement, or a query inside one."""

    source: Source
    lo: int
    hi: int

    @property
    def start(self) -> int:
        return self.source.tokens[self.lo].start

    @property
    def end(self) -> int:
        return self.source.tokens[self.hi - 1].end

    @property
    def text(self) -> str:
        return self.source.text[self.start : self.end]

    @property
    def scanned(self) -> str:
        return self.source.scanned[self.start : self.end]

    def of(self, lo: int, hi: int) -> Region:
        return Region(self.source, lo, hi)

    def slice(self, lo: int, hi: int) -> str:
        """The text from token ``lo`` up to and with token ``hi - 1``."""
        return self.of(lo, hi).text


def read_tokens(text: str, scanned: str | None = None) -> Source:
    """Scan ``text``; SqlSyntaxError where a string, comment or number is malformed, 22021 where one is not text."""
    scanned = text if scanned is None else scanned
    if (nul := scanned.find("\0")) >= 0:  # the C scanner would stop there in silence
        raise CharacterNotInRepertoire('invalid byte sequence for encoding "UTF8": 0x00', position=nul + 1)
    try:
        found = scan(scanned)
    except UnicodeEncodeError as error:
        raise SqlSyntaxError("the text is not valid Unicode", position=error.start + 1) from None
    except ParseError as error:
        raise scan_error(error, scanned) from None
    return Source(text, scanned, tuple(_tokens(scanned, found)))


def scan_error(error: ParseError, text: str) -> ConstellationError:
    message, location = error.args
    position = len(text) + 1 if location is None else location + 1
    if message.startswith("invalid byte sequence"):  # from the escapes of E'…'
        return CharacterNotInRepertoire(message, position=position)
    return SqlSyntaxError(message, position=position)


def _tokens(text: str, found: Sequence[tuple[int, int, str, str]]) -> list[Token]:
    return [
        Token(name, kind, start, last + 1, _word(text, start, last + 1, name, kind))
        for start, last, name, kind in found
        if name not in _COMMENTS
    ]


def _word(text: str, start: int, end: int, name: str, kind: str) -> str:
    if kind != "NO_KEYWORD":
        return text[start:end].lower()
    if name in _OPAQUE or text[start] == '"':
        return ""
    return text[start:end].lower()
