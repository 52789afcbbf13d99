"""What a view's owner should know before its state has grown: rows that nothing ever frees.

Groups are as many as their keys, and tables as large as somebody makes them. What grows for ever are the rows of
a source, or of a view to which rows are only added, kept one by one: by a join that no time bounds, by DISTINCT,
by OVER, by an array of all of a group. And the windows over them, where no watermark closes these.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from constellationdb.planner import plan
from constellationdb.planner.relations import PlannedRelation


class Advice(NamedTuple):
    message: str
    hint: str


_BOUND = "bound it by time, with a WATERMARK on each: … AND b.ts BETWEEN a.ts - INTERVAL '1 minute' AND a.ts"
_WINDOWED = "put the bounds of a window into it: SELECT DISTINCT window_start, … FROM TUMBLE(…)"
_KEYED = "say which columns are equal, or join the same windows of both"
_BY_WINDOWS = "put the bounds of a window into it: GROUP BY, or PARTITION BY, window_start of TUMBLE(…)"
_CLOSED = "declare WATERMARK FOR its time on the source"
# Each row comes from one of the inputs', or from a pair of them.
_ROW_BY_ROW = (plan.Fragment, plan.Union, plan.Unnest, plan.Join, plan.Asof, plan.WindowAssign, plan.SessionAssign)


def advice(root: plan.AnyNode, relations: Mapping[str, PlannedRelation]) -> list[Advice]:
    """Each once, however often a plan gives reason for it."""
    return list(dict.fromkeys(_Growth(relations).advice(root, shown=True)))


class _Growth:
    def __init__(self, relations: Mapping[str, PlannedRelation]) -> None:
        self._relations = relations

    def advice(self, node: plan.AnyNode, *, shown: bool) -> Iterator[Advice]:
        """``shown``: the rows of ``node`` are those of the answer, not what an operator above asks for."""
        if isinstance(node, plan.Join):
            yield from self._of_join(node)
        if isinstance(node, plan.Aggregate) and not node.measures and shown and not node.closing:
            grown = self._grown(node.input)
            if grown:
                yield Advice(f"every different row of {_listed(grown)} is kept for ever", _WINDOWED)
        if isinstance(node, plan.Over | plan.Recompute) and not node.closing and (grown := self._read(node)):
            yield Advice(f"every row of {_listed(grown)} is kept for ever", _BY_WINDOWS)
        if isinstance(node, plan.Asof) and not node.expires:
            yield from self._of_asof(node)
        open_windows = list(dict.fromkeys(self._never_closed(node)))
        if open_windows:
            yield Advice(f"no watermark closes the windows over {_listed(open_windows)}: all are kept", _CLOSED)
        passes = isinstance(node, plan.Fragment | plan.Union | plan.OnClose)
        for child in node.children:
            kept = isinstance(node, plan.Join) and node.kind in ("semi", "anti") and child is node.left  # EXCEPT
            yield from self.advice(child, shown=shown and (passes or kept))

    def _read(self, node: plan.AnyNode) -> list[str]:
        """The relations that grow without end of those below ``node``."""
        return list(dict.fromkeys(name for child in node.children for name in self._grown(child)))

    def _of_join(self, node: plan.Join) -> Iterator[Advice]:
        left, right = self._grown(node.left), self._grown(node.right)
        kept = [side for side, freed in zip((left, right), plan.expiry(node), strict=True) if freed is None]
        if not (left and right and kept):
            return
        if not node.left_keys:
            yield Advice(f"every row of {_listed(left)} is joined with every row of {_listed(right)}", _KEYED)
        else:
            every = list(dict.fromkeys(name for side in kept for name in side))
            yield Advice(f"a join keeps every row of {_listed(every)} for ever", _BOUND)

    def _of_asof(self, node: plan.Asof) -> Iterator[Advice]:
        left, right = self._grown(node.left), self._grown(node.right)
        if left and right:
            every = list(dict.fromkeys([*left, *right]))
            yield Advice(f"an ASOF join keeps every row of {_listed(every)} for ever", _CLOSED)

    def _never_closed(self, node: plan.AnyNode) -> list[str]:
        """The relations over whose windows without end ``node`` keeps something for each."""
        if isinstance(node, plan.SessionAggregate | plan.PaneAggregate):
            return [] if node.watermarked else self._grown(node.input)
        if not isinstance(node, plan.Aggregate):
            return []
        below: plan.AnyNode = node.input
        while isinstance(below, plan.Fragment | plan.Union | plan.PartialAggregate) and len(below.children) == 1:
            below = below.children[0]
        if isinstance(below, plan.WindowAssign | plan.SessionAssign) and not below.watermarked:
            return self._grown(below.input)
        return []

    def _grown(self, node: plan.AnyNode) -> list[str]:
        """The relations whose rows, one by one, the rows of ``node`` come from, without end."""
        match node:
            case plan.Scan():
                relation = self._relations.get(node.relation)
                endless = relation is not None and (relation.kind == "source" or relation.append_only)
                return [node.relation] if endless else []
            case plan.Join(kind="semi" | "anti" | "mark"):
                return self._grown(node.left)
            case plan.ReplicatedLookup():
                return self._grown(node.input)
            case _ if isinstance(node, _ROW_BY_ROW):
                return list(dict.fromkeys(name for child in node.children for name in self._grown(child)))
            case plan.Changelog():
                return plan.relations_of(node)
            case plan.LookupJoin() | plan.OnClose():
                return self._grown(node.input)
            case _:
                return []


def _listed(names: list[str]) -> str:
    return " and ".join(f'"{name}"' for name in names)
