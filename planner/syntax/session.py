"""Transactions, settings, DROP and TRUNCATE, and statements that are accepted because clients send them."""

from __future__ import annotations

from typing import Any

from constellationdb.errors import FeatureNotSupported
from constellationdb.planner.statements import (
    Accepted,
    Drop,
    RelationKind,
    SetVariable,
    Show,
    Statement,
    Transaction,
    Truncate,
)
from constellationdb.planner.syntax import postgres
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
_NOT_KEPT = "{} has no effect here"
_ALWAYS_FRESH = "materialized views are always up to date; REFRESH has no effect"
_NO_LOCKS = "transactions see one epoch and are checked at commit; LOCK TABLE has no effect"
_NO_NOTIFY = "notifications are not supported; LISTEN has no effect"


def transaction(region: Region) -> Statement:
    node = postgres.tree(region)
    action = _ACTIONS.get(node.kind.name)
    if action is None:
        raise FeatureNotSupported("two-phase commit is not supported", position=region.start + 1)
    if node.chain:
        raise FeatureNotSupported("AND CHAIN is not supported", position=region.start + 1)
    modes = _modes(node.options or ())
    read_only = modes.get("transaction_read_only")
    return Transaction(
        region.text,
        region.start,
        action,  # type: ignore[arg-type]  # the table above holds nothing else
        node.savepoint_name,
        None if read_only is None else read_only == "on",
        modes.get("transaction_isolation"),
    )


def set_variable(region: Region) -> Statement:
    """SET and RESET."""
    node = postgres.tree(region)
    if type(node).__name__ == "ConstraintsSetStmt":
        return Accepted(region.text, region.start, "SET CONSTRAINTS")
    kind = node.kind.name
    if kind == "VAR_RESET_ALL":
        return SetVariable(region.text, region.start, "all", None)
    if kind == "VAR_SET_CURRENT":
        raise FeatureNotSupported("SET … FROM CURRENT is not supported", position=region.start + 1)
    if kind == "VAR_SET_MULTI":
        return _set_transaction(region, node)
    value = ", ".join(map(_text, node.args or ())) if kind == "VAR_SET_VALUE" else None
    return SetVariable(region.text, region.start, node.name, value, bool(node.is_local))


def _set_transaction(region: Region, node: Any) -> Statement:
    """SET TRANSACTION and SET SESSION CHARACTERISTICS; of several modes the one with an effect here."""
    if node.name == "TRANSACTION SNAPSHOT":
        raise FeatureNotSupported("SET TRANSACTION SNAPSHOT is not supported", position=region.start + 1)
    modes = _modes(node.args)
    name = next((n for n in ("transaction_read_only", "transaction_isolation") if n in modes), next(iter(modes)))
    is_session = node.name == "SESSION CHARACTERISTICS"
    prefix = "default_" if is_session else ""
    return SetVariable(region.text, region.start, prefix + name, modes[name], not is_session)


def _modes(elements: Any) -> dict[str, str]:
    """Transaction modes as the settings they are: read_only on/off, isolation by name."""
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
    return Show(region.text, region.start, postgres.tree(region).name)


def drop(region: Region) -> Statement:
    """DROP of a relation; SOURCE, STREAM and LOOKUP TABLE are shown to Postgres as TABLE."""
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


_DROPPED: tuple[tuple[tuple[str, ...], RelationKind], ...] = (
    (("lookup", "table"), "lookup table"),
    (("materialized", "view"), "materialized view"),
    (("source",), "source"),
    (("stream",), "view"),
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
    node = postgres.tree(region)
    names = tuple(of_range_var(relation, region.start).reference for relation in node.relations)
    return Truncate(region.text, region.start, names)


def accepted(region: Region) -> Statement:
    """Valid, and nothing to do; a notice where somebody might count on an effect."""
    node = postgres.tree(region)
    tag, notice = _tag(node, region)
    return Accepted(region.text, region.start, tag, notice)


def _tag(node: Any, region: Region) -> tuple[str, str | None]:
    kind = type(node).__name__
    if kind == "DiscardStmt":
        return f"DISCARD {node.target.name.removeprefix('DISCARD_')}", None
    if kind == "VacuumStmt":
        tag = "VACUUM" if node.is_vacuumcmd else "ANALYZE"
        return tag, _NOT_KEPT.format(tag)
    if kind == "ClosePortalStmt" and node.portalname is not None:
        raise FeatureNotSupported("CLOSE of a cursor is not supported", position=region.start + 1)
    if kind == "DeallocateStmt":
        return ("DEALLOCATE ALL" if node.isall else "DEALLOCATE"), None
    return _TAGS[kind]


_TAGS: dict[str, tuple[str, str | None]] = {
    "ClosePortalStmt": ("CLOSE CURSOR ALL", None),
    "CommentStmt": ("COMMENT", _NOT_KEPT.format("COMMENT")),
    "ListenStmt": ("LISTEN", _NO_NOTIFY),
    "LockStmt": ("LOCK TABLE", _NO_LOCKS),
    "RefreshMatViewStmt": ("REFRESH MATERIALIZED VIEW", _ALWAYS_FRESH),
    "UnlistenStmt": ("UNLISTEN", None),
}
