"""Postgres' regular expressions by Python's: which patterns there are, and the leftmost longest match of one.

Python takes the first way that fits, Postgres the longest match (the shortest, where the quantifiers are lazy), and in
it the longest first group. So the end is looked for after the beginning. A pattern of which we could not tell for
certain what its groups hold is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from constellationdb.planner.raising import ComputationError

_CLASSES = {
    "alpha": "a-zA-Z", "digit": "0-9", "alnum": "a-zA-Z0-9", "upper": "A-Z", "lower": "a-z", "space": r" \t\n\r\f\v",
    "blank": r" \t", "punct": r"!-/:-@\[-`{-~", "xdigit": "0-9A-Fa-f", "word": r"\w", "cntrl": r"\x00-\x1f\x7f",
    "graph": "!-~", "print": " -~",
}  # fmt: skip
_EDGES = {"m": r"(?<!\w)(?=\w)", "M": r"(?<=\w)(?!\w)", "y": r"\b", "Y": r"\B", "A": r"\A", "Z": r"\Z"}
_LETTERS = frozenset("dwsDWS")
_CONTROLS = {"a": r"\x07", "b": r"\x08", "f": r"\f", "n": r"\n", "r": r"\r", "t": r"\t", "v": r"\v", "e": r"\x1b"}
_QUANTIFIER = re.compile(r"[*+?]|\{(\d+)(,(\d*))?\}")
_OPTIONS = frozenset("gicnsm")


def _invalid(what: str) -> ComputationError:
    return ComputationError("2201B", f"invalid regular expression: {what}")


def _refused(what: str) -> ComputationError:
    return ComputationError("0A000", f"a regular expression with {what} is not supported")


@dataclass
class _Part:
    text: str
    length: int | None  # None: it varies
    takes: bool = True  # letters; a condition on the place takes none, and cannot be repeated


class _Reader:
    """A pattern read from left to right, in Python's words."""

    def __init__(self, pattern: str, *, lines: bool) -> None:
        self._pattern, self._at, self._lines = pattern, 0, lines
        self.groups = 0
        self.greedy = self.lazy = self.chosen = self.unsure = self.looks = False

    def read(self) -> str:
        if self._pattern.startswith("***") or re.match(r"\(\?[a-z]+\)", self._pattern):
            raise _refused("options in it")
        part = self._alternatives()
        if self._at < len(self._pattern):
            raise _invalid("parentheses () not balanced")
        if self.lazy and (self.greedy or self.chosen):
            raise _refused("lazy quantifiers beside greedy ones or alternatives")
        if self.groups and self.unsure:
            raise _refused("groups and nested repetitions or alternatives of several lengths")
        return part.text

    def _next(self, text: str) -> bool:
        found = self._pattern.startswith(text, self._at)
        self._at += len(text) * found
        return found

    def _alternatives(self) -> _Part:
        before, branches = self.groups, [self._branch()]
        while self._next("|"):
            branches.append(self._branch())
        if len(branches) == 1:
            return branches[0]
        self.chosen = True
        lengths = {branch.length for branch in branches}
        if len(lengths) > 1:
            self.unsure |= None in lengths or self.groups > before
            branches.sort(key=lambda branch: -(branch.length or 0))
        return _Part("|".join(b.text for b in branches), lengths.pop() if len(lengths) == 1 else None)

    def _branch(self) -> _Part:
        made, length = "", 0
        fixed = True
        while self._at < len(self._pattern) and self._pattern[self._at] not in "|)":
            part = self._quantified(self._atom())
            made += part.text
            fixed &= part.length is not None
            length += part.length or 0
        return _Part(made, length if fixed else None)

    def _quantified(self, atom: _Part) -> _Part:
        found = _QUANTIFIER.match(self._pattern, self._at)
        if found is None:
            return atom
        if not atom.takes:
            raise _invalid("quantifier operand invalid")
        self._at = found.end()
        least, most = int(found[1] or 0), int(found[3] or 0) if found[2] else int(found[1] or 0)
        if max(least, most) > 255 or (found[3] and least > most):
            raise _invalid("invalid repetition count(s)")
        fixed = found[1] is not None and found[2] is None
        lazy = self._next("?")
        if not fixed:
            self.lazy, self.greedy = self.lazy or lazy, self.greedy or not lazy
        if _QUANTIFIER.match(self._pattern, self._at):
            raise _invalid("quantifier operand invalid")
        self.unsure |= atom.length == 0 or (atom.length is None and found[0] != "?")
        length = atom.length * least if fixed and atom.length is not None else None
        return _Part(atom.text + found[0] + "?" * lazy, length)

    def _atom(self) -> _Part:
        letter = self._pattern[self._at]
        if _QUANTIFIER.match(self._pattern, self._at):
            raise _invalid("quantifier operand invalid")
        self._at += 1
        match letter:
            case "(":
                return self._group()
            case "[":
                return _Part(self._bracket(), 1)
            case "\\":
                return self._escape()
            case ".":
                return _Part("." if not self._lines else r"[^\n]", 1)
            case "^":
                return _Part("(?m:^)" if self._lines else r"\A", 0, takes=False)
            case "$":
                self.looks = True
                return _Part("(?m:$)" if self._lines else r"\Z", 0, takes=False)
        return _Part(re.escape(letter), 1)

    def _group(self) -> _Part:
        opening = next((o for o in ("?:", "?=", "?!", "?<=", "?<!") if self._next(o)), "")
        if not opening and self._next("?"):
            raise _invalid("quantifier operand invalid")
        before, self.groups = self.groups, self.groups + (not opening)
        inner = self._alternatives()
        if not self._next(")"):
            raise _invalid("parentheses () not balanced")
        if opening and opening != "?:":
            if self.groups > before:
                raise _refused("groups in a lookaround")
            if "<" in opening and inner.length is None:
                raise _refused("a lookbehind of several lengths")
            self.looks = True
            return _Part(f"({opening}{inner.text})", 0, takes=False)
        return _Part(f"({opening}{inner.text})", inner.length)

    def _escape(self) -> _Part:
        if self._at == len(self._pattern):
            raise _invalid("invalid escape \\ sequence")
        letter = self._pattern[self._at]
        self._at += 1
        if letter in _EDGES:
            self.looks = True
            return _Part(_EDGES[letter], 0, takes=False)
        if letter in _LETTERS:
            return _Part("\\" + letter, 1)
        if letter in _CONTROLS:
            return _Part(_CONTROLS[letter], 1)
        if letter.isascii() and letter.isalnum():
            raise _refused(f"the escape \\{letter}")
        return _Part(re.escape(letter), 1)

    def _bracket(self) -> str:
        negated = self._next("^")
        made, first = "", True
        while first or not self._next("]"):
            if self._at >= len(self._pattern):
                raise _invalid("brackets [] not balanced")
            if self._next("[:"):
                name, closed, _ = self._pattern[self._at :].partition(":]")
                if not closed:
                    raise _invalid("brackets [] not balanced")
                if name not in _CLASSES:
                    raise _invalid("invalid character class")
                self._at += len(name) + 2
                made += _CLASSES[name]
            elif self._next("[.") or self._next("[="):
                raise _refused("collating elements")
            else:
                made += self._range()
            first = False
        return f"[{'^' * negated}{made}{chr(92) + 'n' if negated and self._lines else ''}]"

    def _range(self) -> str:
        low = self._member()
        ends = self._pattern[self._at : self._at + 2]
        if len(ends) < 2 or ends[0] != "-" or ends[1] == "]":
            return low
        self._at += 1
        high = self._member()
        if len(low) > 2 or len(high) > 2 or low[-1] > high[-1]:
            raise _invalid("invalid character range")
        return f"{low}-{high}"

    def _member(self) -> str:
        letter = self._pattern[self._at]
        self._at += 1
        return self._escape().text if letter == "\\" else "\\" + letter if not letter.isalnum() else letter


@dataclass(frozen=True)
class Expression:
    text: str
    flags: int
    groups: int
    lazy: bool
    looks: bool  # beyond its end, so that the text must not be cut there
    only: bool  # all that it matches is as long

    def first(self, subject: str, start: int = 0) -> re.Match[str] | None:
        """The leftmost match from ``start`` on, the longest of those there."""
        compiled = _compiled(self.text, self.flags)
        found = compiled.search(subject, start)
        if found is None or self.only:
            return found
        begin, end = found.span()
        ends = range(begin, end) if self.lazy else range(len(subject), end, -1)
        for place in ends:
            if (other := self._until(subject, begin, place)) is not None:
                return other
        return self._until(subject, begin, end)

    def _until(self, subject: str, begin: int, end: int) -> re.Match[str] | None:
        if not self.looks:
            return _compiled(self.text, self.flags).fullmatch(subject, begin, end)
        rest = len(subject) - end
        return _compiled(f"(?:{self.text})(?=(?s:.{{{rest}}})\\Z)", self.flags).match(subject, begin)

    def all(self, subject: str, start: int = 0) -> Iterator[re.Match[str]]:
        while start <= len(subject) and (found := self.first(subject, start)) is not None:
            yield found
            start = found.end() + (found.start() == found.end())


@lru_cache(1024)
def _compiled(text: str, flags: int) -> re.Pattern[str]:
    return re.compile(text, flags)


@lru_cache(256)
def expression(pattern: str, options: str) -> Expression:
    """What ``pattern`` says under ``options``, those that Postgres knows but g."""
    for letter in options:
        if letter in "bepqtwx":
            raise _refused(f'the option "{letter}"')
        if letter not in _OPTIONS:
            raise ComputationError("22023", f'invalid regular expression option: "{letter}"')
    case = [letter for letter in options if letter in "ic"]
    lines = [letter for letter in options if letter in "nms"]
    reader = _Reader(pattern, lines=bool(lines) and lines[-1] != "s")
    text = reader.read()
    flags = re.ASCII | re.DOTALL | (re.IGNORECASE if case and case[-1] == "i" else 0)
    only = not (reader.greedy or reader.lazy or reader.chosen)
    return Expression(text, flags, reader.groups, reader.lazy, reader.looks, only)
