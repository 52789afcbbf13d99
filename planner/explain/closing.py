"""What frees state: which watermark has to pass what."""

from __future__ import annotations

from constellationdb.planner import plan
from constellationdb.planner.explain.literals import interval
from constellationdb.planner.explain.names import Names


def watermark(names: Names, node: plan.AnyNode) -> str:
    """The watermark of a node's output: the least of those of the relations that its time comes from."""
    found = list(dict.fromkeys(_marks(names, node)))
    return found[0] if len(found) == 1 else f"the least of {', '.join(found)}" if found else "the watermark"


def _marks(names: Names, node: plan.AnyNode) -> list[str]:
    if isinstance(node, plan.Scan):
        return [mark] if (mark := scanned(names, node)) else []
    return [mark for child in node.clocks for mark in _marks(names, child)]


def scanned(names: Names, scan: plan.Scan) -> str:
    """A relation's watermark as it was declared; a view's is that of what it reads. Empty: it has none."""
    relation = names.relations.get(scan.relation)
    if relation is None or not (relation.times or relation.closing):
        return ""
    if relation.kind != "source":
        return f"the watermark of {relation.name}"
    column = f"{relation.name}.{relation.schema.field(relation.times[0]).name}"
    return f"watermark {column} - {interval(relation.delay_us)}" if relation.delay_us else f"watermark {column}"


def passes(names: Names, node: plan.AnyNode, column: plan.Column, lateness_us: int = 0) -> str:
    """When the watermark that reaches ``node`` closes a value of ``column`` (one of its output)."""
    offset = column.offset_us + lateness_us
    name = names.of(node)[column.index].brief()
    return f"{watermark(names, node)} reaches {name}{f' + {interval(offset)}' if offset else ''}"


def beyond(names: Names, node: plan.AnyNode, column: plan.Column) -> str:
    """When the watermark of ``node`` has gone by all times up to that of a row of its output."""
    above = column.offset_us - 1
    if above < 0 or above % 1000:  # a window's edge, which no row of the window is at
        return passes(names, node, column)
    name = names.of(node)[column.index].brief()
    return f"{watermark(names, node)} passes {name}{f' + {interval(above)}' if above else ''}"


def late(names: Names, node: plan.Over | plan.TopN | plan.Recompute) -> list[tuple[str, str]]:
    """Which rows it drops and counts."""
    time = plan.late_by(node)
    if time is None:
        return []
    return [("late", f"rows that come in an epoch after {beyond(names, node.children[0], time)}")]


def join_closes(names: Names, node: plan.Join) -> str:
    """What frees the rows of a join's sides."""
    freed = plan.expiry(node)
    if freed == node.expiry:
        width = len(node.left.schema)
        where = (("left rows", 0), ("right rows", width))
        found = [
            f"{rows}, when it passes {_time(names, node, column, at)}"
            for (rows, at), column in zip(where, freed, strict=True)
            if column is not None
        ]
        return f"by {watermark(names, node)}: {'; '.join(found)}" if found else "nothing: kept for ever"
    assert freed[0] is not None
    offset = f" + {interval(freed[0].offset_us)}" if freed[0].offset_us else ""
    return f"rows, when {watermark(names, node)} reaches {names.joined(node)[freed[0].index].brief()}{offset}"


def late_for_join(names: Names, node: plan.Join) -> str:
    """Which rows are dropped, and counted, because what they match may be gone."""
    places = zip(node.late, (0, len(node.left.schema)), strict=True)
    times = [_time(names, node, column, at) for column, at in places if column is not None]
    return f"rows that come in an epoch after {watermark(names, node)} passes {' or '.join(times)}"


def _time(names: Names, node: plan.Join, column: plan.Column, first: int) -> str:
    """A time that may still come is one µs later than what the watermark has passed."""
    name = names.joined(node)[column.index + first].brief()
    offset = column.offset_us - 1
    return f"{name} {'-' if offset < 0 else '+'} {interval(abs(offset))}" if offset else name
