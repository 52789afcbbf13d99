"""Names and literals in quotes, and a name taken apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from constellationdb.engine.pg_catalog.functions.base import name_parts
from constellationdb.engine.pg_catalog.names import literal, quoted

if TYPE_CHECKING:
    from constellationdb.engine.session import Session


def _nullable(_: Session, text: str | None) -> str:
    return "NULL" if text is None else literal(text)


def _parts(_: Session, text: str, strict: bool = True) -> list[str]:  # noqa: ARG001
    return name_parts(text)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "parse_ident": _parts,
    "quote_ident": lambda _, text: quoted(text),
    "quote_literal": lambda _, text: literal(text),
    "quote_nullable": _nullable,
}
