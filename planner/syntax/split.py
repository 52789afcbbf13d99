"""Cut a client's text into statements at the semicolons that are not inside brackets.

Postgres' splitter that works on tokens alone drops statements it has no
keyword for, so the cutting is done here, over the tokens of its scanner.
"""

from __future__ import annotations

from collections.abc import Iterator

from constellationdb.planner.syntax.tokens import Region, Source


def statements(source: Source) -> list[Region]:
    """The statements in order; empty ones are left out."""
    found: list[Region] = []
    lo = 0
    for end in (*ends(source), len(source.tokens)):
        if end > lo:
            found.append(Region(source, lo, end))
        lo = end + 1
    return found


def ends(source: Source) -> Iterator[int]:
    """The indices of the semicolons that end a statement."""
    depth = 0
    for i, token in enumerate(source.tokens):
        if token.word == ";" and depth <= 0:
            depth = 0
            yield i
        else:
            depth += (token.word == "(") - (token.word == ")")


def first_break(region: Region) -> int | None:
    """Where the region cannot be one statement: a semicolon inside brackets, or its end with a bracket still open."""
    depth = 0
    for i in range(region.lo, region.hi):
        word = region.source.tokens[i].word
        if word == ";":
            return i
        depth += (word == "(") - (word == ")")
    return region.hi if depth > 0 else None
