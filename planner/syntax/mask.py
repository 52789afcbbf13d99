"""Blank out what Postgres does not know, in place, so that every position stays true.

    SELECT * FROM o JOIN d FOR SYSTEM_TIME AS OF PROCTIME() ON k = id EMIT CHANGES
    SELECT * FROM o JOIN d                                  ON k = id

The walk is over tokens: a string, a comment or a quoted name is never touched.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from constellationdb.errors import FeatureNotSupported
from constellationdb.planner.statements import AsofClause, Emit, Query, TemporalClause
from constellationdb.planner.syntax.asof import asof_at
from constellationdb.planner.syntax.changelogs import changelog_edits
from constellationdb.planner.syntax.edits import overlay
from constellationdb.planner.syntax.emit import Tail, find_tail
from constellationdb.planner.syntax.temporal import clause_at
from constellationdb.planner.syntax.tokens import Region
from constellationdb.planner.syntax.window_calls import HINTS, window_edits

# Almost every query has none of these words, and then there is nothing to look for.
_HINTS = ("emit", "system_time", "epoch", "late", "changelog", "timestamp", "asof", *HINTS)

_CONSTANT = re.compile(r"(?:timestamp|timestamptz)?\s*'[^']*'\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Masked:
    """``text`` is as long as the region's. Positions of ``temporal`` count in the client's text."""

    region: Region
    text: str
    emit: Emit | None = None
    temporal: tuple[TemporalClause, ...] = ()
    tail: Tail | None = None
    asof: tuple[AsofClause, ...] = ()

    @property
    def looks_back(self) -> bool:
        return self.query().looks_back

    def query(self, region: Region | None = None) -> Query:
        """The query of ``region``, all of what was masked or a part of it."""
        region = region or self.region
        text = self.text[region.start - self.region.start : region.end - self.region.start]
        temporal = tuple(
            replace(clause, relation_position=clause.relation_position - region.start)
            for clause in self.temporal
            if region.start <= clause.position < region.end
        )
        asof = tuple(
            replace(clause, condition_position=clause.condition_position - region.start)
            for clause in self.asof
            if region.start <= clause.position < region.end
        )
        said = self.tail or Tail()
        instants = {clause.as_of for clause in temporal}
        time, count = said.as_of_time, 0
        if not said.looks_back and len(instants) == 1 and _is_constant(first := instants.pop()):
            time, count, temporal = first, len(temporal), ()
        return Query(
            text,
            region.start,
            self.emit,
            temporal,
            said.as_of_epoch,
            asof=asof,
            as_of_time=time,
            at_least_epoch=said.at_least_epoch,
            at_system_time=count,
        )

    def refuse_streaming(self, statement: str) -> None:
        """Raise where ``statement`` has an EMIT or AS OF that could mean nothing there."""
        if self.emit is not None:
            raise FeatureNotSupported(f"EMIT is not supported in {statement}", position=self.emit.position + 1)
        if self.looks_back:
            raise FeatureNotSupported(f"AS OF is not supported in {statement}", position=self.region.start + 1)


def _is_constant(instant: str | None) -> bool:
    """FOR SYSTEM_TIME AS OF '2026-01-01': all of the query as of then, and not the row as of another's time."""
    return instant is not None and _CONSTANT.fullmatch(instant) is not None


def mask(region: Region) -> Masked:
    """The region with its streaming clauses blanked out, and what they said."""
    lowered = region.scanned.lower()
    if not any(hint in lowered for hint in _HINTS):
        return Masked(region, region.scanned)
    spans = [*window_edits(region), *changelog_edits(region)]
    temporal: list[TemporalClause] = []
    asof: list[AsofClause] = []
    tokens = region.source.tokens
    index = region.lo
    while index < region.hi:
        found = clause_at(region, index) if tokens[index].word == "for" else None
        if found is not None:
            clause, index = found
            temporal.append(clause)
            spans.append((clause.position, tokens[index - 1].end, ""))
        else:
            joined = asof_at(region, index) if tokens[index].word == "asof" else None
            if joined is not None:
                asof.append(joined[0])
                spans += joined[1]
            index += 1
    tail = find_tail(region)
    if tail is None:
        return Masked(region, overlay(region.scanned, spans, region.start), None, tuple(temporal), None, tuple(asof))
    said, begin = tail
    spans.append((tokens[begin].start, region.end, ""))
    text = overlay(region.scanned, spans, region.start)
    return Masked(region, text, said.emit(), tuple(temporal), said, tuple(asof))
