"""The gate in front of Substrait: what may pass is listed; the rest is refused by name.

DataFusion loses some things on the way to Substrait and back without a word
(``IGNORE NULLS``, RANGE frames with an interval, the null-awareness of NOT IN).
So only listed relations and expressions pass, and the plan that DataFusion reads
back must say the same joins, aggregates and windows as the plan it wrote.
"""

from __future__ import annotations

import re
from collections import Counter

from substrait.proto import Expression, Rel

from constellationdb.errors import FeatureNotSupported
from constellationdb.planner.shuttle import Shuttle, visit

RELATIONS = frozenset({"read", "filter", "project", "aggregate", "join", "cross", "sort", "fetch", "set"})
EXPRESSIONS = frozenset(
    {"literal", "selection", "scalar_function", "window_function", "if_then", "switch_expression",
     "singular_or_list", "cast", "subquery"}
)  # fmt: skip
_JOIN = re.compile(r"^(\w+ Join|Cross Join):")
_AGGREGATE = re.compile(r"aggr=\[\[(.*)\]\]$")
_WINDOW = re.compile(r"windowExpr=\[\[(.*)\]\]$")
# What a call says besides its columns, which the round trip may rename.
_CALL = re.compile(r"\b([a-z_]\w*)\(|(DISTINCT|FILTER|IGNORE NULLS|ORDER BY|(?:ROWS|RANGE|GROUPS) BETWEEN [^,\]]+)")


def check(shuttle: Shuttle, rel: Rel, width: int, written: str) -> None:
    """Raise FeatureNotSupported unless ``rel`` is made of listed parts and reads back as ``written``."""
    if "null_aware" in written:
        raise FeatureNotSupported(
            "NOT IN (SELECT …) is supported only as a condition of WHERE",
            hint="write NOT EXISTS, or move the condition into WHERE",
        )
    _relations(rel)
    visit(rel, _expression)
    lost = _signature(written) - _signature(shuttle.display_of(rel, width))
    if lost:
        raise FeatureNotSupported("the query cannot be carried without loss", detail="; ".join(sorted(lost)))


def _relations(rel: Rel) -> None:
    kind = rel.WhichOneof("rel_type")
    if kind not in RELATIONS:
        raise FeatureNotSupported(f"a {kind} relation is not supported in a continuous query")
    body = getattr(rel, kind)
    for child in ("input", "left", "right"):
        if child in body.DESCRIPTOR.fields_by_name and body.HasField(child):
            _relations(getattr(body, child))
    if kind == "set":
        for member in body.inputs:
            _relations(member)


def _expression(expression: Expression) -> None:
    kind = expression.WhichOneof("rex_type")
    if kind is not None and kind not in EXPRESSIONS:
        raise FeatureNotSupported(f"a {kind} expression is not supported in a continuous query")


def _signature(display: str) -> Counter[str]:
    """What a plan's joins, aggregates and windows do, without the names of columns."""
    found: Counter[str] = Counter()
    for line in (line.strip() for line in display.splitlines()):
        if join := _JOIN.match(line):
            found[join.group(1).replace("Cross", "Inner")] += 1  # a cross join comes back as ON TRUE
        elif calls := _AGGREGATE.search(line) or _WINDOW.search(line):
            found.update(name or word for name, word in _CALL.findall(_without_aliases(calls.group(1))))
    return found


def _without_aliases(items: str) -> str:
    """A list of calls without its ``AS name``, at any depth: an alias repeats the call, with other casts."""
    kept: list[str] = []
    depth, quote, hidden = 0, "", -1
    for place, letter in enumerate(items):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter in "([{":
            depth += 1
        else:
            depth -= letter in ")]}"
            ends = letter == "," or items.startswith((" ASC", " DESC"), place)
            if depth < hidden or (depth == hidden and ends):
                hidden = -1
            elif hidden < 0 and items.startswith(" AS ", place):
                hidden = depth
        if hidden < 0:
            kept.append(letter)
    return "".join(kept)
