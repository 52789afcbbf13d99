"""A path's text to its nodes, by recursive descent."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from functools import lru_cache

from constellationdb.planner.jsonpath.nodes import (
    Descendants,
    Elements,
    Filter,
    Last,
    Literal,
    Member,
    Method,
    Node,
    Operation,
    Path,
    Pattern,
    Root,
    Variable,
    is_test,
)
from constellationdb.planner.raising import ComputationError

_TOKEN = re.compile(
    r'\s*(?:(?P<string>"(?:[^"\\]|\\.)*")|(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|\.\d+)'
    r'|(?P<variable>\$(?:\w+|"(?:[^"\\]|\\.)*"))|(?P<word>[^\W\d]\w*)'
    r"|(?P<sign>\*\*|&&|\|\||==|!=|<>|<=|>=|[$@.\[\]()?*,+\-/%!<>{}]))"
)
_METHODS = frozenset({"type", "size", "double", "ceiling", "floor", "abs"})
_COMPARISONS = frozenset({"==", "!=", "<>", "<", "<=", ">", ">="})
_LITERALS = {"true": True, "false": False, "null": None}


@lru_cache(maxsize=256)
def parse_path(text: str) -> Path:
    return _Parser(text).path()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = self._split()
        self._at = 0

    def _split(self) -> list[tuple[str, str]]:
        found, at = [], 0
        while at < len(self._text.rstrip()):
            match = _TOKEN.match(self._text, at)
            if match is None:
                raise self._wrong(self._text[at:].strip()[:1])
            assert match.lastgroup is not None
            found.append((match.lastgroup, match.group(match.lastgroup)))
            at = match.end()
        return [*found, ("end", "")]

    def _wrong(self, near: str) -> ComputationError:
        where = f'at or near "{near}"' if near else "at end"
        return ComputationError("42601", f"syntax error {where} of jsonpath input")

    # -- tokens --------------------------------------------------------------------------------

    @property
    def _next(self) -> str:
        kind, text = self._tokens[self._at]
        return text if kind in ("sign", "word") else ""

    def _take(self) -> tuple[str, str]:
        self._at += 1
        return self._tokens[self._at - 1]

    def _accept(self, *words: str) -> str:
        if self._next not in words:
            return ""
        return self._take()[1]

    def _expect(self, word: str) -> None:
        if not self._accept(word):
            raise self._wrong(self._tokens[self._at][1])

    # -- grammar -------------------------------------------------------------------------------

    def path(self) -> Path:
        strict = self._accept("strict", "lax") == "strict"
        root = self._or()
        if self._tokens[self._at][0] != "end":
            raise self._wrong(self._tokens[self._at][1])
        return Path(root, strict)

    def _or(self) -> Node:
        made = self._and()
        while self._accept("||"):
            made = Operation("||", (made, self._and()))
        return made

    def _and(self) -> Node:
        made = self._test()
        while self._accept("&&"):
            made = Operation("&&", (made, self._test()))
        return made

    def _test(self) -> Node:
        if self._accept("!"):
            self._expect("(")
            made: Node = Operation("!", (self._or(),))
            self._expect(")")
            return made
        if self._accept("exists"):
            self._expect("(")
            made = Operation("exists", (self._or(),))
            self._expect(")")
            return made
        left = self._sum()
        if word := self._accept(*_COMPARISONS):
            return Operation("!=" if word == "<>" else word, (left, self._sum()))
        if self._accept("starts"):
            self._expect("with")
            return Pattern("starts with", left, self._primary())
        if self._accept("like_regex"):
            pattern = self._primary()
            flags = str(json.loads(self._take()[1])) if self._accept("flag") else ""
            return Pattern("like_regex", left, pattern, flags)
        if is_test(left) and self._accept("is"):
            self._expect("unknown")
            return Operation("is unknown", (left,))
        return left

    def _sum(self) -> Node:
        made = self._product()
        while word := self._accept("+", "-"):
            made = Operation(word, (made, self._product()))
        return made

    def _product(self) -> Node:
        made = self._signed()
        while word := self._accept("*", "/", "%"):
            made = Operation(word, (made, self._signed()))
        return made

    def _signed(self) -> Node:
        if word := self._accept("+", "-"):
            return Operation(word, (self._signed(),))
        return self._steps(self._primary())

    def _primary(self) -> Node:
        kind, text = self._take()
        match kind:
            case "string":
                return Literal(json.loads(text))
            case "number":
                return Literal(Decimal(text))
            case "variable":
                return Variable(json.loads(text[1:]) if text[1] == '"' else text[1:])
            case "word" if text in _LITERALS:
                return Literal(_LITERALS[text])
            case "word" if text == "last":
                return Last()
        if text in ("$", "@"):
            return Root(text == "@")
        if text == "(":
            made = self._or()
            self._expect(")")
            return made
        raise self._wrong(text)

    def _steps(self, made: Node) -> Node:
        while word := self._accept(".", "[", "?"):
            if word == ".":
                made = self._member(made)
            elif word == "[":
                made = self._elements(made)
            else:
                self._expect("(")
                made = Filter(made, self._or())
                self._expect(")")
        return made

    def _member(self, base: Node) -> Node:
        if self._accept("*"):
            return Member(base, None)
        if self._accept("**"):
            return self._descendants(base)
        kind, text = self._take()
        if kind not in ("word", "string"):
            raise self._wrong(text)
        if kind == "word" and self._next == "(":
            if text not in _METHODS:
                raise ComputationError("0A000", f"jsonpath item method .{text}() is not supported")
            self._take()
            self._expect(")")
            return Method(base, text)
        return Member(base, json.loads(text) if kind == "string" else text)

    def _descendants(self, base: Node) -> Node:
        if not self._accept("{"):
            return Descendants(base, 0, None)
        first = self._level()
        last = self._level() if self._accept("to") else first
        self._expect("}")
        if first is None:
            raise ComputationError("0A000", ".**{last} is not supported in jsonpath")
        return Descendants(base, first, last)

    def _level(self) -> int | None:
        kind, text = self._take()
        if kind == "number" and text.isdigit():
            return int(text)
        if text == "last":
            return None
        raise self._wrong(text)

    def _elements(self, base: Node) -> Node:
        if self._accept("*"):
            self._expect("]")
            return Elements(base, ())
        ranges = []
        while True:
            first = self._sum()
            ranges.append((first, self._sum() if self._accept("to") else None))
            if not self._accept(","):
                break
        self._expect("]")
        return Elements(base, tuple(ranges))
