"""Names of relations: every relation of a user lives in schema ``public``, so its name alone is enough."""

from __future__ import annotations

from dataclasses import dataclass

from constellationdb.errors import FeatureNotSupported

_SCHEMA = "public"
_DATABASES = frozenset(("constellation", "postgres"))


@dataclass(frozen=True, slots=True)
class Name:
    """``[[database.]schema.]name`` as written; ``position`` is where it begins."""

    parts: tuple[str, ...]
    position: int

    @property
    def reference(self) -> str:
        """How statements name the relation: bare in ``public``, ``schema.name`` elsewhere."""
        schema, name = self._split()
        return name if schema in ("", _SCHEMA) else f"{schema}.{name}"

    def creation(self, kind: str) -> str:
        """The same for something to be created, which must be in ``public``."""
        schema, name = self._split()
        if schema not in ("", _SCHEMA) and not (schema == "pg_temp" and kind == "table"):
            raise FeatureNotSupported(
                f'{kind} "{name}" cannot be created in schema "{schema}"',
                hint=f'relations live in schema "{_SCHEMA}"; leave the schema out',
                position=self.position + 1,
            )
        return name

    def _split(self) -> tuple[str, str]:
        if len(self.parts) > 3 or (len(self.parts) == 3 and self.parts[0] not in _DATABASES):
            raise FeatureNotSupported(
                f'cross-database references are not implemented: "{".".join(self.parts)}"', position=self.position + 1
            )
        return ("", self.parts[0]) if len(self.parts) == 1 else (self.parts[-2], self.parts[-1])


def of_strings(parts: tuple[object, ...], position: int) -> Name:
    """From the String nodes of a parse tree."""
    return Name(tuple(str(part.sval) for part in parts), position)  # type: ignore[attr-defined]


def of_range_var(node: object, base: int) -> Name:
    """From a RangeVar of a parse tree whose text begins at ``base``."""
    fields = (getattr(node, field) for field in ("catalogname", "schemaname", "relname"))
    return Name(tuple(str(field) for field in fields if field), base + int(node.location))  # type: ignore[attr-defined]
