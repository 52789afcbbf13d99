"""VALUES made of constants: read as Python values straight from the text.

A statement that begins with a long list of rows is read here by two regular
expressions before anything else looks at it, and all rows but the first are
blanked out for the rest of the parser: a thousand rows then cost a few
milliseconds instead of fifty. What the expressions do not know takes the slow
way, token by token. A statement of one row is read by the same expressions when
one with the same words before its row has been read the slow way.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from constellationdb.planner.statements import Default, Parameter
from constellationdb.planner.syntax import literals
from constellationdb.planner.syntax.cursor import Cursor
from constellationdb.planner.syntax.tokens import Region, read_tokens

LONG = 512  # characters from which the fast path pays

_NAME = r'(?:"[^"\0]+"|[A-Za-z_\x80-\U0010ffff][\w$\x80-\U0010ffff]*)'
_HEAD = re.compile(
    rf"\s*insert\s+into\s+{_NAME}(?:\s*\.\s*{_NAME})*\s*(?:\(\s*{_NAME}(?:\s*,\s*{_NAME})*\s*\)\s*)?values\s*(?=\()",
    re.IGNORECASE | re.ASCII,
)
_VALUE = (
    r"(?:'[^'\0]*+(?:''[^'\0]*+)*+'|[+-]?(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][+-]?\d++)?|\$\d++"
    r"|true\b|false\b|null\b|default\b)"
)
_ROW = re.compile(rf"\s*\(\s*{_VALUE}(?:\s*,\s*{_VALUE})*+\s*\)", re.IGNORECASE | re.ASCII)
_VALUES = re.compile(_VALUE, re.IGNORECASE | re.ASCII)
_COMMA = re.compile(r"\s*,", re.ASCII)
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{0,5}[1-9])?\Z", re.ASCII)
_DEFAULT = Default()
_WORDS: dict[str, object] = {"true": True, "false": False, "null": None, "default": _DEFAULT}

Rows = tuple[tuple[object, ...], ...]


@dataclass(frozen=True, slots=True)
class LongRows:
    """The rows of the INSERT that a text begins with; ``scanned`` is that text with one row left."""

    rows: Rows
    scanned: str


def find_long_rows(text: str) -> LongRows | None:
    """None where the text is short, no INSERT, or has a value that is more than a constant."""
    if len(text) < LONG or (head := _HEAD.match(text)) is None:
        return None
    rows: list[tuple[object, ...]] = []
    at, first_end = head.end(), 0
    while (row := _ROW.match(text, at)) is not None:
        rows.append(tuple(map(_constant, _VALUES.findall(text, at, row.end()))))
        first_end = first_end or row.end()
        end = row.end()
        comma = _COMMA.match(text, end)
        if len(rows[-1]) != len(rows[0]):
            return None
        if comma is None:
            # The last bracket closes the first row now, so that the statement still ends where it did.
            return LongRows(tuple(rows), text[: first_end - 1] + " " * (end - first_end) + text[end - 1 :])
        at = comma.end()
    return None


def read_one_row(text: str) -> tuple[str, tuple[object, ...]] | None:
    """What stands before the row, and the row, of an INSERT of one row of constants; None for any other text."""
    if (head := _HEAD.match(text)) is None or (row := _ROW.match(text, head.end())) is None:
        return None
    if text[row.end() :].strip(" \t\r\n;") or not (text.isascii() or text.isprintable()):
        return None  # more than a row, or perhaps no valid Unicode
    return head[0], tuple(map(_constant, _VALUES.findall(text, head.end(), row.end())))


def _constant(raw: str) -> object:
    """The commonest kinds come first: this runs once a value."""
    if raw.isdigit():
        return int(raw)
    first = raw[0]
    if first == "'":
        return raw[1:-1].replace("''", "'")
    if first == "$":
        return Parameter(int(raw[1:]))
    if first.isalpha():
        return _WORDS[raw.lower()]
    return int(raw) if first in "+-" and raw[1:].isdigit() else Decimal(raw)


def read_rows(region: Region) -> Rows | None:
    """The rows of a valid ``VALUES …`` region; None when any value is more than a constant."""
    cursor = Cursor(region)
    cursor.expect("values")
    rows: list[tuple[object, ...]] = []
    while cursor.at("("):
        row = _row(Cursor(cursor.group()))
        if row is None or (rows and len(row) != len(rows[0])):
            return None  # the planner tells what is wrong with rows of different lengths
        rows.append(row)
        if cursor.done:
            return tuple(rows)
        if not cursor.accept(","):
            return None  # ORDER BY, LIMIT, UNION behind it
    return None


def value_position(text: str, row: int, place: int) -> int | None:
    """Where the value of a row of ``INSERT … VALUES`` begins; None for what a client bound."""
    source = read_tokens(text)
    cursor = Cursor(Region(source, 0, len(source.tokens)))
    while not cursor.accept("values"):
        cursor.next()
    for _ in range(row):
        cursor.group()
        cursor.accept(",")
    inside = Cursor(cursor.group())
    for _ in range(place):
        while not inside.accept(","):
            inside.next()
    return None if inside.peek().name == "PARAM" else inside.position


class _NotConstantError(Exception):
    """The value at the cursor has to be computed."""


def _row(cursor: Cursor) -> tuple[object, ...] | None:
    values: list[object] = []
    try:
        while True:
            values.append(_value(cursor))
            if cursor.done:
                return tuple(values)
            if not cursor.accept(","):
                return None
    except _NotConstantError:
        return None


def _value(cursor: Cursor) -> object:
    sign = cursor.next().word if cursor.peek().word in ("+", "-") else ""
    token = cursor.next()
    if token.name in ("ICONST", "FCONST"):
        number = literals.number(token.word)
        if sign != "-":
            return number
        return -number if isinstance(number, int) else number.copy_negate()  # minus would round a long Decimal
    if sign:
        raise _NotConstantError
    if literals.is_string(token):
        return _string(cursor, literals.string(cursor.source, token))
    if token.name == "PARAM":
        return Parameter(int(token.word[1:]))
    if token.word in _WORDS and token.kind == "RESERVED_KEYWORD":
        return _WORDS[token.word]
    if token.word in _TYPED and literals.is_string(cursor.peek()):
        return _typed(token.word, cursor.string())
    raise _NotConstantError


def _string(cursor: Cursor, value: str) -> str:
    if not cursor.accept("::"):
        return value
    return _typed(cursor.next().word, value)


def _typed(type_name: str, value: str) -> str:
    """A typed constant as plain text, only where that means the same whatever column it goes into."""
    accepts = _TYPED.get(type_name)
    if accepts is None or not accepts(value):
        raise _NotConstantError
    return value


def _is_date(value: str) -> bool:
    return len(value) == 10 and _parses(date.fromisoformat, value)


def _is_timestamp(value: str) -> bool:
    """As Postgres itself prints it, and without a zone, which a timestamp would ignore."""
    return _TIMESTAMP.match(value) is not None and _parses(datetime.fromisoformat, value)


def _parses(parse: Callable[[str], object], value: str) -> bool:
    try:
        parse(value)
    except ValueError:
        return False
    return True


_TYPED: dict[str, Callable[[str], bool]] = {
    "text": lambda value: True,  # noqa: ARG005
    "date": _is_date,
    "timestamp": _is_timestamp,
}
