"""The gate in front of Substrait: what may pass is listed; the rest is refused by name.

DataFusion loses some things on the way to Substrait and back without a word
(``IGNORE NULLS``, RANGE frames with an interval, the null-awareness of NOT IN).
So only listed relations and expressions pass, and the plan that DataFusion reads
back must say the same joins, aggregates and windows as the plan it wrote.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

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
            items = ", ".join(_without_aliases(calls.group(1)))
            found.update(name or word for name, word in _CALL.findall(items))
    return found


def _without_aliases(items: str) -> Iterator[str]:
    """The items of a list, each up to its ``AS``: an alias repeats the call, with other casts."""
    depth, start, quote, hidden = 0, 0, "", False
    for place, letter in enumerate(items):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter in "([{":
            depth += 1
        elif letter in ")]}":
            depth -= 1
        elif depth == 0 and letter == "," and not hidden:
            yield items[start:place]
            start = place + 1
        elif depth == 0 and letter == "," and hidden:
            start, hidden = place + 1, False
        elif depth == 0 and not hidden and items.startswith(" AS ", place):
            yield items[start:place]
            hidden = True
    if not hidden:
        yield items[start:]
