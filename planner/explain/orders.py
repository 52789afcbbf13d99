"""The facts of operators that keep rows in order."""

from __future__ import annotations

from constellationdb.planner import plan
from constellationdb.planner.explain.closing import beyond, late
from constellationdb.planner.explain.facts import Facts, rows_of
from constellationdb.planner.explain.names import Names, listed, ordered, rank
from constellationdb.planner.explain.steps import Columns


def top(node: plan.TopN, names: Names) -> Facts:
    below = names.brief(node.input)
    first, end = node.offset + 1, node.offset + node.limit
    kept = f"{rank(node)} {f'from {first} to {end}' if node.offset else f'up to {end}'}"
    details = [("order by", _order(node, below)), ("keep", kept)]
    state, each = "every row, in order", " of each key" if node.keys else ""
    if node.input.append_only:
        first_rows = "the first row" if end == 1 else f"the first {end} rows"
        shown = first_rows if node.rank == "row_number" else "the rows shown"
        state = f"{shown}{each}, in order"
    closes = "nothing: kept for ever"
    if node.closing:
        column = node.expiry or min(node.closing, key=lambda c: (c.offset_us, c.index))
        closes = f"a key, when {beyond(names, node.input, column)}"
    details += late(names, node)
    key = listed([below[k] for k in node.keys])
    return Facts("Top N (fast operator)", key or "none: one order of everything", state, closes,
                 "every epoch: what changes of the rows shown", rows_of(node), details=details)  # fmt: skip


def over(node: plan.Over, names: Names) -> Facts:
    below = names.brief(node.input)
    details = [("over", column.text) for column in names.of(node)[len(below) :]]
    details += [("order by", _order(node, below)), ("reach", _reach(node)), *late(names, node)]
    key = listed([below[k] for k in node.keys])
    return Facts("Over (fast operator)", key or "none: one order of everything", "every row, in order, with its values",
                 _over_closes(node, names), "every epoch: what changes of the rows that a changed row reaches",
                 rows_of(node), details=details)  # fmt: skip


def _over_closes(node: plan.Over, names: Names) -> str:
    if node.expiry is None:
        return "nothing: kept for ever"
    passed = beyond(names, node.input, node.expiry)
    if node.expiry.index in node.keys:
        return f"a key, when {passed}"
    last = node.before + node.after + node.running
    kept = "" if not last else " but the last of each key" if last == 1 else f" but the last {last} of each key"
    return f"rows{kept}, when {passed}"


def _order(node: plan.TopN | plan.Over, columns: Columns) -> str:
    ties = listed([columns[term.column] for term in node.ties])
    return (
        "; ".join([*[ordered(node.order, columns)] * bool(node.order), *[f"ties by {ties}"] * bool(ties)]) or "nothing"
    )


def _reach(node: plan.Over) -> str:
    reached = ["itself"]
    if node.after:
        reached.append(f"{node.after} rows before")
    if node.running:
        reached.append("all after, which go on from the value before")
    elif node.before:
        reached.append(f"{node.before} rows after")
    return f"a changed row: {', '.join(reached)}"
