"""What names of relations mean to one session: its search path over the schemas there are.

t      the first schema of the path that has one: pg_temp, pg_catalog, then those of ``search_path``
s.t    the one in s
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from constellationdb.catalog.catalog import Catalog
from constellationdb.catalog.model import PUBLIC, TEMPORARY, TEMPORARY_SCHEMAS, Relation
from constellationdb.engine.pg_catalog import lookup
from constellationdb.engine.pg_catalog.names import qualified
from constellationdb.engine.pg_catalog.set_functions import is_system
from constellationdb.errors import (
    ConstellationError,
    InsufficientPrivilege,
    InvalidDefinition,
    UndefinedRelation,
    UndefinedSchema,
)
from constellationdb.planner.references import NOWHERE, reference, split

if TYPE_CHECKING:
    from constellationdb.engine.pg_catalog.objects import Index
    from constellationdb.engine.session import Session

PG_CATALOG = 11
_OWN = "pg_temp"  # what a session calls its own temporary schema
_DEFAULT = '"$user", public'
_LISTED = re.compile(r'"((?:[^"]|"")*)"|([^\s,"]+)')


@dataclass(frozen=True)
class Path:
    """Schemas by oid: those that are listed and there, and all that are searched."""

    listed: tuple[int, ...]
    searched: tuple[int, ...]


@dataclass(frozen=True)
class Place:
    """Where a relation is to be created. ``name``: what the catalog shall call it; that of ``existing``, if it is."""

    namespace: int
    label: str
    name: str
    existing: Relation | None

    @property
    def other_label(self) -> str:
        """As a relation has it: empty where it is the name."""
        return "" if self.label == self.name else self.label

    @property
    def is_temporary(self) -> bool:
        return self.namespace > TEMPORARY_SCHEMAS


class Names:
    def __init__(self, session: Session) -> None:
        self._session = session
        self._own = TEMPORARY_SCHEMAS + session.pid
        self._known: tuple[Catalog, str, bool, Path] | None = None

    @property
    def plain(self) -> bool:
        """Whether every name means what it says: nobody has made another schema or name, nor another path."""
        session = self._session
        schemas = session.catalog.schemas
        if session.temporary.used or len(schemas) != 1 or schemas.get("public") != PUBLIC:
            return False
        return not session.catalog.is_renamed and session.settings.get("search_path") == _DEFAULT

    @property
    def path(self) -> Path:
        session = self._session
        catalog, text, used = session.catalog, session.settings.get("search_path"), session.temporary.used
        known = self._known
        if known is None or known[0] is not catalog or known[1:3] != (text, used):
            known = self._known = (catalog, text, used, self._read(text))
        return known[3]

    def _read(self, text: str) -> Path:
        names = [bare.lower() or quoted.replace('""', '"') for quoted, bare in _LISTED.findall(text)]
        found = [self._of_user() if name == "$user" else self.schema(name) for name in names]
        listed = tuple(dict.fromkeys(oid for oid in found if oid is not None))
        if not self._session.temporary.used:
            listed = tuple(oid for oid in listed if oid != self._own)
            implicit = [PG_CATALOG]
        else:
            implicit = [self._own, PG_CATALOG]
        return Path(listed, (*(oid for oid in implicit if oid not in listed), *listed))

    def _of_user(self) -> int | None:
        """Not a system schema that happens to have the user's name."""
        return self._session.catalog.schemas.get(self._session.user)

    def schema(self, name: str) -> int | None:
        """A schema's oid."""
        if name == _OWN:
            return self._own
        known = self._session.catalog.schemas.get(name)
        if known is not None:
            return known
        if name.startswith(TEMPORARY) and name.removeprefix(TEMPORARY).isdecimal():
            return TEMPORARY_SCHEMAS + int(name.removeprefix(TEMPORARY))
        return lookup.system_schemas().get(name)

    def shown_schema(self, oid: int) -> str:
        return self._session.objects.schema_name(oid)

    # -- what there is -------------------------------------------------------------------------

    def find(self, said: str) -> str:
        """The name in the catalog of the relation that a reference means; NOWHERE when there is none."""
        schema, name = split(said)
        if schema is None:
            return next((found for oid in self.path.searched if (found := self._in(oid, name))), NOWHERE)
        oid = self.schema(schema)
        return NOWHERE if oid is None else self._in(oid, name)

    def _in(self, oid: int, name: str) -> str:
        found = self._session.catalog.by_place.get((oid, name))
        if found is not None:
            return found.name
        schema = lookup.namespaces().get(oid)
        return f"{schema}.{name}" if schema is not None and is_system(f"{schema}.{name}") else NOWHERE

    def relation(self, said: str, position: int | None = None) -> Relation:
        """A user's relation."""
        found = self._session.catalog.relations.get(self.find(said))
        if found is None:
            raise UndefinedRelation(f'relation "{said}" does not exist', position=position)
        return found

    def missing(self, said: str) -> ConstellationError:
        """What ALTER and DROP say of what there is not."""
        schema = split(said)[0]
        if schema is not None and self.schema(schema) is None:
            return UndefinedSchema(f'schema "{schema}" does not exist')
        return UndefinedRelation(f'relation "{said}" does not exist')

    def index(self, said: str) -> Index | None:
        """An index, whether of a user's table or of a system one."""
        schema, name = split(said)
        places = self.path.searched if schema is None else (self.schema(schema) or 0,)
        found = (self._session.objects.indexes_by_name.get((place, name)) for place in places)
        return next((index for index in found if index is not None), None)

    def sees(self, relation: Relation) -> bool:
        """Whether its label alone finds it."""
        return self.find(reference(None, relation.shown)) == relation.name

    def shown(self, relation: Relation) -> str:
        """Its name in messages: with its schema, where that must be said."""
        return qualified(self.shown_schema(relation.namespace), relation.shown, visible=self.sees(relation))

    # -- what there shall be -------------------------------------------------------------------

    def place(self, said: str, position: int | None, *, temporary: bool = False) -> Place:
        """Where CREATE puts what it calls so."""
        schema, label = split(said)
        namespace = self._namespace(schema, label, position, temporary=temporary)
        return self.beside(namespace, label)

    def beside(self, namespace: int, label: str) -> Place:
        """In a schema that is known."""
        catalog = self._session.catalog
        existing = catalog.by_place.get((namespace, label))
        if existing is not None:
            return Place(namespace, label, existing.name, existing)
        return Place(namespace, label, catalog.free_name(namespace, label, self._qualified(namespace, label)), None)

    def _qualified(self, namespace: int, label: str) -> str:
        if namespace == self._own:
            return f"{TEMPORARY}{self._session.pid}.{label}"
        schemas = self._session.catalog.schemas
        return f"{next(name for name, oid in schemas.items() if oid == namespace)}.{label}"

    def _namespace(self, schema: str | None, label: str, position: int | None, *, temporary: bool) -> int:
        if schema is None and temporary:
            return self._own
        if schema is None:
            listed = self._listed_to_create()
            if not listed:
                raise UndefinedSchema("no schema has been selected to create in", position=position)
            namespace = listed[0]
        else:
            found = self.schema(schema)
            if found is None:
                raise UndefinedSchema(f'schema "{schema}" does not exist', position=position)
            namespace = found
        if temporary and namespace != self._own:
            raise InvalidDefinition("cannot create temporary relation in non-temporary schema", position=position)
        if namespace > TEMPORARY_SCHEMAS and namespace != self._own:
            raise InvalidDefinition("cannot create relations in temporary schemas of other sessions", position=position)
        if namespace != self._own and namespace not in self._session.catalog.schemas.values():
            raise InsufficientPrivilege(
                f'permission denied to create "{self.shown_schema(namespace)}.{label}"',
                detail="System catalog modifications are currently disallowed.",
            )
        return namespace

    def _listed_to_create(self) -> tuple[int, ...]:
        """pg_temp counts where it is listed first, even before there is anything in it."""
        if self._session.settings.get("search_path").lstrip().lower().startswith(_OWN):
            return (self._own,)
        return self.path.listed
