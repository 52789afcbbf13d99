"""FOR SYSTEM_TIME AS OF …: found behind a table's name or its alias, and taken out of the text."""

from __future__ import annotations

from constellationdb.errors import FeatureNotSupported
from constellationdb.planner.statements import TemporalClause
from constellationdb.planner.syntax.cursor import Cursor
from constellationdb.planner.syntax.tokens import Region, Token, word_set

# What can follow the clause in a FROM list; anything else belongs to its expression.
_STOPS = word_set(
    "on using join left right full inner outer cross natural where group order having limit offset fetch for window "
    "union intersect except as returning emit allow , ) ;"
)
_NOW = frozenset((("proctime", "(", ")"), ("now", "(", ")"), ("current_timestamp",)))


def clause_at(region: Region, index: int) -> tuple[TemporalClause, int] | None:
    """The clause whose FOR is at ``index``, with the index behind it; None when it is another FOR.

    Positions in the answer count in the client's text; ``Masked.query`` makes them the query's own.
    """
    cursor = Cursor(region)
    cursor.index = index
    if not cursor.at("for", "system_time"):
        return None
    position = cursor.position
    cursor.expect("for", "system_time", "as", "of")
    lo = cursor.index
    _skip_expression(cursor)
    if cursor.index == lo:
        raise cursor.error()
    words = tuple(region.source.tokens[i].word for i in range(lo, cursor.index))
    as_of = None if words in _NOW else region.slice(lo, cursor.index)
    begins = region.source.tokens[lo].start
    return TemporalClause(_relation_position(region, index), as_of, position, begins), cursor.index


def _skip_expression(cursor: Cursor) -> None:
    """An expression ends at a word that cannot be in one, or where a second operand would begin: an alias."""
    operand = False
    while not cursor.done:
        token = cursor.peek()
        if token.word in _STOPS:
            return
        starts_operand = _starts_operand(token)
        if operand and starts_operand:
            return
        if token.word in ("(", "["):
            cursor.index = cursor.source.matching(cursor.index, cursor.region.hi) + 1
            operand = True
        elif token.word == "interval":
            cursor.index += 1
            _skip_interval(cursor)
            operand = True
        else:
            cursor.index += 1
            operand = starts_operand
    cursor.index = min(cursor.index, cursor.region.hi)


def _skip_interval(cursor: Cursor) -> None:
    if cursor.peek().name == "SCONST":
        cursor.index += 1
        if cursor.peek().word in ("second", "minute", "hour", "day", "month", "year"):
            cursor.index += 1


def _starts_operand(token: Token) -> bool:
    if token.word in ("at", "time", "zone", "and", "or", "not"):
        return False
    return token.name in ("IDENT", "UIDENT", "PARAM", "ICONST", "FCONST", "SCONST") or token.kind != "NO_KEYWORD"


def _relation_position(region: Region, index: int) -> int:
    """Walk back from FOR: over an alias, if there is one, to the beginning of the relation's name."""
    tokens = region.source.tokens
    at = index - 1
    if at <= region.lo or not tokens[at].is_identifier:
        raise FeatureNotSupported(
            "FOR SYSTEM_TIME AS OF applies to a table name only", position=tokens[index].start + 1
        )
    if tokens[at - 1].word == "as":
        at -= 2
    elif tokens[at - 1].is_identifier:
        at -= 1
    while at - 2 > region.lo and tokens[at - 1].word == ".":
        at -= 2
    if not tokens[at].is_identifier:
        raise region.source.error_at(index)
    return tokens[at].start
