"""The constraints of a definition: CHECK, UNIQUE, PRIMARY KEY, GENERATED and what a column's are together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pglast import ast

from constellationdb.errors import ConstellationError, FeatureNotSupported, SqlSyntaxError
from constellationdb.planner.statements import CheckDef, UniqueDef
from constellationdb.planner.syntax.tokens import Region

_REFUSED = {
    "CONSTR_CHECK": "a CHECK constraint",
    "CONSTR_UNIQUE": "a UNIQUE constraint",
    "CONSTR_EXCLUSION": "an EXCLUDE constraint",
    "CONSTR_FOREIGN": "a REFERENCES constraint",
    "CONSTR_GENERATED": "a GENERATED column",
    "CONSTR_IDENTITY": "a GENERATED AS IDENTITY column",
    "CONSTR_ATTR_DEFERRABLE": "a DEFERRABLE constraint",
    "CONSTR_ATTR_DEFERRED": "a DEFERRABLE constraint",
}
# What a stored table enforces.
ENFORCED = frozenset(("CONSTR_CHECK", "CONSTR_UNIQUE", "CONSTR_GENERATED", "CONSTR_IDENTITY"))
_ONE_VALUE = (
    ("CONSTR_DEFAULT", "CONSTR_IDENTITY", "both default and identity specified"),
    ("CONSTR_DEFAULT", "CONSTR_GENERATED", "both default and generation expression specified"),
    ("CONSTR_IDENTITY", "CONSTR_GENERATED", "both identity and generation expression specified"),
)


def constraints_of(element: Any) -> Iterable[Any]:
    """Those of a column, or the one that an element of the table is."""
    if isinstance(element, ast.Constraint):
        return (element,)
    return getattr(element, "constraints", None) or ()


def refuse_constraints(region: Region, elements: Iterable[Any], enforced: frozenset[str] = frozenset()) -> None:
    """0A000 for what is not enforced: better than to accept it and let it be broken."""
    for element in elements:
        for constraint in constraints_of(element):
            kind = constraint.contype.name
            what = None if kind in enforced else _REFUSED.get(kind)
            what = what or _refused_of_key(constraint)
            if what is not None:
                raise FeatureNotSupported(f"{what} is not supported", position=region.start + constraint.location + 1)


def _refused_of_key(constraint: Any) -> str | None:
    if constraint.deferrable or constraint.initdeferred:
        return "a DEFERRABLE constraint"
    if constraint.including:
        return "INCLUDE in a constraint"
    if getattr(constraint, "nulls_not_distinct", False):
        return "NULLS NOT DISTINCT"
    return "a constraint USING INDEX" if constraint.indexname else None


def check_column(region: Region, element: Any, table: str) -> None:
    """42601 for a column that says two things of one."""
    kinds = [constraint.contype.name for constraint in constraints_of(element)]
    where = f'for column "{element.colname}" of table "{table}"'
    for one, other, message in _ONE_VALUE:
        if one in kinds and other in kinds:
            raise _syntax(region, element, f"{message} {where}")
    if kinds.count("CONSTR_DEFAULT") > 1:
        raise _syntax(region, element, f"multiple default values specified {where}")
    if kinds.count("CONSTR_IDENTITY") > 1:
        raise _syntax(region, element, f"multiple identity specifications {where}")
    if kinds.count("CONSTR_GENERATED") > 1:
        raise _syntax(region, element, f"multiple generation clauses specified {where}")
    if "CONSTR_NULL" in kinds and {"CONSTR_NOTNULL", "CONSTR_IDENTITY", "CONSTR_PRIMARY"} & set(kinds):
        raise _syntax(region, element, f"conflicting NULL/NOT NULL declarations {where}")


def _syntax(region: Region, element: Any, message: str) -> ConstellationError:
    found = list(constraints_of(element))
    return SqlSyntaxError(message, position=region.start + found[-1].location + 1)


def checks(region: Region, element: Any) -> Iterator[CheckDef]:
    for constraint in constraints_of(element):
        if constraint.contype.name == "CONSTR_CHECK":
            position = region.start + constraint.location
            text, begin = bracketed(region, position)
            yield CheckDef(constraint.conname, text, position, begin)


def uniques(region: Region, element: Any) -> Iterator[UniqueDef]:
    for constraint in constraints_of(element):
        if constraint.contype.name == "CONSTR_UNIQUE":
            columns = tuple(key.sval for key in constraint.keys or ()) or (element.colname,)
            yield UniqueDef(constraint.conname, columns, region.start + constraint.location)


def bracketed(region: Region, position: int) -> tuple[str, int]:
    """The text within the first brackets from ``position`` on, and where it begins."""
    tokens = region.source.tokens
    index = next(i for i in range(region.lo, region.hi) if tokens[i].start >= position and tokens[i].word == "(")
    inside = region.of(index + 1, region.source.matching(index, region.hi))
    return inside.text, inside.start
