"""The catalog's state and its one transition."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from msgspec.structs import replace

from constellationdb.catalog.model import Command, Create, Drop, Relation, Replace
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
            case Replace():
                return self._replace(command.view)

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

    def _replace(self, view: Relation) -> Catalog:
        """Raises 2BP01 when something stored was computed through the old definition."""
        stored = [n for n in self._dependants(view.name) if self.relations[n].kind != "view"]
        if stored:
            raise _blocked(f"cannot replace view {view.name}", [self.relations[n] for n in stored])
        relations = dict(self.relations)
        relations[view.name] = replace(view, oid=self.get(view.name).oid)
        return Catalog(self.version + 1, self.next_oid, MappingProxyType(relations))

    def _dependants(self, name: str) -> list[str]:
        found: list[str] = []
        self._collect(name, found)
        return [n for n in found if n != name and self.relations[n].owner not in found]

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
            what = f"cannot drop {self.relations[asked[0]].kind} {asked[0]}"
            raise _blocked(what, [self.relations[n] for n in blocking])
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


def _blocked(what: str, dependants: list[Relation]) -> DependentObjects:
    return DependentObjects(
        f"{what} because other objects depend on it",
        detail="\n".join(f"{r.kind} {r.name} depends on {r.depends_on[0]}" for r in dependants),
        hint="Use DROP ... CASCADE to drop the dependent objects too.",
    )
