"""Names of relations as statements say them: ``[[database.]schema.]name``."""

from __future__ import annotations

from dataclasses import dataclass

from constellationdb.errors import FeatureNotSupported, SqlSyntaxError
from constellationdb.planner.references import reference

_DATABASES = frozenset(("constellation", "postgres"))


@dataclass(frozen=True, slots=True)
class Name:
    """As written; ``position`` is where it begins."""

    parts: tuple[str, ...]
    position: int

    @property
    def reference(self) -> str:
        """As ``planner.references`` reads it. The database is this one."""
        return reference(*self._split())

    @property
    def label(self) -> str:
        """The name alone."""
        return self.parts[-1]

    def _split(self) -> tuple[str | None, str]:
        if len(self.parts) > 3:
            raise SqlSyntaxError(
                f"improper relation name (too many dotted names): {'.'.join(self.parts)}", position=self.position + 1
            )
        if len(self.parts) == 3 and self.parts[0] not in _DATABASES:
            raise FeatureNotSupported(
                f'cross-database references are not implemented: "{".".join(self.parts)}"', position=self.position + 1
            )
        return (None, self.parts[0]) if len(self.parts) == 1 else (self.parts[-2], self.parts[-1])


def of_strings(parts: tuple[object, ...], position: int) -> Name:
    """From the String nodes of a parse tree."""
    return Name(tuple(str(part.sval) for part in parts), position)  # type: ignore[attr-defined]


def of_range_var(node: object, base: int) -> Name:
    """From a RangeVar of a parse tree whose text begins at ``base``."""
    fields = (getattr(node, field) for field in ("catalogname", "schemaname", "relname"))
    return Name(tuple(str(field) for field in fields if field), base + int(node.location))  # type: ignore[attr-defined]
