"""PREPARE, EXECUTE and DEALLOCATE."""

from __future__ import annotations

from typing import Any

from constellationdb.catalog.types import array_of, parse_type
from constellationdb.errors import FeatureNotSupported
from constellationdb.planner.statements import Deallocate, ExecutePrepared, Prepare, Statement
from constellationdb.planner.syntax import postgres
from constellationdb.planner.syntax.cursor import Cursor
from constellationdb.planner.syntax.edits import overlay
from constellationdb.planner.syntax.tokens import Region

_PREPARABLE = frozenset(("select", "values", "with", "table", "(", "insert", "update", "delete", "merge", "subscribe"))


def prepare(region: Region) -> Statement:
    cursor = Cursor(region)
    cursor.expect("prepare")
    if cursor.at("transaction"):
        postgres.check(region)
        raise FeatureNotSupported("two-phase commit is not supported", position=region.start + 1)
    while not cursor.done and not cursor.at("as"):
        if cursor.at("("):
            cursor.group()
        else:
            cursor.next()
    if cursor.done or cursor.index + 1 >= region.hi:
        postgres.check(region)
        raise region.source.error_at(region.hi)
    inside = region.of(cursor.index + 1, region.hi)
    if inside.source.tokens[inside.lo].word not in _PREPARABLE:
        raise region.source.error_at(inside.lo)
    node = postgres.tree(region, overlay(region.scanned, [(inside.start, inside.end, "SELECT")], region.start))
    types = tuple(_type(kind, region.start) for kind in node.argtypes or ())
    return Prepare(region.text, region.start, node.name, types, inside.text, inside.start)


def _type(node: Any, base: int) -> int:
    """A type's oid."""
    name = node.names[-1].sval
    position = base + node.location + 1
    if name == "unknown":
        return 0
    modifiers = tuple(m.val.ival for m in node.typmods or () if getattr(getattr(m, "val", None), "ival", None))
    found = parse_type(name, modifiers, position)
    return array_of(found).oid if node.arrayBounds else found.oid


def execute(region: Region) -> Statement:
    node = postgres.tree(region)
    cursor = Cursor(region)
    cursor.expect("execute")
    cursor.identifier()
    arguments = _arguments(cursor.group()) if cursor.at("(") else ()
    return ExecutePrepared(region.text, region.start, node.name, arguments)


def _arguments(inside: Region) -> tuple[tuple[str, int], ...]:
    """What stands between the commas."""
    cursor = Cursor(inside)
    found: list[tuple[str, int]] = []
    lo = cursor.index
    while not cursor.done:
        if cursor.at(","):
            found.append(_argument(inside.of(lo, cursor.index)))
            cursor.next()
            lo = cursor.index
        elif cursor.at("(") or cursor.at("["):
            cursor.index = inside.source.matching(cursor.index, inside.hi) + 1
        else:
            cursor.next()
    return (*found, _argument(inside.of(lo, inside.hi)))


def _argument(region: Region) -> tuple[str, int]:
    tokens = region.source.tokens
    for i in range(region.lo, region.hi - 1):
        if tokens[i].word == "(" and tokens[i + 1].word in ("select", "values", "with"):
            position = tokens[i].start + 1
            raise FeatureNotSupported("cannot use subquery in EXECUTE parameter", position=position)
    return region.text, region.start


def deallocate(region: Region) -> Statement:
    node = postgres.tree(region)
    return Deallocate(region.text, region.start, None if node.isall else node.name)
