"""Cut a client's text into statements at the semicolons that are not inside brackets.

Postgres' splitter that works on tokens alone drops statements it has no
keyword for, so the cutting is done here, over the tokens of its scanner.
"""

from __future__ import annotations

from constellationdb.planner.syntax.tokens import Region, Source


def statements(source: Source) -> list[Region]:
    """The statements in order; empty ones are left out."""
    found: list[Region] = []
    depth = lo = 0
    for i, token in enumerate(source.tokens):
        if token.word == "(":
            depth += 1
        elif token.word == ")":
            depth -= 1
        elif token.word == ";" and depth <= 0:
            if i > lo:
                found.append(Region(source, lo, i))
            lo, depth = i + 1, 0
    if len(source.tokens) > lo:
        found.append(Region(source, lo, len(source.tokens)))
    return found


def first_break(region: Region) -> int | None:
    """Where the region cannot be one statement: a semicolon inside brackets, or its end with a bracket still open."""
    depth = 0
    for i in range(region.lo, region.hi):
        word = region.source.tokens[i].word
        if word == ";":
            return i
        depth += (word == "(") - (word == ")")
    return region.hi if depth > 0 else None
