"""What window calls have that Postgres does not know, written so that it reads it.

    FROM TABLE(SESSION(TABLE trade PARTITION BY symbol, DESCRIPTOR(ts), INTERVAL '1' MINUTE))
    FROM       SESSION(      trade ,            symbol, DESCRIPTOR(ts), INTERVAL '1' MINUTE)

What stands between the relation and the last arguments is then what it is partitioned by.
"""

from __future__ import annotations

from constellationdb.errors import SqlSyntaxError
from constellationdb.planner.syntax.edits import Edit
from constellationdb.planner.syntax.tokens import Region, word_set

HINTS = ("tumble", "hop", "cumulate", "session")
_CALLS = word_set("tumble hop cumulate session")
_BEFORE_ITEM = word_set("from join , (")


def window_edits(region: Region) -> list[Edit]:
    """Every such spelling in ``region``; each edit is no longer than what it replaces."""
    edits: list[Edit] = []
    tokens = region.source.tokens
    for i in range(region.lo, region.hi - 1):
        if tokens[i + 1].word != "(":
            continue
        if tokens[i].word == "table" and i > region.lo and tokens[i - 1].word in _BEFORE_ITEM:
            edits += _table(region, i)
        elif tokens[i].word in _CALLS:
            edits += _call(region, i)
    return edits


def _table(region: Region, index: int) -> list[Edit]:
    """TABLE(…) around a call."""
    tokens = region.source.tokens
    if index + 3 >= region.hi or tokens[index + 2].word not in _CALLS or tokens[index + 3].word != "(":
        return []
    close = region.source.matching(index + 1, region.hi)
    if close == region.hi:
        return []
    opened, closed = tokens[index + 1], tokens[close]
    return [(tokens[index].start, opened.end, ""), (closed.start, closed.end, "")]


def _call(region: Region, index: int) -> list[Edit]:
    """TABLE before a relation, and PARTITION BY behind it."""
    tokens = region.source.tokens
    close = region.source.matching(index + 1, region.hi)
    edits: list[Edit] = []
    depth = 0
    for i in range(index + 2, close - 1):
        depth += (tokens[i].word == "(") - (tokens[i].word == ")")
        if depth:
            continue
        if tokens[i].word == "table" and tokens[i + 1].is_identifier:
            edits.append((tokens[i].start, tokens[i].end, ""))
        elif tokens[i].word == "partition" and tokens[i + 1].word == "by":
            if tokens[index].word != "session":
                raise SqlSyntaxError(
                    f"{tokens[index].word.upper()} takes no PARTITION BY",
                    hint="GROUP BY the column: only sessions differ from key to key",
                    position=tokens[i].start + 1,
                )
            edits.append((tokens[i].start, tokens[i + 1].end, ","))
    return edits
