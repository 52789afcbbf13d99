"""CREATE SEQUENCE and ALTER SEQUENCE: what the options say, by Postgres' rules and words."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
from msgspec.structs import replace

from constellationdb.catalog.catalog import Catalog
from constellationdb.catalog.model import Alter, Create, Relation, SequenceParameters, make_relation
from constellationdb.engine.naming import Names, Place
from constellationdb.errors import (
    FeatureNotSupported,
    InvalidParameter,
    ObjectNotReady,
    SqlSyntaxError,
    UndefinedColumn,
    WrongObjectType,
)
from constellationdb.planner import statements as st

# What a sequence shows of itself when it is read like a table.
SCHEMA = pa.schema([("last_value", pa.int64()), ("log_cnt", pa.int64()), ("is_called", pa.bool_())])
_LIMITS = {
    "smallint": (-(2**15), 2**15 - 1),
    "integer": (-(2**31), 2**31 - 1),
    "bigint": (-(2**63), 2**63 - 1),
}


def sequence(place: Place, parameters: SequenceParameters, owner: str | None, sql: str = "") -> Relation:
    return make_relation(
        place.name,
        "sequence",
        SCHEMA,
        namespace=place.namespace,
        label=place.other_label,
        sequence=parameters,
        owner=owner,
        sql=sql,
    )


def create(names: Names, catalog: Catalog, place: Place, statement: st.CreateSequence) -> Create:
    parameters = defined(statement.options, None)
    owner, parameters = _owned(names, catalog, statement.options, None, parameters, place.namespace)
    if "restart" in statement.options:
        raise SqlSyntaxError("invalid sequence option RESTART")
    return Create((sequence(place, parameters, owner, statement.text),))


def alter(names: Names, catalog: Catalog, relation: Relation, options: Mapping[str, object]) -> Alter:
    assert relation.sequence is not None
    parameters = defined(options, relation.sequence)
    owner, parameters = _owned(names, catalog, options, relation, parameters, relation.namespace)
    restarts = {}
    if "restart" in options:
        value = _number(options["restart"]) if options["restart"] is not None else parameters.start
        _check_between(value, parameters, "RESTART")
        restarts[relation.name] = value
    return Alter((replace(relation, sequence=parameters, owner=owner),), restarts=restarts)


def defined(options: Mapping[str, object], before: SequenceParameters | None) -> SequenceParameters:
    """The parameters that ``options`` ask for, on top of those ``before``."""
    old = before or SequenceParameters()
    kind = str(options.get("as") or old.type_name)
    increment = _number(options.get("increment", old.increment))
    if increment == 0:
        raise InvalidParameter("INCREMENT must not be zero")
    changed = before is not None and kind != old.type_name
    least, most = _LIMITS[kind]
    usual = (1, most) if increment > 0 else (least, -1)
    minimum, maximum = _bound(options, "minvalue", before, usual[0]), _bound(options, "maxvalue", before, usual[1])
    if changed and "minvalue" not in options and old.minimum == _LIMITS[old.type_name][0]:
        minimum = usual[0]
    if changed and "maxvalue" not in options and old.maximum == _LIMITS[old.type_name][1]:
        maximum = usual[1]
    for word, value in (("MINVALUE", minimum), ("MAXVALUE", maximum)):
        if not least <= value <= most:
            raise InvalidParameter(f"{word} ({value}) is out of range for sequence data type {kind}")
    if minimum >= maximum:
        raise InvalidParameter(f"MINVALUE ({minimum}) must be less than MAXVALUE ({maximum})")
    start = old.start if before is not None else (minimum if increment > 0 else maximum)
    start = _number(options.get("start", start))
    cache = _number(options.get("cache", old.cache))
    if cache < 1:
        raise InvalidParameter(f"CACHE ({cache}) must be greater than zero")
    cycle = bool(options.get("cycle", old.cycle))
    made = SequenceParameters(kind, start, increment, minimum, maximum, cache, cycle, old.column)
    _check_between(start, made, "START")
    return made


def _bound(options: Mapping[str, object], name: str, before: SequenceParameters | None, usual: int) -> int:
    if options.get(name) is not None:
        return _number(options[name])
    if name in options or before is None:  # NO MINVALUE
        return usual
    return before.minimum if name == "minvalue" else before.maximum


def _number(value: object) -> int:
    assert isinstance(value, int)
    return value


def _check_between(value: int, parameters: SequenceParameters, word: str) -> None:
    what = "RESTART" if word == "RESTART" else "START"
    if value < parameters.minimum:
        raise InvalidParameter(f"{what} value ({value}) cannot be less than MINVALUE ({parameters.minimum})")
    if value > parameters.maximum:
        raise InvalidParameter(f"{what} value ({value}) cannot be greater than MAXVALUE ({parameters.maximum})")


def _owned(
    names: Names,
    catalog: Catalog,
    options: Mapping[str, object],
    relation: Relation | None,
    parameters: SequenceParameters,
    namespace: int,
) -> tuple[str | None, SequenceParameters]:
    """OWNED BY: the table, and the parameters with the column."""
    before = None if relation is None else relation.owner
    if "owned_by" not in options:
        return before, parameters
    if relation is not None and _is_of_identity(catalog, relation):
        raise FeatureNotSupported(
            "cannot change ownership of identity sequence",
            detail=f'Sequence "{relation.shown}" is linked to table "{catalog.get(relation.owner or "").shown}".',
        )
    said = options["owned_by"]
    if not said:
        return None, replace(parameters, column="")
    assert isinstance(said, tuple)
    table, column = said
    owner = names.relation(table)
    if owner.kind != "table":
        raise WrongObjectType(f'sequence cannot be owned by relation "{owner.shown}"')
    if owner.namespace != namespace:
        raise ObjectNotReady("sequence must be in same schema as table it is linked to")
    if owner.column(column) is None:
        raise UndefinedColumn(f'column "{column}" of relation "{owner.shown}" does not exist')
    return owner.name, replace(parameters, column=column)


def _is_of_identity(catalog: Catalog, relation: Relation) -> bool:
    return any(table.column(name).identity for table, name in catalog.taken_from(relation.name))  # type: ignore[union-attr]
