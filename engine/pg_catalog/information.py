"""information_schema: the SQL standard's view of relations, columns and constraints."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from constellationdb.catalog.model import Check
from constellationdb.engine.pg_catalog import definitions
from constellationdb.engine.pg_catalog.classes import checks_of, indexes
from constellationdb.engine.pg_catalog.cluster import DATABASE, OWNER_NAME
from constellationdb.engine.pg_catalog.column_facts import facts_of
from constellationdb.engine.pg_catalog.objects import Attribute, Described
from constellationdb.engine.pg_catalog.sequences import of_identity, sequences_of
from constellationdb.planner.printed import printed

Row = dict[str, Any]

_TABLE_TYPES = {"r": "BASE TABLE", "v": "VIEW", "m": "VIEW", "f": "FOREIGN"}
_IDENTITIES = {"a": "ALWAYS", "d": "BY DEFAULT"}
_PRIVILEGES = ("INSERT", "SELECT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")
_COLUMN_PRIVILEGES = ("INSERT", "SELECT", "UPDATE", "REFERENCES")


def yes(condition: bool) -> str:
    return "YES" if condition else "NO"


def _table(relation: Described) -> Row:
    return {"table_catalog": DATABASE, "table_schema": relation.schema, "table_name": relation.name}


def _is_updatable(relation: Described) -> bool:
    """Sources take INSERTs only, but that is what is asked."""
    return relation.kind == "r"


def tables(relations: Iterable[Described]) -> Iterator[Row]:
    for relation in _read_like_tables(relations):
        yield _table(relation) | {
            "table_type": "LOCAL TEMPORARY" if relation.is_temporary else _TABLE_TYPES[relation.kind],
            "is_insertable_into": yes(_is_updatable(relation)),
            "is_typed": "NO",
        }


def views(relations: Iterable[Described]) -> Iterator[Row]:
    for relation in relations:
        if relation.kind in ("v", "m"):
            yield _table(relation) | {
                "view_definition": definitions.view(relation) or None, "check_option": "NONE", "is_updatable": "NO",
                "is_insertable_into": "NO", "is_trigger_updatable": "NO", "is_trigger_deletable": "NO",
                "is_trigger_insertable_into": "NO",
            }  # fmt: skip


def _read_like_tables(relations: Iterable[Described]) -> Iterator[Described]:
    """All but sequences."""
    return (relation for relation in relations if relation.kind in _TABLE_TYPES)


def columns(relations: Iterable[Described]) -> Iterator[Row]:
    known = list(relations)
    owned = {relation.name: given for relation, given in sequences_of(known)}
    for relation in _read_like_tables(known):
        own, updatable = _table(relation), yes(_is_updatable(relation))
        for number, attribute in enumerate(relation.attributes, 1):
            identity = of_identity(owned[attribute.sequence]) if attribute.identity else {}
            yield own | _column(relation, attribute, number) | identity | {"is_updatable": updatable}


def _column(relation: Described, attribute: Attribute, number: int) -> Row:
    default = attribute.default
    return {
        "column_name": attribute.name, "ordinal_position": number,
        "column_default": None if default is None or attribute.generated else definitions.default(relation, default),
        "is_nullable": yes(not attribute.not_null), "dtd_identifier": str(number), "is_self_referencing": "NO",
        "is_identity": yes(bool(attribute.identity)), "identity_cycle": "NO",
        "identity_generation": _IDENTITIES.get(attribute.identity),
        "is_generated": "ALWAYS" if attribute.generated else "NEVER",
        "generation_expression": definitions.default(relation, default or "") if attribute.generated else None,
    } | facts_of(attribute)  # fmt: skip


def _constrained(relation: Described) -> Row:
    return {"constraint_catalog": DATABASE, "constraint_schema": relation.schema} | _table(relation)


def table_constraints(relations: Iterable[Described]) -> Iterator[Row]:
    known = list(relations)
    held = {"is_deferrable": "NO", "initially_deferred": "NO", "enforced": "YES"}
    for index in indexes(known):
        if index.constraint:
            yield (
                _constrained(index.of)
                | held
                | {
                    "constraint_name": index.name,
                    "constraint_type": "PRIMARY KEY" if index.is_primary else "UNIQUE",
                    "nulls_distinct": None if index.is_primary else "YES",
                }
            )
    for relation, check in _checks(known):
        yield _constrained(relation) | held | {"constraint_name": check.name, "constraint_type": "CHECK"}
    for relation, name, _ in _not_null(known):
        yield _constrained(relation) | held | {"constraint_name": name, "constraint_type": "CHECK"}


def _checks(relations: Iterable[Described]) -> Iterator[tuple[Described, Check]]:
    return ((relation, check) for relation in relations for check in checks_of(relation))


def check_constraints(relations: Iterable[Described]) -> Iterator[Row]:
    known = list(relations)
    for relation, check in _checks(known):
        yield {
            "constraint_catalog": DATABASE,
            "constraint_schema": relation.schema,
            "constraint_name": check.name,
            "check_clause": f"({printed(check.expression)})",
        }
    for relation, name, attribute in _not_null(known):
        yield {
            "constraint_catalog": DATABASE,
            "constraint_schema": relation.schema,
            "constraint_name": name,
            "check_clause": f"{attribute.name} IS NOT NULL",
        }


def _not_null(relations: Iterable[Described]) -> Iterator[tuple[Described, str, Attribute]]:
    """What the standard calls checks, under the names Postgres makes up for them."""
    for relation in relations:
        for number, attribute in enumerate(relation.attributes, 1):
            if attribute.not_null and relation.kind == "r":
                yield relation, f"{relation.namespace}_{relation.oid}_{number}_not_null", attribute


def key_column_usage(relations: Iterable[Described]) -> Iterator[Row]:
    for index in indexes(relations):
        if index.constraint:
            for position, attribute in enumerate(index.attributes, 1):
                yield _constrained(index.of) | {
                    "constraint_name": index.name, "column_name": attribute.name, "ordinal_position": position,
                }  # fmt: skip


def constraint_column_usage(relations: Iterable[Described]) -> Iterator[Row]:
    known = list(relations)
    for index in indexes(known):
        if index.constraint:
            for attribute in index.attributes:
                yield _constrained(index.of) | {"constraint_name": index.name, "column_name": attribute.name}
    for relation, check in _checks(known):
        for column in check.columns:
            yield _constrained(relation) | {"constraint_name": check.name, "column_name": column}


def constraint_table_usage(relations: Iterable[Described]) -> Iterator[Row]:
    for index in indexes(relations):
        if index.constraint:
            yield _constrained(index.of) | {"constraint_name": index.name}


def table_privileges(relations: Iterable[Described]) -> Iterator[Row]:
    """The owner has them all, and there is nobody else to grant them to."""
    for relation in _read_like_tables(relations):
        for privilege in _PRIVILEGES if relation.kind != "m" else ():
            yield _granted(privilege) | _table(relation) | {"with_hierarchy": yes(privilege == "SELECT")}


def column_privileges(relations: Iterable[Described]) -> Iterator[Row]:
    for relation in _read_like_tables(relations):
        for attribute in relation.attributes if relation.kind != "m" else ():
            for privilege in _COLUMN_PRIVILEGES:
                yield _granted(privilege) | _table(relation) | {"column_name": attribute.name}


def _granted(privilege: str) -> Row:
    return {"grantor": OWNER_NAME, "grantee": OWNER_NAME, "privilege_type": privilege, "is_grantable": "YES"}
