"""RisingWave's WITH c AS CHANGELOG FROM t, written so that Postgres reads it.

    WITH c AS CHANGELOG FROM t   SELECT …
    WITH c AS    (TABLE "#".t)   SELECT …

No schema has that name: a relation in it is the changes of the one that the rest names.
"""

from __future__ import annotations

from constellationdb.planner.syntax.cursor import Cursor
from constellationdb.planner.syntax.edits import Edit
from constellationdb.planner.syntax.tokens import Region

SCHEMA = "#"


def changelog_edits(region: Region) -> list[Edit]:
    """Every such CTE in ``region``; the relation's name moves by the one place that a bracket takes."""
    edits: list[Edit] = []
    tokens = region.source.tokens
    for i in range(region.lo + 1, region.hi - 2):
        if (tokens[i - 1].word, tokens[i].word, tokens[i + 1].word) != ("as", "changelog", "from"):
            continue
        cursor = Cursor(region)
        cursor.index = i + 2
        cursor.name()
        start, end = tokens[i].start, tokens[cursor.index - 1].end
        name = region.source.text[tokens[i + 2].start : end]
        edits.append((start, end, f'(TABLE "{SCHEMA}".{name})'.rjust(end - start)))
    return edits
