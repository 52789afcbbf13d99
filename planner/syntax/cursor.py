"""A place in a region of tokens, and the small questions a recursive descent asks there."""

from __future__ import annotations

from constellationdb.errors import SqlSyntaxError
from constellationdb.planner.syntax import literals
from constellationdb.planner.syntax.names import Name
from constellationdb.planner.syntax.tokens import Region, Source, Token

_END = Token("", "NO_KEYWORD", -1, -1, "")


class Cursor:
    """Moves forward over ``region``; ``index`` counts in the source's tokens."""

    __slots__ = ("_tokens", "index", "region", "source")

    def __init__(self, region: Region) -> None:
        self.region = region
        self.source: Source = region.source
        self._tokens = region.source.tokens
        self.index = region.lo

    def peek(self, ahead: int = 0) -> Token:
        """The token here or further on; past the end one that equals nothing."""
        at = self.index + ahead
        return self._tokens[at] if at < self.region.hi else _END

    @property
    def done(self) -> bool:
        return self.index >= self.region.hi

    @property
    def position(self) -> int:
        """Where the token here begins; at the end, where the region ends."""
        return self._tokens[self.index].start if not self.done else self.region.end

    def at(self, *words: str) -> bool:
        return all(self.peek(i).word == word for i, word in enumerate(words))

    def accept(self, *words: str) -> bool:
        if self.at(*words):
            self.index += len(words)
            return True
        return False

    def expect(self, *words: str) -> None:
        for word in words:
            if not self.accept(word):
                raise self.error()

    def next(self) -> Token:
        if self.done:
            raise self.error()
        self.index += 1
        return self._tokens[self.index - 1]

    def error(self) -> SqlSyntaxError:
        return self.source.error_at(self.index)

    def expect_end(self) -> None:
        if not self.done:
            raise self.error()

    def identifier(self) -> str:
        if not self.peek().is_identifier:
            raise self.error()
        return literals.identifier(self.source, self.next())

    def name(self) -> Name:
        """A relation's name, with a schema or without."""
        position = self.position
        parts = [self.identifier()]
        while self.accept("."):
            if self.done or not (self.peek().is_identifier or self.peek().kind != "NO_KEYWORD"):
                raise self.error()
            parts.append(literals.identifier(self.source, self.next()))
        return Name(tuple(parts), position)

    def string(self) -> str:
        if not literals.is_string(self.peek()):
            raise self.error()
        return literals.string(self.source, self.next())

    def integer(self) -> int:
        token = self.peek()
        if token.name != "ICONST":
            raise self.error()
        return int(literals.number(self.next().word))

    def group(self) -> Region:
        """What stands between the bracket here and the one that closes it; the cursor moves behind both."""
        if not self.at("("):
            raise self.error()
        close = self.source.matching(self.index, self.region.hi)
        if close >= self.region.hi:
            raise self.source.error_at(self.region.hi)
        inside = self.region.of(self.index + 1, close)
        self.index = close + 1
        return inside
