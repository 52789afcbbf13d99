"""The columns by which the rows of a relation replace each other."""

from __future__ import annotations

from constellationdb.catalog.catalog import Catalog
from constellationdb.catalog.model import Relation
from constellationdb.planner import plan


def key_of(catalog: Catalog, relation: Relation) -> tuple[str, ...] | None:
    """Columns in which no two of its rows agree at any epoch; None where none are known."""
    if relation.kind == "table":
        return relation.primary_key or None
    if relation.kind != "materialized view":
        return None
    found = _key(catalog, plan.decode(relation.plan).root)
    return None if found is None else tuple(relation.schema.names[place] for place in found)


def _key(catalog: Catalog, node: plan.AnyNode) -> tuple[int, ...] | None:
    """As ``plan.unique_key``, and through relations that are only read."""
    match node:
        case plan.Scan():
            relation = catalog.relations.get(node.relation)
            names = None if relation is None else key_of(catalog, relation)
            if relation is None or names is None:
                return None
            places = [relation.schema.get_field_index(name) for name in names]
            return _places(places, node.columns)
        case plan.Fragment():
            below = _key(catalog, node.input)
            return None if below is None else _places(below, node.passthrough)
        case plan.TemporalFilter():
            return _key(catalog, node.input)
        case _:
            return plan.unique_key(node)


def _places(key: list[int] | tuple[int, ...], columns: tuple[int, ...]) -> tuple[int, ...] | None:
    """Where the columns of the key are among ``columns``, if all of them are."""
    return tuple(columns.index(place) for place in key) if set(key) <= set(columns) else None
