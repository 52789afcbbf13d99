"""ASOF JOIN and MATCH_CONDITION, found among the tokens and said as a join that Postgres' grammar knows.

t ASOF LEFT JOIN q ON t.k = q.k AND t.ts >= q.ts
t      LEFT JOIN q ON t.k = q.k AND t.ts >= q.ts

t ASOF JOIN q MATCH_CONDITION (t.ts >= q.ts) ON t.k = q.k
t      JOIN q ON              (t.ts >= q.ts)AND t.k = q.k
"""

from __future__ import annotations

from constellationdb.errors import FeatureNotSupported
from constellationdb.planner.statements import AsofClause
from constellationdb.planner.syntax.cursor import Cursor
from constellationdb.planner.syntax.edits import Edit
from constellationdb.planner.syntax.tokens import Region, word_set

_BEFORE = word_set("left right full inner outer cross natural")
_BEHIND = word_set("on using match_condition for tablesample")


def asof_at(region: Region, index: int) -> tuple[AsofClause, list[Edit]] | None:
    """The join whose ASOF is at ``index``, and what to write over its words; None when it is another word."""
    tokens = region.source.tokens
    cursor = Cursor(region)
    cursor.index = index + 1
    kind = ""
    for word in ("left", "right", "full", "inner", "cross", "natural"):
        if cursor.accept(word):
            kind = word
    cursor.accept("outer")
    if not cursor.at("join") or (index > region.lo and tokens[index - 1].word in ("as", ".")):
        return None
    cursor.next()
    position = tokens[index].start
    words = [kind]
    before = index - 1
    while before > region.lo and tokens[before].word in _BEFORE:
        words.append(tokens[before].word)
        before -= 1
    for word in ("right", "full", "cross", "natural"):
        if word in words:
            raise FeatureNotSupported(
                f"{word.upper()} ASOF JOIN is not supported",
                hint="ASOF JOIN and ASOF LEFT JOIN keep the rows of the left side",
                position=position + 1,
            )
    _skip_relation(cursor)
    edits: list[Edit] = [(position, tokens[index].end, "")]
    condition = cursor.position
    if cursor.at("match_condition", "("):
        edits += _match_condition(cursor)
    elif cursor.at("using"):
        raise FeatureNotSupported(
            "USING is not supported in an ASOF JOIN",
            hint="write ON l.key = r.key AND l.ts >= r.ts",
            position=cursor.position + 1,
        )
    elif not cursor.at("on"):
        raise cursor.error()
    return AsofClause(condition, position), edits


def _skip_relation(cursor: Cursor) -> None:
    """The joined relation, a subquery or a call, with its alias."""
    if cursor.at("("):
        cursor.group()
    else:
        cursor.name()
        if cursor.at("("):
            cursor.group()
    named = cursor.accept("as")
    if named or (cursor.peek().is_identifier and cursor.peek().word not in _BEHIND):
        cursor.identifier()
        if cursor.at("("):
            cursor.group()


def _match_condition(cursor: Cursor) -> list[Edit]:
    """MATCH_CONDITION (a) ON b is ON (a) AND b; alone it is ON (a)."""
    word = cursor.next()
    opening = cursor.position
    inner = cursor.group()
    closing = cursor.source.tokens[cursor.index - 1]
    if inner.lo >= inner.hi:
        raise cursor.source.error_at(inner.hi)
    if cursor.at("using"):
        raise FeatureNotSupported(
            "USING is not supported in an ASOF JOIN", hint="write ON l.key = r.key", position=cursor.position + 1
        )
    if not cursor.at("on"):
        return [(word.start, word.end, "ON")]
    on = cursor.next()
    if on.start > closing.end:
        return [(word.start, word.end, "ON"), (closing.end, on.end, "AND")]
    # No room for the longer word: all of it moves by one character to the left.
    condition = cursor.source.scanned[opening : closing.end]
    blanks = " " * (opening - word.start - 3)
    return [(word.start, on.end, f"ON{blanks}{condition}AND")]
