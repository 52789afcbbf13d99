"""The catalog's state and its one transition."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from msgspec.structs import replace

from constellationdb.catalog.model import Alter, Command, Create, Drop, Relation, Replace, shown_name
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
            case Alter():
                return self._alter(command)

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
            relations[relation.name], oid = _numbered(replace(relation, oid=oid), oid + 1)
        return Catalog(self.version + 1, oid, MappingProxyType(relations))

    def _alter(self, command: Alter) -> Catalog:
        """In place: relations keep their oids, and the order in which they were made."""
        changed = {relation.name: relation for relation in command.relations}
        relations: dict[str, Relation] = {}
        next_oid = self.next_oid
        for name, relation in self.relations.items():
            becomes = command.renamed.get(name, name)
            if becomes != name and becomes in self.relations:
                raise DuplicateRelation(f'relation "{shown_name(becomes)}" already exists')
            altered = changed.pop(becomes, None)
            if altered is not None:
                relation, next_oid = _numbered(replace(altered, oid=relation.oid), next_oid)
            relations[becomes] = relation
        for name in changed:
            raise UndefinedRelation(f'relation "{name}" does not exist')
        return Catalog(self.version + 1, next_oid, MappingProxyType(relations))

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
            raise self._blocked(f"cannot replace view {view.name}", stored, [view.name, *stored])
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
            what = f"cannot drop {self.relations[asked[0]].kind} {shown_name(asked[0])}"
            raise self._blocked("cannot drop desired object(s)" if len(asked) > 1 else what, blocking, found)
        return tuple(found)

    def cascaded(self, asked: Iterable[str], found: Iterable[str]) -> list[str]:
        """What CASCADE drops beyond what was asked for, as messages name it, in the order it was made."""
        gone, named = set(found), set(asked)
        more = [self.relations[n] for n in gone - named if self.relations[n].owner not in gone]
        return [f"{r.kind} {shown_name(r.name)}" for r in sorted(more, key=lambda relation: relation.oid)]

    def owned_sequences(self, name: str) -> list[Relation]:
        """The sequences that belong to columns of a table."""
        return [r for r in self.relations.values() if r.kind == "sequence" and r.owner == name]

    def taken_from(self, sequence: str) -> list[tuple[Relation, str]]:
        """The tables and columns whose defaults take their values from a sequence."""
        return [(r, c.name) for r in self.relations.values() for c in r.columns if c.sequence == sequence]

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

    def _blocked(self, what: str, dependants: list[str], gone: Iterable[str]) -> DependentObjects:
        """2BP01; each dependant is told with the one of ``gone`` that it depends on."""
        lines, missing = [], set(gone)
        for relation in sorted((self.relations[n] for n in dependants), key=lambda relation: relation.oid):
            base = self.relations[next(n for n in relation.depends_on if n in missing)]
            lines.append(f"{relation.kind} {relation.name} depends on {base.kind} {shown_name(base.name)}")
        objects = "them" if what.endswith("(s)") else "it"
        return DependentObjects(
            f"{what} because other objects depend on {objects}",
            detail="\n".join(lines),
            hint="Use DROP ... CASCADE to drop the dependent objects too.",
        )


def _numbered(relation: Relation, next_oid: int) -> tuple[Relation, int]:
    """The relation with oids for those of its constraints that have none yet, and the next oid."""
    checks, uniques = [], []
    for check in relation.checks:
        checks.append(check if check.oid else replace(check, oid=next_oid))
        next_oid += not check.oid
    for unique in relation.uniques:
        uniques.append(unique if unique.oid else replace(unique, oid=next_oid))
        next_oid += 0 if unique.oid else 2
    return replace(relation, checks=tuple(checks), uniques=tuple(uniques)), next_oid
