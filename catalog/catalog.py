"""The catalog's state and its one transition."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

from msgspec.structs import replace

from constellationdb.catalog.model import (
    OIDS_OF_A_RELATION,
    PUBLIC,
    TEMPORARY,
    TEMPORARY_SCHEMAS,
    UPCOMING,
    Alter,
    AlterType,
    Command,
    Comment,
    Create,
    CreateFunction,
    CreateSchema,
    CreateType,
    Drop,
    DropFunctions,
    DropSchema,
    DropTypes,
    Function,
    Relation,
    RenameSchema,
    Replace,
    Supersede,
    UserType,
)
from constellationdb.catalog.types import SqlType, of_field, parts_of, quoted
from constellationdb.errors import (
    DependentObjects,
    DuplicateObject,
    DuplicateRelation,
    DuplicateSchema,
    UndefinedObject,
    UndefinedRelation,
    UndefinedSchema,
)

# Postgres gives user objects oids from here on.
FIRST_OID = 16384

_PUBLIC = "standard public schema"

# How messages name a relation: by its label, or qualified where a session does not see it.
NameOf = Callable[[Relation], str]


def _label(relation: Relation) -> str:
    return relation.shown


@dataclass(frozen=True)
class Catalog:
    """An immutable version of the catalog. ``version`` counts commands.

    ``schemas``: those of users, by name. ``comments``: by the oid of what they are on, and column.
    ``functions`` and ``types``: by oid.
    """

    version: int = 0
    next_oid: int = FIRST_OID
    relations: Mapping[str, Relation] = field(default_factory=lambda: MappingProxyType({}))
    schemas: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({"public": PUBLIC}))
    comments: Mapping[tuple[int, str], str] = field(default_factory=lambda: MappingProxyType({(PUBLIC, ""): _PUBLIC}))
    functions: Mapping[int, Function] = field(default_factory=lambda: MappingProxyType({}))
    types: Mapping[int, UserType] = field(default_factory=lambda: MappingProxyType({}))

    @cached_property
    def by_place(self) -> Mapping[tuple[int, str], Relation]:
        """By namespace and label."""
        return {(relation.namespace, relation.shown): relation for relation in self.relations.values()}

    def apply(self, command: Command) -> Catalog:
        """The catalog after ``command``; raises, unchanged, when it does not fit."""
        match command:
            case Create():
                return self._create(command)
            case Drop():
                return self._drop(command)
            case Replace():
                return self._replace(command.view)
            case Supersede():
                return self._supersede(command.view, command.by, command.over)
            case Alter():
                return self._alter(command)
            case CreateSchema():
                return self._create_schema(command.name)
            case DropSchema():
                return self._drop_schemas(command.names)
            case RenameSchema():
                return self._rename_schema(command.name, command.to)
            case CreateFunction():
                return self._create_function(command.function)
            case DropFunctions():
                return self._drop_functions(command.oids)
            case CreateType():
                return self._create_type(command.made)
            case AlterType():
                return self._alter_type(command.made)
            case DropTypes():
                return self._drop_types(command.oids)
            case Comment():
                return self._comment(command)

    def get(self, name: str, position: int | None = None) -> Relation:
        found = self.relations.get(name)
        if found is None:
            raise UndefinedRelation(f'relation "{name}" does not exist', position=position)
        return found

    def _create(self, command: Create) -> Catalog:
        relations = dict(self.relations)
        oid = self.next_oid
        for relation in command.relations:
            if relation.name in relations or (relation.namespace, relation.shown) in self.by_place:
                raise DuplicateRelation(f'relation "{relation.shown}" already exists')
            if relation.namespace == PUBLIC and (kind := self.type_named(relation.shown)) is not None:
                if kind.fields:
                    raise DuplicateRelation(f'relation "{relation.shown}" already exists')
                raise DuplicateObject(f'type "{relation.shown}" already exists')
            if not (relation.is_temporary or relation.namespace in (UPCOMING, *self.schemas.values())):
                raise UndefinedSchema(f'the schema of relation "{relation.shown}" was dropped')
            relations[relation.name], oid = _numbered(replace(relation, oid=oid), oid + 1)
        return self._next(next_oid=oid, relations=MappingProxyType(relations))

    def _alter(self, command: Alter) -> Catalog:
        """In place: relations keep their names and oids, and the order in which they were made."""
        relations, comments, next_oid = dict(self.relations), dict(self.comments), self.next_oid
        for relation in command.relations:
            before = self.relations.get(relation.name)
            if before is None:
                raise UndefinedRelation(f'relation "{relation.shown}" does not exist')
            there = self.by_place.get((relation.namespace, relation.shown), before)
            if there.name != relation.name:
                raise DuplicateRelation(f'relation "{relation.shown}" already exists')
            altered, next_oid = _numbered(replace(relation, oid=before.oid), next_oid)
            relations[relation.name] = altered
            comments = _followed(comments, before, altered, command.sources.get(relation.name))
        return self._next(next_oid=next_oid, relations=MappingProxyType(relations), comments=MappingProxyType(comments))

    def _drop(self, command: Drop) -> Catalog:
        relations = dict(self.relations)
        gone = set()
        for name in command.names:
            dropped = relations.pop(name, None)
            if dropped is None:
                raise UndefinedRelation(f'relation "{name}" does not exist')
            gone |= {dropped.oid, *dropped.constraint_oids}
        return self._next(relations=MappingProxyType(relations), comments=self._comments_without(gone))

    def _replace(self, view: Relation) -> Catalog:
        """Raises 2BP01 when something stored was computed through the old definition."""
        stored = [n for n in self.dependants(view.name) if self.relations[n].kind != "view"]
        if stored:
            raise self._blocked(f"cannot replace view {view.shown}", stored, [view.name, *stored])
        relations = dict(self.relations)
        relations[view.name] = replace(view, oid=self.get(view.name).oid)
        return self._next(relations=MappingProxyType(relations))

    def _supersede(self, name: str, by: str, over: Iterable[Relation]) -> Catalog:
        """The side outputs stay as they are; what the new definition reads comes before it, as everywhere."""
        old, new = self.get(name), self.get(by)
        kept = {n: r for n, r in self.relations.items() if n != by and r.owner != by}
        kept |= {view.name: replace(view, oid=self.get(view.name).oid) for view in over}
        columns = {"", *new.schema.names}
        indexes = tuple(index for index in old.indexes if columns.issuperset(index.columns))
        kept[name] = replace(
            new, name=name, oid=old.oid, owner=None, namespace=old.namespace, label=old.label, indexes=indexes
        )
        comments = {k: text for k, text in self.comments.items() if k[0] != old.oid or k[1] in columns}
        return self._next(relations=MappingProxyType(_in_order(kept)), comments=MappingProxyType(comments))

    def _next(self, **changes: object) -> Catalog:
        return dataclasses.replace(self, version=self.version + 1, **changes)  # type: ignore[arg-type]

    # -- schemas and comments ------------------------------------------------------------------

    def _create_schema(self, name: str) -> Catalog:
        if name in self.schemas:
            raise DuplicateSchema(f'schema "{name}" already exists')
        return self._next(next_oid=self.next_oid + 1, schemas=MappingProxyType({**self.schemas, name: self.next_oid}))

    def _drop_schemas(self, names: Iterable[str]) -> Catalog:
        """Raises 2BP01 when there is still something in one of them."""
        schemas = dict(self.schemas)
        gone = set()
        for name in names:
            oid = self.schema(name)
            if any(relation.namespace == oid for relation in self.relations.values()):
                raise DependentObjects(f"cannot drop schema {name} because other objects depend on it")
            gone.add(schemas.pop(name))
        return self._next(schemas=MappingProxyType(schemas), comments=self._comments_without(gone))

    def _rename_schema(self, name: str, to: str) -> Catalog:
        self.schema(name)
        if to in self.schemas:
            raise DuplicateSchema(f'schema "{to}" already exists')
        renamed = {to if known == name else known: oid for known, oid in self.schemas.items()}
        return self._next(schemas=MappingProxyType(renamed))

    def schema(self, name: str) -> int:
        """The oid of a user's schema."""
        found = self.schemas.get(name)
        if found is None:
            raise UndefinedSchema(f'schema "{name}" does not exist')
        return found

    def free_name(self, namespace: int, label: str, qualified: str) -> str:
        """A name that no relation has, for one to be created."""
        name = label if namespace == PUBLIC else qualified
        number = 1
        while name in self.relations:
            number += 1
            name = f"{qualified}#{number}"
        return name

    def schema_name(self, oid: int) -> str:
        if oid > TEMPORARY_SCHEMAS:
            return f"{TEMPORARY}{oid - TEMPORARY_SCHEMAS}"
        return next(name for name, known in self.schemas.items() if known == oid)

    @cached_property
    def is_renamed(self) -> bool:
        """Whether a relation of ``public`` has another name than SQL calls it by."""
        return any(relation.label and relation.namespace == PUBLIC for relation in self.relations.values())

    def _comment(self, command: Comment) -> Catalog:
        comments = dict(self.comments)
        comments.pop((command.oid, command.column), None)
        if command.text:
            comments[command.oid, command.column] = command.text
        return self._next(comments=MappingProxyType(comments))

    def _comments_without(self, gone: set[int]) -> Mapping[tuple[int, str], str]:
        """Those that are not on dropped objects, nor on what came with them."""
        kept = {key: text for key, text in self.comments.items() if key[0] % OIDS_OF_A_RELATION not in gone}
        return MappingProxyType(kept)

    # -- functions -----------------------------------------------------------------------------

    def function(self, name: str, types: tuple[str, ...]) -> Function | None:
        """The one with this name that takes exactly these types."""
        return next((f for f in self.functions.values() if f.name == name and f.types == types), None)

    def _create_function(self, function: Function) -> Catalog:
        known = self.function(function.name, function.types)
        oid = self.next_oid if known is None else known.oid
        functions = MappingProxyType({**self.functions, oid: replace(function, oid=oid)})
        return self._next(next_oid=self.next_oid + (known is None), functions=functions)

    def _drop_functions(self, oids: Iterable[int]) -> Catalog:
        """Raises 2BP01 when something still calls one of them."""
        gone = set(oids)
        for oid in gone:
            users = function_users(self, oid)
            if any(isinstance(user, Relation) or user.oid not in gone for user in users):
                shown = self.functions[oid].shown
                raise DependentObjects(f"cannot drop function {shown} because other objects depend on it")
        kept = MappingProxyType({oid: f for oid, f in self.functions.items() if oid not in gone})
        return self._next(functions=kept, comments=self._comments_without(gone))

    # -- types ---------------------------------------------------------------------------------

    def type_named(self, name: str) -> UserType | None:
        return next((kind for kind in self.types.values() if kind.name == name), None)

    def _create_type(self, kind: UserType) -> Catalog:
        self._check_type_name(kind.name)
        made = {**self.types, self.next_oid: replace(kind, oid=self.next_oid)}
        return self._next(next_oid=self.next_oid + 1, types=MappingProxyType(made))

    def _check_type_name(self, name: str) -> None:
        """A relation has a type of its rows, of the same name."""
        if self.type_named(name) is not None or (PUBLIC, name) in self.by_place:
            raise DuplicateObject(f'type "{name}" already exists')

    def _alter_type(self, kind: UserType) -> Catalog:
        before = self._type(kind.oid)
        if kind.name != before.name:
            self._check_type_name(kind.name)
        if type_users(self, [kind.oid]):
            raise DependentObjects(f"cannot alter type {quoted(before.name)} because other objects depend on it")
        return self._next(types=MappingProxyType({**self.types, kind.oid: kind}))

    def _drop_types(self, oids: Iterable[int]) -> Catalog:
        gone = set(oids)
        for user in type_users(self, gone):
            if isinstance(user, Relation) or user.oid not in gone:
                name = quoted(self._type(next(iter(gone))).name)
                raise DependentObjects(f"cannot drop type {name} because other objects depend on it")
        kept = MappingProxyType({oid: kind for oid, kind in self.types.items() if oid not in gone})
        return self._next(types=kept, comments=self._comments_without(gone))

    def _type(self, oid: int) -> UserType:
        found = self.types.get(oid)
        if found is None:
            raise UndefinedObject(f"type with oid {oid} does not exist")
        return found

    # -- dependencies --------------------------------------------------------------------------

    def dependants(self, name: str) -> list[str]:
        """Whatever is computed from it, side outputs and its next version aside."""
        found: list[str] = []
        self._collect(name, found)
        return [n for n in found if n != name and self.relations[n].owner not in found]

    def to_drop(self, names: Iterable[str], *, cascade: bool, name_of: NameOf = _label) -> tuple[str, ...]:
        """``names`` with their side outputs and, under CASCADE, their dependants; dependants first.

        Raises 2BP01 naming the dependants without CASCADE.
        """
        asked = list(names)
        found: list[str] = []
        for name in asked:
            self._collect(name, found)
        blocking = [n for n in found if n not in asked and self.relations[n].owner not in found]
        if blocking and not cascade:
            what = f"cannot drop {self.relations[asked[0]].kind} {name_of(self.relations[asked[0]])}"
            raise self._blocked("cannot drop desired object(s)" if len(asked) > 1 else what, blocking, found, name_of)
        return tuple(found)

    def cascaded(self, asked: Iterable[str], found: Iterable[str], name_of: NameOf = _label) -> list[str]:
        """What CASCADE drops beyond what was asked for, as messages name it, in the order it was made."""
        gone, named = set(found), set(asked)
        more = [self.relations[n] for n in gone - named if self.relations[n].owner not in gone]
        return [f"{r.kind} {name_of(r)}" for r in sorted(more, key=lambda relation: relation.oid)]

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

    def _blocked(
        self, what: str, dependants: list[str], gone: Iterable[str], name_of: NameOf = _label
    ) -> DependentObjects:
        """2BP01; each dependant is told with the one of ``gone`` that it depends on."""
        lines, missing = [], set(gone)
        for relation in sorted((self.relations[n] for n in dependants), key=lambda relation: relation.oid):
            base = self.relations[next(n for n in relation.depends_on if n in missing)]
            lines.append(f"{relation.kind} {name_of(relation)} depends on {base.kind} {name_of(base)}")
        objects = "them" if what.endswith("(s)") else "it"
        return DependentObjects(
            f"{what} because other objects depend on {objects}",
            detail="\n".join(lines),
            hint="Use DROP ... CASCADE to drop the dependent objects too.",
        )


def function_users(catalog: Catalog, oid: int) -> list[Relation | Function]:
    """What calls a function directly, in the order it was made."""
    callers: list[Relation | Function] = [f for f in catalog.functions.values() if oid in f.functions]
    callers += [r for r in catalog.relations.values() if oid in r.functions]
    return sorted(callers, key=lambda caller: caller.oid)


def type_users(catalog: Catalog, oids: Iterable[int]) -> list[Relation | UserType]:
    """What has a column or a field of one of these types, or names it in its query, in the order it was made."""
    gone = set(oids)

    def uses(kinds: Iterable[SqlType]) -> bool:
        return any(part.oid in gone for kind in kinds for part in parts_of(kind))

    found: list[Relation | UserType] = [
        kind for oid, kind in catalog.types.items() if oid not in gone and uses([kind.sql_type])
    ]
    found += [
        relation
        for relation in catalog.relations.values()
        if gone.intersection(relation.types) or uses(of_field(field) for field in relation.schema)
    ]
    return sorted(found, key=lambda user: user.oid)


def _in_order(relations: Mapping[str, Relation]) -> dict[str, Relation]:
    """Each behind its side outputs and what it reads; else as they were."""
    ordered: dict[str, Relation] = {}
    sides: dict[str, list[str]] = {}
    for relation in relations.values():
        if relation.kind == "side output" and relation.owner is not None:
            sides.setdefault(relation.owner, []).append(relation.name)

    def put(name: str) -> None:
        if name in relations and name not in ordered:
            for before in (*sides.get(name, ()), *relations[name].depends_on):
                put(before)
            ordered[name] = relations[name]

    for name in relations:
        put(name)
    return ordered


def _numbered(relation: Relation, next_oid: int) -> tuple[Relation, int]:
    """The relation with oids for those of its constraints that have none yet, and the next oid."""
    checks, uniques = [], []
    for check in relation.checks:
        checks.append(check if check.oid else replace(check, oid=next_oid))
        next_oid += not check.oid
    for unique in relation.uniques:
        uniques.append(unique if unique.oid else replace(unique, oid=next_oid))
        next_oid += 0 if unique.oid else 2
    indexes = []
    for index in relation.indexes:
        indexes.append(index if index.oid else replace(index, oid=next_oid))
        next_oid += not index.oid
    return replace(relation, checks=tuple(checks), uniques=tuple(uniques), indexes=tuple(indexes)), next_oid


def _followed(
    comments: dict[tuple[int, str], str], before: Relation, after: Relation, sources: tuple[int, ...] | None
) -> dict[tuple[int, str], str]:
    """Comments on columns and constraints go where these go."""
    gone = set(before.constraint_oids) - set(after.constraint_oids)
    no_key = bool(before.primary_key) and not after.primary_key
    found = {}
    for (oid, column), text in comments.items():
        part = oid != before.oid and oid % OIDS_OF_A_RELATION == before.oid
        if oid in gone or (part and no_key):
            continue
        if oid == before.oid and column and sources is not None:
            place = before.schema.get_field_index(column)
            if place not in sources:
                continue
            column = after.schema.field(sources.index(place)).name
        found[oid, column] = text
    return found
