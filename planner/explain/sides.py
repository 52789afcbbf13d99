"""Whose rows a keyed operator finds its inputs in: its own, or the relation's by an index all jobs share."""

from __future__ import annotations

from constellationdb.planner import plan
from constellationdb.planner.explain.names import Names, listed


def sides(node: plan.Join, names: Names) -> list[str]:
    """What expires, and what a self-join reads, is never borrowed."""
    common = set(plan.relations_of(node.left)) & set(plan.relations_of(node.right))
    found = [
        _side(child, keys, names, where, own=expires is not None or bool(common & set(plan.relations_of(child))))
        for child, keys, where, expires in zip(
            node.children, (node.left_keys, node.right_keys), ("left", "right"), plan.expiry(node), strict=True
        )
    ]
    if node.kind in ("semi", "anti", "mark") and node.residual is None:
        found[1] = "right: one count per key"
    elif node.kind != "inner":
        per = "key" if node.residual is None else "row"
        found.append(f"matches per {per} of {'both sides' if node.kind == 'full' else 'the left'}")
    return found


def recomputed_sides(node: plan.Recompute, names: Names) -> list[str]:
    places = ("left", "right") if len(node.inputs) == 2 else ("input",) * len(node.inputs)
    return [
        _side(child, keys, names, where, own=False)
        for child, keys, where in zip(node.inputs, node.keys, places, strict=True)
    ]


def _side(child: plan.AnyNode, keys: tuple[int, ...], names: Names, where: str, *, own: bool) -> str:
    if (
        not own
        and child.id not in names.apart
        and isinstance(child, plan.Scan)
        and child.columns
        and _keeps_rows(child, names)
    ):
        key = listed([names.of(child)[k] for k in keys])
        index = f" by the shared index on ({key})" if key else ""
        return f"{where}: the rows of {child.relation} itself, borrowed{index}"
    return f"{where}: every row, its own copy"


def _keeps_rows(scan: plan.Scan, names: Names) -> bool:
    """Whether the relation has its rows in an arrangement that can be borrowed."""
    relation = names.relations.get(scan.relation)
    if relation is None or relation.kind in ("source", "view", "system table"):
        return False
    return not relation.append_only
