"""CREATE SEQUENCE and ALTER SEQUENCE, and the same options where a column has a sequence of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from constellationdb.catalog.types import parse_type
from constellationdb.errors import FeatureNotSupported, InvalidParameter, SqlSyntaxError
from constellationdb.planner.statements import AlterSequence, CreateSequence, Statement
from constellationdb.planner.syntax import postgres
from constellationdb.planner.syntax.names import of_range_var, of_strings
from constellationdb.planner.syntax.tokens import Region

_TYPES = ("smallint", "integer", "bigint")


def create_sequence(region: Region) -> Statement:
    node = postgres.tree(region)
    name = of_range_var(node.sequence, region.start)
    if node.sequence.relpersistence == "u":
        raise FeatureNotSupported("an UNLOGGED sequence is not supported", position=region.start + 1)
    temporary = node.sequence.relpersistence == "t"
    return CreateSequence(
        region.text,
        region.start,
        name.reference,
        sequence_options(node.options or (), region.start),
        bool(node.if_not_exists),
        name.position,
        temporary,
    )


def alter_sequence(region: Region) -> Statement:
    node = postgres.tree(region)
    name = of_range_var(node.sequence, region.start)
    options = sequence_options(node.options or (), region.start)
    return AlterSequence(region.text, region.start, name.reference, options, bool(node.missing_ok), name.position)


def sequence_options(elements: Iterable[Any], base: int) -> Mapping[str, object]:
    """Each option that is said: a number, a bool, a type's name, (table, column); None for NO or the default."""
    found: dict[str, object] = {}
    for element in elements:
        name, position = element.defname, base + element.location + 1
        if name in found:
            raise SqlSyntaxError("conflicting or redundant options", position=position)
        if name in ("logged", "sequence_name"):
            raise FeatureNotSupported(f"option {name} of a sequence is not supported", position=position)
        found[name] = _value(name, element.arg, position)
    return found


def _value(name: str, argument: Any, position: int) -> object:
    if argument is None:
        return None
    match name:
        case "as":
            return _type(argument, position)
        case "cycle":
            return bool(argument.boolval)
        case "owned_by":
            parts = of_strings(argument, position - 1).parts
            if parts == ("none",):
                return ()
            if len(parts) < 2:
                raise SqlSyntaxError("invalid OWNED BY option", hint="Specify OWNED BY table.column or OWNED BY NONE.")
            return of_strings(argument[:-1], position - 1).reference, parts[-1]
        case _:
            return _number(argument)


def _type(node: Any, position: int) -> str:
    name = parse_type(node.names[-1].sval, (), position).name
    if name not in _TYPES:
        raise InvalidParameter("sequence type must be smallint, integer, or bigint")
    return name


def _number(node: Any) -> int:
    """An Integer or, where it is longer, a Float of the parse tree."""
    if hasattr(node, "ival"):
        return int(node.ival or 0)
    return int(node.fval)
