"""EXPLAIN: the incremental plan, an operator a line, with its keys, state, what closes it and when it emits."""

from __future__ import annotations

from collections.abc import Iterator

from constellationdb.planner import plan


def explain(lowered: plan.Plan) -> list[str]:
    """The lines of EXPLAIN for a continuous query."""
    head = f"Continuous query ({', '.join(lowered.names)})"
    rows = "rows are only added" if lowered.root.append_only else "emits changes, netted per epoch"
    return [f"{head}: {rows}", *_lines(lowered.root, "  ")]


def _lines(node: plan.AnyNode, indent: str) -> Iterator[str]:
    yield f"{indent}-> {_describe(node)}"
    for child in node.children:
        yield from _lines(child, indent + "     ")


def _describe(node: plan.AnyNode) -> str:
    match node:
        case plan.Scan():
            return f"Scan {node.relation} columns={list(node.columns)}"
        case plan.Constant():
            return "Constant"
        case plan.Fragment():
            return f"Fragment ({node.shows}) state=none"
        case plan.Union():
            return "Union all state=none"
        case plan.WindowAssign():
            kind = "Tumble" if node.slide_us == node.size_us else "Hop"
            late = "late rows leave" if node.watermarked else "no watermark: never late"
            size, slide = _interval(node.size_us), _interval(node.slide_us)
            return f"{kind} size={size} slide={slide} on c{node.time_column} ({late})"
        case plan.Aggregate():
            calls = ", ".join(_measure(m) for m in node.measures)
            emits = "on window close" if node.emit_on_close else "on change"
            return f"Aggregate keys={list(node.keys)} [{calls}] state=one row per group{_closes(node)} emits={emits}"
        case plan.Recompute():
            return f"RecomputeAffected keys={list(node.keys)} ({node.shows}) state=all input rows and the last output"
        case plan.Join():
            state = "rows until their window closes" if node.closing else "all rows of both sides"
            return f"Inner join on {node.shows}{' with a residual' if node.residual else ''} state={state}"
        case plan.LookupJoin():
            return f"Lookup join ({node.join_type}) {node.table} {node.shows} state=answers by key"
        case plan.ReplicatedLookup():
            state = "a copy of the table by key"
            return f"Lookup join ({node.join_type}) {node.table} {node.shows} state={state}"
        case plan.OnClose():
            return f"Emit on window close c{node.column.index} state=rows of open windows"


def _measure(measure: plan.Measure) -> str:
    argument = "*" if measure.argument < 0 else f"c{measure.argument}"
    return f"{measure.kind}({argument})" + (f" filter c{measure.filter}" if measure.filter >= 0 else "")


def _closes(node: plan.Node) -> str:
    return f" until the watermark passes c{node.closing[0].index}" if node.closing else ", never freed"


def _interval(micros: int) -> str:
    return f"{micros / 1e6:g}s"
