"""Transactions and settings, DROP and TRUNCATE."""

from __future__ import annotations

from typing import Any

from constellationdb.errors import FeatureNotSupported
from constellationdb.planner.statements import (
    Discard,
    Drop,
    DropIndex,
    RelationKind,
    SetTransaction,
    SetVariable,
    Show,
    Statement,
    Transaction,
    Truncate,
)
from constellationdb.planner.syntax import postgres, sinks, subscriptions
from constellationdb.planner.syntax.accepted import set_constraints
from constellationdb.planner.syntax.cursor import Cursor
from constellationdb.planner.syntax.edits import overlay
from constellationdb.planner.syntax.names import of_range_var, of_strings
from constellationdb.planner.syntax.tokens import Region

_ACTIONS = {
    "TRANS_STMT_BEGIN": "begin",
    "TRANS_STMT_START": "begin",
    "TRANS_STMT_COMMIT": "commit",
    "TRANS_STMT_ROLLBACK": "rollback",
    "TRANS_STMT_SAVEPOINT": "savepoint",
    "TRANS_STMT_RELEASE": "release",
    "TRANS_STMT_ROLLBACK_TO": "rollback_to",
}


def transaction(region: Region) -> Statement:
    node = postgres.tree(region)
    action = _ACTIONS.get(node.kind.name)
    if action is None:
        raise FeatureNotSupported("two-phase commit is not supported", position=region.start + 1)
    return Transaction(
        region.text,
        region.start,
        action,  # type: ignore[arg-type]  # the table above holds nothing else
        node.savepoint_name,
        _modes(node.options or ()),
        bool(node.chain),
    )


def set_variable(region: Region) -> Statement:
    """SET and RESET."""
    node = postgres.tree(region)
    if type(node).__name__ == "ConstraintsSetStmt":
        return set_constraints(region)
    kind = node.kind.name
    if kind == "VAR_RESET_ALL":
        return SetVariable(region.text, region.start, "all", None, reset=True)
    if kind == "VAR_SET_CURRENT":
        raise FeatureNotSupported("SET … FROM CURRENT is not supported", position=region.start + 1)
    if kind == "VAR_SET_MULTI":
        return _set_transaction(region, node)
    values = tuple(map(_text, node.args or ())) if kind == "VAR_SET_VALUE" else None
    return SetVariable(region.text, region.start, node.name, values, bool(node.is_local), kind == "VAR_RESET")


def _set_transaction(region: Region, node: Any) -> Statement:
    if node.name == "TRANSACTION SNAPSHOT":
        raise FeatureNotSupported("SET TRANSACTION SNAPSHOT is not supported", position=region.start + 1)
    return SetTransaction(region.text, region.start, _modes(node.args), node.name == "SESSION CHARACTERISTICS")


def _modes(elements: Any) -> dict[str, str]:
    """Transaction modes as the settings they are: isolation by name, the others on or off."""
    found = {element.defname: _text(element.arg) for element in elements}
    return {name: value if name == "transaction_isolation" else _on_off(value) for name, value in found.items()}


def _on_off(value: str) -> str:
    return "off" if value in ("0", "false", "off") else "on"


def _text(node: Any) -> str:
    """The text of a constant, as SHOW would give it back."""
    if type(node).__name__ == "TypeCast":  # SET TIME ZONE INTERVAL '1' HOUR
        return _text(node.arg)
    value = getattr(node, "val", node)
    for field in ("sval", "fval", "ival"):
        found = getattr(value, field, None)
        if found is not None:
            return str(found)
    return "true" if getattr(value, "boolval", False) else "false"


def show(region: Region) -> Statement:
    shown = sinks.show(region) or subscriptions.show(region)
    return shown or Show(region.text, region.start, postgres.tree(region).name)


def discard(region: Region) -> Statement:
    target = postgres.tree(region).target.name.removeprefix("DISCARD_").lower()
    return Discard(region.text, region.start, target)


def drop(region: Region) -> Statement:
    """DROP of a relation; SINK, SOURCE, STREAM, LOOKUP TABLE and SUBSCRIPTION are shown to Postgres as TABLE."""
    found = drop_kind(region)
    assert found is not None, "the caller has asked"
    kind, hi = found
    tokens = region.source.tokens
    shown = "VIEW" if "view" in kind else "TABLE"
    edit = (tokens[region.lo + 1].start, tokens[hi - 1].end, shown)
    text = region.scanned if kind == "materialized view" else overlay(region.scanned, [edit], region.start)
    node = postgres.tree(region, text)
    names = tuple(of_strings(parts, region.start).reference for parts in node.objects)
    return Drop(region.text, region.start, kind, names, bool(node.missing_ok), node.behavior.name == "DROP_CASCADE")


def drop_index(region: Region) -> Statement:
    node = postgres.tree(region)
    names = tuple(of_strings(parts, region.start).reference for parts in node.objects)
    return DropIndex(region.text, region.start, names, bool(node.missing_ok))


_DROPPED: tuple[tuple[tuple[str, ...], RelationKind], ...] = (
    (("lookup", "table"), "lookup table"),
    (("materialized", "view"), "materialized view"),
    (("sequence",), "sequence"),
    (("sink",), "sink"),
    (("source",), "source"),
    (("stream",), "view"),
    (("subscription",), "subscription"),
    (("table",), "table"),
    (("view",), "view"),
)


def drop_kind(region: Region) -> tuple[RelationKind, int] | None:
    """What is dropped and the index behind the words that say so; None when it is no relation."""
    cursor = Cursor(region)
    cursor.expect("drop")
    for words, kind in _DROPPED:
        if cursor.accept(*words):
            return kind, cursor.index
    return None


def truncate(region: Region) -> Statement:
    """Nothing depends on a table's rows, so CASCADE changes nothing."""
    node = postgres.tree(region)
    names = tuple(of_range_var(relation, region.start).reference for relation in node.relations)
    return Truncate(region.text, region.start, names, bool(node.restart_seqs))
