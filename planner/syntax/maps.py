"""Maps in the words of Postgres' grammar, in place: every position stays true.

MAP {'a': 1, 'b': 2}          map ('a', 1, 'b', 2)
m map(text, int)              m "~text, int"          the name of a type that says what it is
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from constellationdb.catalog.types import MAP_MARK

_HINT = re.compile(r"\bmap\s*[({]", re.IGNORECASE)
_PIECE = re.compile(
    r"""(?P<opaque>'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|/\*.*?\*/|\$(\w*)\$.*?\$\2\$)|(?P<word>[^\W\d]\w*)|(?P<sign>::|\S)""",
    re.DOTALL,
)
_DEFINING = frozenset({"table", "source", "type", "column", "lookup"})
_ENDS = {"(": ")", "[": "]", "{": "}"}

_Piece = tuple[int, str]  # where it begins, and a word in lower case or a sign


def spelled(text: str) -> str:
    """``text`` with its maps said so that Postgres' grammar takes them."""
    if not _HINT.search(text):
        return text
    pieces = list(_pieces(text))
    out = list(text)
    defining = False
    for index, (_, word) in enumerate(pieces):
        if word == ";":
            defining = False
        defining |= (
            word in _DEFINING and index > 0 and pieces[index - 1][1] in ("create", "alter", "lookup", "add", "or")
        )
        following = pieces[index + 1][1] if index + 1 < len(pieces) else ""
        if word == "map" and following == "{":
            _literal(out, pieces, index + 1)
        elif word == "map" and following == "(" and _names_type(pieces, index, defining=defining):
            _type(out, pieces, index)
    return "".join(out)


def _pieces(text: str) -> Iterator[_Piece]:
    for found in _PIECE.finditer(text):
        if found.group("opaque") is None:
            yield found.start(), found.group().lower()
        elif found.group().startswith(("'", '"')):
            yield found.start(), "''"


def _closing(pieces: list[_Piece], index: int) -> int:
    """The piece that closes the bracket at ``index``; the last one where none does."""
    depth = 0
    for at in range(index, len(pieces)):
        depth += (pieces[at][1] in _ENDS) - (pieces[at][1] in _ENDS.values())
        if depth == 0:
            return at
    return len(pieces) - 1


def _literal(out: list[str], pieces: list[_Piece], index: int) -> None:
    """Braces become brackets, the colons between them commas."""
    end, depth = _closing(pieces, index), 0
    out[pieces[index][0]] = "("
    if pieces[end][1] == "}":
        out[pieces[end][0]] = ")"
    for at, word in pieces[index:end]:
        depth += (word in _ENDS) - (word in _ENDS.values())
        if word == ":" and depth == 1:
            out[at] = ","


def _names_type(pieces: list[_Piece], index: int, *, defining: bool) -> bool:
    before = pieces[index - 1][1] if index else ""
    if before == "::":
        return True
    if before == "as":
        return _is_cast(pieces, index)
    is_name = before == "''" or (before[:1].isalpha() or before[:1] == "_")
    return defining and is_name and before not in ("default", "as", "check", "and", "or", "not", "using", "generated")


def _is_cast(pieces: list[_Piece], index: int) -> bool:
    """Whether the bracket that this stands in is CAST's."""
    depth = 0
    for at in range(index, 0, -1):
        word = pieces[at - 1][1]
        depth += (word in _ENDS.values()) - (word in _ENDS)
        if depth < 0:
            return at > 1 and pieces[at - 2][1] == "cast"
    return False


def _type(out: list[str], pieces: list[_Piece], index: int) -> None:
    begin, end = pieces[index][0], pieces[_closing(pieces, index + 1)][0]
    inside = "".join(out[pieces[index + 1][0] + 1 : end])
    name = f'"{MAP_MARK}{inside}"'
    out[begin : end + 1] = list(name.ljust(end + 1 - begin))
