"""Names that Postgres makes up for what has none: ``account_id_seq``, ``account_owner_key``, ``account_check1``."""

from __future__ import annotations

from collections.abc import Container, Iterable

from constellationdb.catalog.catalog import Catalog
from constellationdb.catalog.model import Relation

_LONGEST = 63  # bytes


def chosen(parts: Iterable[str], label: str, taken: Container[str]) -> str:
    """The first that is free of ``a_b_label``, ``a_b_label1``, …."""
    first, *rest = parts
    second = "_".join(rest)
    number = 0
    while True:
        name = _joined(first, second, f"{label}{number or ''}")
        if name not in taken:
            return name
        number += 1


def _joined(first: str, second: str, label: str) -> str:
    """What is too long is cut off where it is longer."""
    room = _LONGEST - len(label) - 1 - bool(second)
    one, two = first.encode(), second.encode()
    while len(one) + len(two) > room:
        if len(one) > len(two):
            one = one[:-1]
        else:
            two = two[:-1]
    names = (one.decode(errors="ignore"), two.decode(errors="ignore"), label)
    return "_".join(name for name in names if name)


def taken_names(catalog: Catalog, namespace: int) -> set[str]:
    """Every relation and every index of a schema: they share their names."""
    inside = (relation for relation in catalog.relations.values() if relation.namespace == namespace)
    return {name for relation in inside for name in (relation.shown, *index_names(relation))}


def index_names(relation: Relation) -> list[str]:
    key = [relation.primary_key_name] if relation.primary_key else []
    return [*key, *(unique.name for unique in relation.uniques), *(index.name for index in relation.indexes)]
