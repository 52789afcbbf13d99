"""The catalog's state and its one transition."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from msgspec.structs import replace

from constellationdb.catalog.model import Command, Create, Drop, Relation
from constellationdb.errors import DependentObjects, DuplicateRelation, UndefinedRelation

# Postgres gives user objects oids from here on.
FIRST_OID = 16384


@dataclass(frozen=True)
class Catalog:
    """An immutable version of the catalog. ``version`` counts commands."""

    version: int = 0
    next_oid: int = FIRST_OID
    relations: Mapping[str, Relation] = field(default_factory=lambda: MappingProxyType({}))

    def apply(self, command: Command) -> Catalog:
        """The catalog after ``command``; raises, unchanged, when it does not fit."""
        match command:
            case Create():
                return self._create(command)
            case Drop():
                return self._drop(command)

    def get(self, name: str, position: int | None = None) -> Relation:
        found = self.relations.get(name)
        if found is None:
            raise UndefinedRelation(f'relation "{name}" does not exist', position=position)
        return found

    def _create(self, command: Create) -> Catalog:
        relations = dict(self.relations)
        oid = self.next_oid
        for relation in command.relations:
            if relation.name in relations:
                raise DuplicateRelation(f'relation "{relation.name}" already exists')
            relations[relation.name] = replace(relation, oid=oid)
            oid += 1
        return Catalog(self.version + 1, oid, MappingProxyType(relations))

    def _drop(self, command: Drop) -> Catalog:
        relations = dict(self.relations)
        for name in command.names:
            if relations.pop(name, None) is None:
                raise UndefinedRelation(f'relation "{name}" does not exist')
        return Catalog(self.version + 1, self.next_oid, MappingProxyType(relations))

    def to_drop(self, names: Iterable[str], *, cascade: bool) -> tuple[str, ...]:
        """``names`` with their side outputs and, under CASCADE, their dependants; dependants first.

        Raises 2BP01 naming the dependants without CASCADE.
        """
        asked = list(names)
        found: list[str] = []
        for name in asked:
            self._collect(name, found)
        blocking = [n for n in found if n not in asked and self.relations[n].owner not in found]
        if blocking and not cascade:
            dependants = "\n".join(
                f"{self.relations[n].kind} {n} depends on {self.relations[n].depends_on[0]}" for n in blocking
            )
            kind = self.relations[asked[0]].kind
            raise DependentObjects(
                f"cannot drop {kind} {asked[0]} because other objects depend on it",
                detail=dependants,
                hint="Use DROP ... CASCADE to drop the dependent objects too.",
            )
        return tuple(found)

    def _collect(self, name: str, found: list[str]) -> None:
        for other in self.relations.values():
            if name in other.depends_on or other.owner == name:
                self._collect(other.name, found)
        if name not in found:
            found.append(name)

    def bases_of(self, name: str) -> set[str]:
        """Every relation that ``name`` is computed from, itself included."""
        relation = self.relations.get(name)
        if relation is None:
            return {name}
        bases = {name}
        for dependency in (*relation.depends_on, *([relation.owner] if relation.owner else [])):
            bases |= self.bases_of(dependency)
        return bases
