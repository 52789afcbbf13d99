"""The facts of every kind of operator without a table to look up in; those of lookups are in ``lookups``."""

from __future__ import annotations

from constellationdb.planner import plan
from constellationdb.planner.explain.asof import asof
from constellationdb.planner.explain.closing import beyond, join_closes, late, late_for_join, passes, scanned
from constellationdb.planner.explain.facts import NETTED, PER_EPOCH, Facts, rows_of
from constellationdb.planner.explain.literals import interval
from constellationdb.planner.explain.lookups import lookup, replicated
from constellationdb.planner.explain.names import Names, listed, measure
from constellationdb.planner.explain.orders import over, top
from constellationdb.planner.explain.sides import recomputed_sides, sides
from constellationdb.planner.explain.steps import condition
from constellationdb.planner.explain.windows import pane_aggregate, session, session_aggregate


def facts(node: plan.AnyNode, names: Names) -> Facts:
    match node:
        case plan.Scan():
            return _scan(node, names)
        case plan.Constant():
            details = [("columns", f"{len(node.schema)}, written in the query")]
            return Facts("Constant", None, "its rows", None, "once, before any input", rows_of(node), details=details)
        case plan.Fragment():
            return _fragment(node, names)
        case plan.Union():
            return Facts("Union all", None, None, None, PER_EPOCH, rows_of(node))
        case plan.WindowAssign():
            return _window(node, names)
        case plan.Changelog():
            emits = "every epoch: a row for each change, with how many rows came or went"
            return Facts("Changelog", None, None, None, emits, rows_of(node))
        case plan.TemporalFilter():
            return _temporal_filter(node, names)
        case plan.SessionAssign():
            return session(node, names)
        case plan.SessionAggregate():
            return session_aggregate(node, names)
        case plan.PaneAggregate():
            return pane_aggregate(node, names)
        case plan.Aggregate():
            return _aggregate(node, names)
        case plan.PartialAggregate():
            return _partial(node, names)
        case plan.Recompute():
            return _recompute(node, names)
        case plan.TopN():
            return top(node, names)
        case plan.Over():
            return over(node, names)
        case plan.Join():
            return _join(node, names)
        case plan.Asof():
            return asof(node, names)
        case plan.LookupJoin():
            return lookup(node, names)
        case plan.ReplicatedLookup():
            return replicated(node, names)
        case plan.OnClose():
            return _on_close(node, names)
        case plan.Unnest():
            arrays = listed(names.brief(node.input)[node.count :])
            emits = "every epoch: what its input brings, once for each element"
            return Facts("Unnest", None, None, None, emits, rows_of(node), details=[("arrays", arrays)])
        case plan.Recursion():
            return _recursion(node)


def _scan(node: plan.Scan, names: Names) -> Facts:
    relation = names.relations.get(node.relation)
    kind = f" ({relation.kind})" if relation is not None else ""
    details = [("columns", listed(names.of(node)) or "none: rows are counted")]
    if node.relation in names.working:
        return Facts("The rows found before", None, None, None, "step by step, until none is new", rows_of(node),
                     details=details)  # fmt: skip
    if mark := scanned(names, node):
        details.append(("time", mark))
    return Facts(f"Scan {node.relation}{kind}", None, None, None, "every epoch: the relation's changes", rows_of(node),
                 details=details)  # fmt: skip


def _fragment(node: plan.Fragment, names: Names) -> Facts:
    steps = names.steps(node)
    columns = steps.columns[: len(node.schema)]
    details = [*steps.fields, ("columns", listed(columns) or "none: rows are counted")]
    if [c.text for c in columns] == [c.text for c in names.brief(node.input)]:
        details = steps.fields
    return Facts("Fragment (DataFusion)", None, None, None, PER_EPOCH, rows_of(node), details=details)


def _window(node: plan.WindowAssign, names: Names) -> Facts:
    kind = "Cumulate" if node.cumulative else "Tumble" if node.slide_us == node.size_us else "Hop"
    sizes = [("size", interval(node.size_us))]
    if kind != "Tumble":
        sizes.append(("step" if node.cumulative else "slide", interval(node.slide_us)))
    if node.offset_us:
        sizes.append(("offset", interval(node.offset_us)))
    missed = "never: no watermark closes these windows"
    if node.watermarked:
        end = plan.Column(len(node.schema) - 1, node.lateness_us)
        missed = f"rows that come in an epoch after {passes(names, node, end)}"
    title = f"{kind} on {names.of(node.input)[node.time_column].brief()}"
    emits = f"every epoch: what its input brings, {'once' if kind == 'Tumble' else 'once per window'}"
    return Facts(title, None, None, None, emits, rows_of(node), details=[*sizes, ("late", missed)])


def _temporal_filter(node: plan.TemporalFilter, names: Names) -> Facts:
    columns = names.brief(node.input)
    bounds = [f"{columns[b.column].text} {b.operator} now(){_offset(b.offset_us)}" for b in node.bounds]
    ends = any(b.operator in (">", ">=") for b in node.bounds)
    return Facts("Temporal filter", "none: rows stand by when they enter or leave",
                 "the rows that have yet to enter or to leave",
                 "rows, when they leave" if ends else "rows that wait, when they enter",
                 "every epoch: rows that enter or leave; the clock opens epochs of its own, 100 ms apart at the least",
                 rows_of(node), details=[("filter", " AND ".join(bounds))])  # fmt: skip


def _offset(offset_us: int) -> str:
    if not offset_us:
        return ""
    return f" {'-' if offset_us < 0 else '+'} {interval(abs(offset_us))}"


def _aggregate(node: plan.Aggregate, names: Names) -> Facts:
    below = names.brief(node.input)
    key = listed([below[k] for k in node.keys])
    title = "Aggregate" if node.measures else "Distinct"
    details = [("compute", ", ".join(measure(m, below) for m in node.measures))] if node.measures else []
    if not node.keys:
        state = "one row of accumulators"
    else:
        state = "one row of accumulators per group" if node.measures else "one count per key"
    if isinstance(node.input, plan.PartialAggregate):
        details.append(("phases", "two: partial per worker, merged on one"))
    kept = dict.fromkeys(below[c].text for m in node.measures if m.distinct for c in (m.argument, *m.more))
    if kept:
        state += f"; the different values of {', '.join(kept)}, counted"
    if objects := dict.fromkeys(m.function for m in node.measures if m.function):
        state += f"; the objects of {', '.join(objects)}, which take rows back"
    closes = "nothing: kept for ever"
    if node.closing:
        column = min(node.closing, key=lambda c: (c.offset_us, c.index))
        closes = f"a group, when {passes(names, node, column, node.lateness_us)}"
    emits = "when a group closes: its final row, once" if node.emit_on_close else NETTED
    return Facts(f"{title} (fast operator)", key or "none: one group of everything", state, closes, emits,
                 rows_of(node), details=details)  # fmt: skip


def _partial(node: plan.PartialAggregate, names: Names) -> Facts:
    below = names.brief(node.input)
    keys = listed([below[k] for k in node.keys])
    details = [("compute", ", ".join(measure(m, below) for m in node.measures))]
    if keys:
        details.append(("groups", keys))
    emits = "every epoch: a row of accumulators for each group of many rows, other rows as they are"
    return Facts("Partial aggregate", None, None, None, emits, rows_of(node), details=details)


def _recompute(node: plan.Recompute, names: Names) -> Facts:
    keys = [listed([names.brief(child)[k] for k in own]) for child, own in zip(node.inputs, node.keys, strict=True)]
    key = " = ".join(dict.fromkeys(keys)) or "none: computed again as a whole"
    state = "; ".join([*recomputed_sides(node, names), "the last answer per key"])
    emits = "every epoch: for the keys it touched, the answer computed again less the last one"
    if node.frames:
        details = [("over", column.text) for column in names.of(node)[len(node.inputs[0].schema) :]]
    else:
        steps = names.steps(node)
        details = steps.fields
    if node.generic and len(node.generic) < len(node.schema) - len(node.out_keys):
        alone = ", ".join(steps.columns[i].brief() for i in node.generic)
        details = [*details, ("generic", f"{alone}: no accumulator; the rest is computed with it")]
    closes = "nothing: kept for ever"
    if node.expiry is not None and (node.expiry.index,) not in node.out_keys:
        last = plan.Column(node.expiry.index, node.expiry.offset_us + node.behind_us + node.ahead_us)
        closes = f"rows, when {beyond(names, node.inputs[0], last)}"
    elif node.closing:
        closes = f"a key, when {beyond(names, node, min(node.closing, key=lambda c: (c.offset_us, c.index)))}"
    details = [*details, *late(names, node)]
    return Facts("RecomputeAffected (no fast operator)", key, state, closes, emits, rows_of(node),
                 details=details)  # fmt: skip


def _join(node: plan.Join, names: Names) -> Facts:
    both = names.joined(node)
    width = len(node.left.schema)
    pairs = zip(node.left_keys, node.right_keys, node.null_safe, strict=True)
    key = " AND ".join(
        f"{both[a].brief()} {'IS NOT DISTINCT FROM' if null_safe else '='} {both[b + width].brief()}"
        for a, b, null_safe in pairs
    )
    residual = condition(node.residual, both)
    details = [("residual", residual)] if residual is not None else []
    if any(node.late):
        details.append(("late", late_for_join(names, node)))
    return Facts(f"{node.kind.capitalize()} join (fast operator)", key or "none: every pair is looked at",
                 "; ".join(sides(node, names)), join_closes(names, node), _JOIN_EMITS[node.kind], rows_of(node),
                 details=details)  # fmt: skip


_PAIRS = "every epoch: changes of each side joined with the other"
_JOIN_EMITS = {
    "inner": _PAIRS,
    "left": f"{_PAIRS}; left rows that match nothing, or do so no longer",
    "full": f"{_PAIRS}; rows of either side that match nothing, or do so no longer",
    "semi": "every epoch: left rows that begin or cease to match",
    "anti": "every epoch: left rows that match nothing, or do so no longer",
    "mark": "every epoch: left rows with whether they match",
}


def _on_close(node: plan.OnClose, names: Names) -> Facts:
    when = beyond(names, node, node.column)
    then = "" if node.append_only else "; later changes at once"
    return Facts("Emit on window close", listed(names.brief(node.input)), "the rows of open windows, netted",
                 f"rows, when {when}", f"when the window closes{then}", rows_of(node))  # fmt: skip


def _recursion(node: plan.Recursion) -> Facts:
    counts = "a row once, in the first step that finds it" if node.distinct else "a row each time it is found"
    details = [("counts", counts), ("limit", f"{node.limit} steps; what goes on is an error")]
    state = "the rows found, by step; what the step keeps, once for all"
    return Facts("Recursion (fast operator)", "none: one worker", state, "nothing: kept for ever", NETTED,
                 rows_of(node), details=details)  # fmt: skip
