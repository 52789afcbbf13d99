"""Edit SQL text and still know where everything was; write names and strings into SQL.

new, back = apply_edits("SELECT a FROM t", [(7, 8, "a + 1")])
new == "SELECT a + 1 FROM t" and back(new.index("t")) == 14
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence

from pglast.keywords import COL_NAME_KEYWORDS, RESERVED_KEYWORDS, TYPE_FUNC_NAME_KEYWORDS

Edit = tuple[int, int, str]  # the characters start..end become the third

_BARE = re.compile(r"[a-z_][a-z0-9_$]*\Z")
_QUOTED_KEYWORDS = frozenset(RESERVED_KEYWORDS) | frozenset(COL_NAME_KEYWORDS) | frozenset(TYPE_FUNC_NAME_KEYWORDS)


def apply_edits(text: str, edits: Sequence[Edit]) -> tuple[str, Callable[[int], int]]:
    """The edited text, and the map from positions in it back to ``text``.

    Edits may come in any order and must not overlap. A position inside a
    replacement maps to the beginning of what it replaced.
    """
    pieces: list[str] = []
    kept: list[tuple[int, int, int]] = []  # (begin in new, begin in old, how many characters of old still follow)
    length = last = 0
    for start, end, replacement in sorted(edits, key=lambda edit: edit[:2]):
        if not last <= start <= end <= len(text):
            raise ValueError(f"edit {start}..{end} overlaps another or lies outside the text")
        kept += [(length, last, start - last), (length + start - last, start, 0)]
        pieces += [text[last:start], replacement]
        length += start - last + len(replacement)
        last = end
    kept.append((length, last, len(text) - last))
    pieces.append(text[last:])
    begins = [begin for begin, _, _ in kept]

    def to_original(position: int) -> int:
        begin, old, count = kept[max(bisect_right(begins, position) - 1, 0)]
        return old + min(position - begin, count)

    return "".join(pieces), to_original


def overlay(text: str, edits: Iterable[Edit], base: int = 0) -> str:
    """``text`` with stretches overwritten in place, padded with blanks: no position changes.

    ``base`` is where ``text`` begins in what the edits count. Line breaks stay, so line numbers do, too.
    """
    for start, end, replacement in edits:
        old = text[start - base : end - base]
        rest = "".join(c if c in "\r\n" else " " for c in old[len(replacement) :])
        text = text[: start - base] + replacement + rest + text[end - base :]
    return text


def identifier(name: str) -> str:
    """``name`` as SQL, quoted only when it has to be."""
    if _BARE.match(name) and name not in _QUOTED_KEYWORDS:
        return name
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    """``value`` as a SQL string constant."""
    return "'" + value.replace("'", "''") + "'"
