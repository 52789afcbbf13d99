"""The facts of an ASOF join."""

from __future__ import annotations

from constellationdb.planner import plan
from constellationdb.planner.explain.closing import watermark
from constellationdb.planner.explain.facts import Facts, rows_of
from constellationdb.planner.explain.names import Names

_OPERATORS = {("backward", True): ">=", ("backward", False): ">", ("forward", True): "<=", ("forward", False): "<"}
_CLOSEST = {
    "backward": "the latest that is not later",
    "forward": "the earliest that is not earlier",
    "nearest": "the closest either way, the earlier of two",
}


def asof(node: plan.Asof, names: Names) -> Facts:
    match, both, width = node.match, names.of(node), len(node.left.schema)
    pairs = zip(match.left_keys, match.right_keys, match.null_safe, strict=True)
    key = " AND ".join(
        f"{both[a].brief()} {'IS NOT DISTINCT FROM' if null_safe else '='} {both[b + width].brief()}"
        for a, b, null_safe in pairs
    )
    left, right = both[match.left_time].brief(), both[match.right_time + width].brief()
    operator = _OPERATORS.get((match.direction, match.inclusive))
    time = f"{left} {operator} {right}" if operator else f"nearest({left}, {right})"
    closest = _CLOSEST[match.direction]
    if not match.inclusive:
        closest = closest.replace("not later", "earlier").replace("not earlier", "later")
    details = [("join", match.join_type), ("time", time), ("takes", f"{closest}; of rows at one time the least")]
    closes = "nothing: kept for ever"
    if node.expires:
        mark = watermark(names, node)
        details.append(("late", f"rows of either side from before {mark}, left out and counted"))
        closes = f"rows that can meet nothing new, as {mark} goes on"
    return Facts(
        "ASOF join (fast operator)",
        key or "none: one history of everything",
        "left: every row, its own copy; right: every row, its own copy",
        closes,
        "every epoch: new rows with their match; matches that a closer row replaces; it costs the rows of the keys"
        " touched",
        rows_of(node),
        details=details,
    )
