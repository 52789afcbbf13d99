"""Statements that clients and scripts send and that have nothing to do here: valid, accepted, and said so."""

from __future__ import annotations

from typing import Any

from constellationdb.errors import DuplicateObject, FeatureNotSupported
from constellationdb.planner.statements import Accepted, CreateIndex
from constellationdb.planner.syntax import postgres
from constellationdb.planner.syntax.names import of_range_var, of_strings
from constellationdb.planner.syntax.tokens import Region

_NOT_KEPT = "{} has no effect here"
_NOTICES = {
    "CLUSTER": _NOT_KEPT.format("CLUSTER"),
    "COMMENT": _NOT_KEPT.format("COMMENT"),
    "GRANT": "there are no privileges; GRANT has no effect",
    "GRANT ROLE": "there are no roles; GRANT has no effect",
    "LISTEN": "notifications are not supported; LISTEN has no effect",
    "LOCK TABLE": "transactions see one epoch and are checked at commit; LOCK TABLE has no effect",
    "REFRESH MATERIALIZED VIEW": "materialized views are always up to date; REFRESH has no effect",
    "REINDEX": _NOT_KEPT.format("REINDEX"),
    "REVOKE": "there are no privileges; REVOKE has no effect",
    "REVOKE ROLE": "there are no roles; REVOKE has no effect",
    "VACUUM": _NOT_KEPT.format("VACUUM"),
    "ANALYZE": _NOT_KEPT.format("ANALYZE"),
}


def accepted(region: Region) -> Accepted:
    node = postgres.tree(region)
    tag = _tag(node)
    names = tuple(of_range_var(relation, region.start).reference for relation in _relations(node))
    block = {"VACUUM": False, "LOCK TABLE": True}.get(tag)
    return Accepted(region.text, region.start, tag, _NOTICES.get(tag), relations=names, block=block)


def _tag(node: Any) -> str:
    kind = type(node).__name__
    if kind == "VacuumStmt":
        return "VACUUM" if node.is_vacuumcmd else "ANALYZE"
    if kind in ("GrantStmt", "GrantRoleStmt"):
        word = "GRANT" if node.is_grant else "REVOKE"
        return word if kind == "GrantStmt" else f"{word} ROLE"
    return _TAGS[kind]


_TAGS = {
    "ClusterStmt": "CLUSTER",
    "CommentStmt": "COMMENT",
    "ListenStmt": "LISTEN",
    "LockStmt": "LOCK TABLE",
    "RefreshMatViewStmt": "REFRESH MATERIALIZED VIEW",
    "ReindexStmt": "REINDEX",
    "UnlistenStmt": "UNLISTEN",
}


def _relations(node: Any) -> list[Any]:
    """The relations that a statement names, and that must therefore exist."""
    kind = type(node).__name__
    if kind == "VacuumStmt":
        return [named.relation for named in node.rels or ()]
    if kind == "LockStmt":
        return list(node.relations)
    if kind == "GrantStmt" and node.objtype.name == "OBJECT_TABLE" and node.targtype.name == "ACL_TARGET_OBJECT":
        return list(node.objects)
    relation = getattr(node, "relation", None)
    return [] if relation is None else [relation]


def set_constraints(region: Region) -> Accepted:
    return Accepted(region.text, region.start, "SET CONSTRAINTS")


def create_index(region: Region) -> Accepted | CreateIndex:
    """Of an expression or some rows it would only be for speed, and is left out; a unique one also refuses rows."""
    node = postgres.tree(region)
    name = of_range_var(node.relation, region.start)
    columns = tuple(part.name for part in node.indexParams if part.name is not None)
    if node.unique:
        _refuse_index_features(region, node)
    elif len(columns) < len(node.indexParams) or node.whereClause is not None:
        notice = "an index of expressions or of some of the rows has no effect"
        return Accepted(region.text, region.start, "CREATE INDEX", notice, relations=(name.reference,), columns=columns)
    return CreateIndex(
        region.text,
        region.start,
        node.idxname,
        name.reference,
        columns,
        bool(node.if_not_exists),
        name.position,
        is_unique=bool(node.unique),
    )


def _refuse_index_features(region: Region, node: Any) -> None:
    what = next((what for what, is_used in (
        ("a unique index on an expression", any(part.name is None for part in node.indexParams)),
        ("a partial unique index", node.whereClause is not None),
        ("INCLUDE in a unique index", bool(node.indexIncludingParams)),
        ("NULLS NOT DISTINCT", bool(getattr(node, "nulls_not_distinct", False))),
    ) if is_used), None)  # fmt: skip
    if what is not None:
        raise FeatureNotSupported(f"{what} is not supported", position=region.start + 1)


def create_extension(region: Region) -> Accepted:
    """As every Postgres has plpgsql, scripts say that they want it."""
    node = postgres.tree(region)
    if node.extname != "plpgsql":
        raise FeatureNotSupported("CREATE EXTENSION is not supported", position=region.start + 1)
    message = f'extension "{node.extname}" already exists'
    if not node.if_not_exists:
        raise DuplicateObject(message)
    return Accepted(region.text, region.start, "CREATE EXTENSION", f"{message}, skipping", DuplicateObject.sqlstate)


def drop_nothing(region: Region) -> Accepted | None:
    """DROP INDEX IF EXISTS and the like of what cannot be there; None for any other DROP."""
    node = postgres.tree(region)
    kind = _ABSENT.get(getattr(getattr(node, "removeType", None), "name", ""))
    if kind is None or not node.missing_ok:
        return None
    names = [of_strings(_parts(named), region.start).parts[-1] for named in node.objects]
    if "plpgsql" in names:
        return None
    notice = "\n".join(f'{kind} "{name}" does not exist, skipping' for name in names)
    return Accepted(region.text, region.start, f"DROP {kind.upper()}", notice)


def _parts(named: Any) -> tuple[Any, ...]:
    return tuple(named) if isinstance(named, tuple | list) else (named,)


_ABSENT = {
    "OBJECT_EXTENSION": "extension",
}
