"""The facts of the operators of sessions, and of windows that are aggregated by panes."""

from __future__ import annotations

from constellationdb.planner import plan
from constellationdb.planner.explain.closing import passes
from constellationdb.planner.explain.facts import NETTED, Facts, rows_of
from constellationdb.planner.explain.literals import interval
from constellationdb.planner.explain.names import Names, listed, measure


def session(node: plan.SessionAssign, names: Names) -> Facts:
    below = names.brief(node.input)
    closes, late = _closing(node, names, "the rows of a session")
    return Facts(
        f"Session on {below[node.time_column].brief()}",
        listed([below[k] for k in node.partition]) or "none: all rows are one stream of sessions",
        "the rows, by key",
        closes,
        "every epoch: the rows of the sessions it touched, netted",
        rows_of(node),
        details=[("gap", interval(node.gap_us)), ("late", late)],
    )


def session_aggregate(node: plan.SessionAggregate, names: Names) -> Facts:
    below = names.brief(node.input)
    closes, late = _closing(node, names, "a session")
    computed = [("compute", ", ".join(measure(m, below) for m in node.measures))] if node.measures else []
    return Facts(
        f"Session aggregate on {below[node.time_column].brief()} (fast operator)",
        listed([below[k] for k in node.keys]) or "none: all rows are one stream of sessions",
        "one row of accumulators per session",
        closes,
        "when a session closes: its final row, once" if node.emit_on_close else NETTED,
        rows_of(node),
        details=[*computed, ("gap", interval(node.gap_us)), ("late", late)],
    )


def pane_aggregate(node: plan.PaneAggregate, names: Names) -> Facts:
    below = names.brief(node.input)
    sizes = [("size", interval(node.size_us)), ("slide", interval(node.slide_us))]
    if node.offset_us:
        sizes.append(("offset", interval(node.offset_us)))
    closes, late = "nothing: kept for ever", "never: no watermark closes these windows"
    if node.watermarked:
        end = next(column for column in node.closing if column.index == len(node.keys) + 1)
        closes = f"a window, when {passes(names, node, end)}"
        late = f"rows that come in an epoch after {passes(names, node, end)}"
    computed = [("compute", ", ".join(measure(m, below) for m in node.measures))] if node.measures else []
    return Facts(
        f"Hop aggregate by panes on {below[node.time_column].brief()} (fast operator)",
        listed([*(below[k] for k in node.keys), names.of(node)[len(node.keys)]]),
        "one row of accumulators per key and window",
        closes,
        "when a window closes: its final row, once" if node.emit_on_close else NETTED,
        rows_of(node),
        details=[*computed, *sizes, ("late", late)],
    )


def _closing(node: plan.SessionAssign | plan.SessionAggregate, names: Names, what: str) -> tuple[str, str]:
    """What frees state, and which rows are late."""
    if not node.watermarked:
        return "nothing: kept for ever", "never: no watermark closes these sessions"
    closed = passes(names, node, node.closing[0])
    return f"{what}, when {closed}", f"rows that belong to a session that was closed: {closed}"
