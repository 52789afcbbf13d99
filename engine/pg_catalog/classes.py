"""pg_class, pg_attribute and what hangs on them: defaults, indexes, constraints, row types, rules, dependencies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from constellationdb.catalog.model import PUBLIC, Check
from constellationdb.catalog.postgres import rows
from constellationdb.engine.pg_catalog import lookup
from constellationdb.engine.pg_catalog.objects import (
    OWNER,
    Attribute,
    Described,
    Index,
    Objects,
    Part,
    indexes_of,
    is_own,
    system_index_list,
)

Row = dict[str, Any]

_HEAP, _BTREE = 2, 403
_PG_CLASS, _PG_REWRITE, _PG_CONSTRAINT, _PG_ATTRDEF = 1259, 2618, 2606, 2604
_SHARED = frozenset(
    {"pg_authid", "pg_auth_members", "pg_database", "pg_db_role_setting", "pg_parameter_acl", "pg_replication_origin",
     "pg_shdepend", "pg_shdescription", "pg_shseclabel", "pg_subscription", "pg_tablespace"}
)  # fmt: skip
_GLOBAL_SPACE = 1664
_STORED = ("r", "m")


def indexes(relations: Iterable[Described]) -> Iterable[Index]:
    """The indexes of relations that are all the system's or all a user's."""
    known = list(relations)
    return system_index_list() if known and known[0].is_system else indexes_of(known)


def pg_class(relations: Iterable[Described]) -> Iterator[Row]:
    known = list(relations)
    indexed = {index.of.oid for index in indexes(known)}
    for relation in known:
        shared = relation.is_system and relation.name in _SHARED
        yield _class(relation.oid, relation.name, relation.namespace, relation.kind, len(relation.attributes)) | {
            "reltype": relation.type_oid,
            "relam": _HEAP if relation.kind in _STORED else 0,
            "relhasindex": relation.oid in indexed,
            "relchecks": 0 if relation.relation is None else len(relation.relation.checks),
            "relhasrules": relation.kind in ("v", "m"),
            "relisshared": shared,
            "relpersistence": "t" if relation.is_temporary else "p",
            "reltablespace": _GLOBAL_SPACE if shared else 0,
            "relreplident": "d" if relation.kind in _STORED and not relation.is_system else "n",
            "reloptions": _options(relation),
        }
    for index in indexes(known):
        shared = index.of.is_system and index.of.name in _SHARED
        yield _class(index.oid, index.name, index.of.namespace, "i", len(index.keys)) | {
            "relam": _BTREE,
            "relpersistence": "t" if index.of.is_temporary else "p",
            "relisshared": shared,
            "reltablespace": _GLOBAL_SPACE if shared else 0,
        }


def _class(oid: int, name: str, namespace: int, kind: str, width: int) -> Row:
    stored = kind in ("r", "m", "i", "S")
    return {
        "oid": oid, "relname": name, "relnamespace": namespace, "reltype": 0, "reloftype": 0, "relowner": OWNER,
        "relam": 0, "relfilenode": oid if stored else 0, "reltablespace": 0, "relpages": 0,
        "reltuples": -1.0 if stored else 0.0, "relallvisible": 0, "reltoastrelid": 0, "relhasindex": False,
        "relisshared": False, "relpersistence": "p", "relkind": kind, "relnatts": width, "relchecks": 0,
        "relhasrules": False, "relhastriggers": False, "relhassubclass": False, "relrowsecurity": False,
        "relforcerowsecurity": False, "relispopulated": True, "relreplident": "n", "relispartition": False,
        "relrewrite": 0, "relfrozenxid": 0, "relminmxid": 0,
    }  # fmt: skip


def _options(relation: Described) -> list[str] | None:
    """WITH (…) of what has no connector: a connector's options may hold a password."""
    made = relation.relation
    if made is None or not made.options or made.kind not in ("table", "materialized view"):
        return None
    return [f"{name}={value}" for name, value in made.options.items()]


def pg_attribute(relations: Iterable[Described]) -> Iterator[Row]:
    known = list(relations)
    for relation in known:
        yield from _attributes(relation.oid, relation.attributes, is_index=False)
    for index in indexes(known):
        yield from _attributes(index.oid, index.attributes, is_index=True)


def _attributes(relation: int, attributes: Iterable[Attribute], *, is_index: bool) -> Iterator[Row]:
    for number, attribute in enumerate(attributes, 1):
        kind = lookup.type_of(attribute.type_oid, attribute.type_name)
        yield {
            "attrelid": relation, "attname": attribute.name, "atttypid": attribute.type_oid, "attstattarget": -1,
            "attlen": int(kind["typlen"]), "attnum": number, "attndims": int(lookup.is_array(kind)),
            "attcacheoff": -1, "atttypmod": attribute.typmod, "attbyval": rows.truth(kind["typbyval"]),
            "attalign": kind["typalign"], "attstorage": kind["typstorage"], "attcompression": "",
            "attnotnull": attribute.not_null and not is_index,
            "atthasdef": attribute.default is not None and not is_index, "atthasmissing": False,
            "attidentity": "" if is_index else attribute.identity,
            "attgenerated": "s" if attribute.generated and not is_index else "",
            "attisdropped": False, "attislocal": True, "attinhcount": 0,
            "attcollation": int(kind["typcollation"]),
        }  # fmt: skip


def pg_attrdef(relations: Iterable[Described]) -> Iterator[Row]:
    for relation in relations:
        for number, attribute in enumerate(relation.attributes, 1):
            if attribute.default is not None:
                yield {
                    "oid": default_oid(relation.oid, number),
                    "adrelid": relation.oid,
                    "adnum": number,
                    "adbin": attribute.default,
                }


def default_oid(relation: int, number: int) -> int:
    """From the relation's oid and the column's number, above every other part's."""
    return Part.DEFAULTS.of(0) + relation * 2048 + number


def pg_index(relations: Iterable[Described]) -> Iterator[Row]:
    classes = lookup.default_classes()
    for index in indexes(relations):
        attributes, width = index.attributes, len(index.keys)
        yield {
            "indexrelid": index.oid, "indrelid": index.of.oid, "indnatts": width, "indnkeyatts": width,
            "indisunique": index.is_unique, "indnullsnotdistinct": False, "indisprimary": index.is_primary,
            "indisexclusion": False, "indimmediate": True, "indisclustered": False, "indisvalid": True,
            "indcheckxmin": False, "indisready": True, "indislive": True, "indisreplident": False,
            "indkey": list(index.keys),
            "indcollation": [
                int(lookup.type_of(attribute.type_oid, attribute.type_name)["typcollation"])
                for attribute in attributes
            ],
            "indclass": [classes.get(_indexed_as(attribute.type_oid), 0) for attribute in attributes],
            "indoption": [0] * width,
        }  # fmt: skip


def _indexed_as(type_oid: int) -> int:
    """varchar is indexed as text."""
    return 25 if type_oid == 1043 else type_oid


def pg_constraint(relations: Iterable[Described]) -> Iterator[Row]:
    known = list(relations)
    for index in indexes(known):
        if index.constraint:
            yield {
                "oid": index.constraint, "conname": index.name, "connamespace": index.of.namespace,
                "contype": "p" if index.is_primary else "u", "condeferrable": False, "condeferred": False,
                "convalidated": True, "conrelid": index.of.oid, "contypid": 0, "conindid": index.oid,
                "conparentid": 0, "confrelid": 0, "confupdtype": " ", "confdeltype": " ", "confmatchtype": " ",
                "conislocal": True, "coninhcount": 0, "connoinherit": True, "conkey": list(index.keys),
            }  # fmt: skip
    for relation in known:
        for check in checks_of(relation):
            yield {
                "oid": check.oid, "conname": check.name, "connamespace": relation.namespace, "contype": "c",
                "condeferrable": False, "condeferred": False, "convalidated": True, "conrelid": relation.oid,
                "contypid": 0, "conindid": 0, "conparentid": 0, "confrelid": 0, "confupdtype": " ",
                "confdeltype": " ", "confmatchtype": " ", "conislocal": True, "coninhcount": 0,
                "connoinherit": False, "conkey": [relation.number(column) for column in check.columns],
                "conbin": check.expression,
            }  # fmt: skip


def checks_of(relation: Described) -> tuple[Check, ...]:
    return () if relation.relation is None else relation.relation.checks


_ARRAY: Row = {
    "typtype": "b", "typcategory": "A", "typsubscript": 6179, "typinput": 750, "typoutput": 751, "typreceive": 2400,
    "typsend": 2401, "typanalyze": 3816,
}  # fmt: skip


def pg_type(relations: Iterable[Described]) -> Iterator[Row]:
    """The row type of each relation and the array of it; the system's own ship with the rest."""
    for relation in relations:
        if is_own(relation.type_oid):
            yield _type(relation, relation.type_oid, relation.name) | {
                "typtype": "c", "typcategory": "C", "typrelid": relation.oid, "typarray": relation.array_type_oid,
                "typinput": 2290, "typoutput": 2291, "typreceive": 2402, "typsend": 2403,
            }  # fmt: skip
            yield (
                _type(relation, relation.array_type_oid, f"_{relation.name}") | _ARRAY | {"typelem": relation.type_oid}
            )


def _type(relation: Described, oid: int, name: str) -> Row:
    return {
        "oid": oid, "typname": name, "typnamespace": relation.namespace, "typowner": OWNER, "typlen": -1,
        "typbyval": False, "typispreferred": False, "typisdefined": True, "typdelim": ",", "typrelid": 0,
        "typsubscript": 0, "typelem": 0, "typarray": 0, "typmodin": 0, "typmodout": 0, "typanalyze": 0,
        "typalign": "d", "typstorage": "x", "typnotnull": False, "typbasetype": 0, "typtypmod": -1, "typndims": 0,
        "typcollation": 0,
    }  # fmt: skip


def pg_enum_types(objects: Objects) -> Iterator[Row]:
    """The types that are enums, and the arrays of them."""
    for kind in objects.catalog.types.values():
        if kind.labels:
            array = Part.ARRAY_TYPE.of(kind.oid)
            described = Described(0, PUBLIC, "public", kind.name, "", kind.oid, array, ())
            yield _type(described, kind.oid, kind.name) | {
                "typtype": "e", "typcategory": "E", "typarray": array, "typlen": 4, "typbyval": True, "typalign": "i",
                "typstorage": "p", "typinput": 3506, "typoutput": 3507, "typreceive": 3532, "typsend": 3533,
            }  # fmt: skip
            yield _type(described, array, f"_{kind.name}") | _ARRAY | {"typelem": kind.oid, "typalign": "i"}


def pg_enum(objects: Objects) -> Iterator[Row]:
    """A label's oid is the type's and its place, above those of defaults."""
    for kind in objects.catalog.types.values():
        for place, label in enumerate(kind.labels, 1):
            oid = default_oid(kind.oid, place)
            yield {"oid": oid, "enumtypid": kind.oid, "enumsortorder": float(place), "enumlabel": label}


def pg_rewrite(relations: Iterable[Described]) -> Iterator[Row]:
    """A rule for each view, as Postgres keeps what a view is computed from."""
    for relation in relations:
        if relation.relation is not None and relation.kind in ("v", "m"):
            yield {
                "oid": Part.RULE.of(relation.oid), "rulename": "_RETURN", "ev_class": relation.oid, "ev_type": "1",
                "ev_enabled": "O", "is_instead": True, "ev_qual": "<>", "ev_action": "<>",
            }  # fmt: skip


def pg_depend(objects: Objects) -> Iterator[Row]:
    """What would have to be dropped with what."""
    for relation in objects.own:
        made = relation.relation
        if made is None:  # of a composite type
            continue
        yield from _sequence_depends(objects, relation)
        for name in (*made.depends_on, *([made.owner] if made.owner and made.sequence is None else [])):
            other = objects.catalog.relations.get(name)
            if other is not None:
                yield _depends(_PG_REWRITE, Part.RULE.of(relation.oid), other.oid, 0, "n")
        for number, attribute in enumerate(relation.attributes, 1):
            if attribute.default is not None:
                yield _depends(_PG_ATTRDEF, default_oid(relation.oid, number), relation.oid, number, "a")
        for check in made.checks:
            for column in check.columns:
                yield _depends(_PG_CONSTRAINT, check.oid, relation.oid, relation.number(column), "a")
    for index in indexes_of(objects.own):
        for key in index.keys:
            held = (_PG_CONSTRAINT, index.constraint) if index.constraint else (_PG_CLASS, index.oid)
            yield _depends(*held, index.of.oid, key, "a")
        if not index.constraint:
            continue
        yield _depends(_PG_CLASS, index.oid, index.constraint, 0, "i") | {"refclassid": _PG_CONSTRAINT}


def _sequence_depends(objects: Objects, relation: Described) -> Iterator[Row]:
    """A sequence on the column that it belongs to, a default on the sequence that it takes its values from."""
    made = relation.relation
    assert made is not None
    owner = None if made.owner is None or made.sequence is None else objects.catalog.relations.get(made.owner)
    if owner is not None and made.sequence is not None and made.sequence.column:
        number = owner.schema.get_field_index(made.sequence.column) + 1
        declared = owner.column(made.sequence.column)
        how = "i" if declared is not None and declared.identity else "a"
        yield _depends(_PG_CLASS, relation.oid, owner.oid, number, how)
    for number, attribute in enumerate(relation.attributes, 1):
        taken = objects.catalog.relations.get(attribute.sequence) if attribute.default is not None else None
        if taken is not None:
            yield _depends(_PG_ATTRDEF, default_oid(relation.oid, number), taken.oid, 0, "n")


def _depends(kind: int, oid: int, on: int, column: int, how: str) -> Row:
    return {
        "classid": kind, "objid": oid, "objsubid": 0, "refclassid": _PG_CLASS, "refobjid": on,
        "refobjsubid": column, "deptype": how,
    }  # fmt: skip
