"""The facts of lookup joins: where each conjunct is evaluated, and which answers are kept."""

from __future__ import annotations

from constellationdb.planner import plan
from constellationdb.planner.explain.facts import Facts, rows_of
from constellationdb.planner.explain.literals import interval
from constellationdb.planner.explain.names import Names
from constellationdb.planner.explain.steps import Columns, condition, conjuncts
from constellationdb.planner.explain.words import Shown
from constellationdb.planner.lower.predicates import show
from constellationdb.planner.relations import PlannedRelation


def lookup(node: plan.LookupJoin, names: Names) -> Facts:
    table = names.relations.get(node.table)
    fetched = [Shown(c, relation=node.table) for c in node.columns]
    pushable = table.pushable if table is not None else frozenset()
    pushed = [show(p) for p in node.predicates if p.op in pushable]
    kept = [show(p) for p in node.predicates if p.op not in pushable]
    if (local := condition(node.right_filter, fetched)) is not None:
        kept.append(local)
    remembers = "" if node.input.append_only else "; what each row met"
    stream = names.of(node)[: len(node.input.schema)]
    key, gate = _key(stream, node.input_keys, node.table_keys, node.table)
    details = [
        *_table(node.join_type, table, "on-demand"),
        ("columns", ", ".join(node.columns)),
        *_stated("after fetch", conjuncts(kept)),
        *_stated("asked if", gate),
        *_stated("residual", condition(node.residual, names.of(node))),
    ]
    return Facts(
        f"Lookup join {node.table}",
        key,
        f"the answers by key; rows that wait for one{remembers}",
        _bound(table),
        "every epoch: rows whose answer is known; the others in the epoch their answer arrives",
        rows_of(node),
        pushed=conjuncts(pushed) or None,
        details=details,
    )


def replicated(node: plan.ReplicatedLookup, names: Names) -> Facts:
    table = names.relations.get(node.table)
    added = names.of(node.side)[: node.width]
    remembers = "" if node.input.append_only or node.fixed else "; what each row met"
    keys = [c.text for c in (names.brief(node.side)[k] for k in node.side_keys)]
    stream = names.of(node)[: len(node.input.schema)]
    key, gate = _key(stream, node.input_keys, keys, node.table)
    details = [
        *_table(node.join_type, table, "replicated"),
        ("columns", ", ".join(c.text for c in added) or "none"),
        *_stated("asked if", gate),
        *_stated("residual", condition(node.residual, names.of(node))),
    ]
    closes = "a row of the copy, when it leaves the table" if not node.fixed else "nothing: the table never changes"
    return Facts(
        f"Lookup join {node.table}",
        key,
        f"a copy of the table by key{remembers}",
        closes,
        "every epoch: rows with the copy as it stands at its end; a change of the copy alone emits nothing",
        rows_of(node),
        details=details,
    )


def _table(join_type: str, table: PlannedRelation | None, strategy: str) -> list[tuple[str, str]]:
    connector = table.connector if table is not None else ""
    return [("join", join_type), *_stated("connector", connector), ("strategy", strategy)]


def _stated(name: str, value: str | None) -> list[tuple[str, str]]:
    return [(name, value)] if value else []


def _key(
    stream: Columns, places: tuple[int, ...], keys: tuple[str, ...] | list[str], table: str
) -> tuple[str, str | None]:
    """The pairs of the key; and the condition under which it is not NULL, which asks nothing."""
    texts = [stream[i].text for i in places]
    gate = None
    if texts[0].startswith("CASE WHEN ") and texts[0].count(" THEN ") == 1 and " ELSE " not in texts[0]:
        gate, value = texts[0].removeprefix("CASE WHEN ").removesuffix(" END").split(" THEN ")
        texts[0] = value
    pairs = zip(keys, texts, strict=True)
    return " AND ".join(f"{table}.{key} = {text}" for key, text in pairs), gate


def _bound(table: PlannedRelation | None) -> str:
    parts = []
    if table is not None and table.ttl_us is not None:
        parts.append(f"an answer, {interval(table.ttl_us)} after it came (cache.ttl)")
    if table is not None and table.max_rows is not None:
        parts.append(f"those used longest ago, beyond {table.max_rows} (cache.max_rows)")
    return "; ".join(parts) or "nothing: answers are kept for ever"
