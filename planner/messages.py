"""DataFusion's planning errors as Postgres would say them, with the position in the user's text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pglast import ast

from constellationdb import errors
from constellationdb.planner.analysis.overloads import NO_FUNCTION
from constellationdb.planner.functions import translate
from constellationdb.planner.panics import contained
from constellationdb.planner.rewrite.tree import last_name, nodes, strings

_NO_FIELD = re.compile(r"No field named (.+?)(?:\.\s|\. Valid|\.$|$)")
_AMBIGUOUS = re.compile(r"Ambiguous reference to unqualified field (\S+)|ambiguous.*?(?:name|field) \"?(\w+)")
_NO_FUNCTION = re.compile(r"(?:Invalid|table) function '(?:pg_catalog\.)?(\w+)'")
_NO_MATCH = re.compile(
    r"(?:Failed to coerce arguments|does not support|No function matches|Function '?(\w+)'? expects)"
)
_GROUPING = re.compile(r'column "([^"]+)" must appear in the GROUP BY')
_CALLED = re.compile(r"'(\w+)\([^']*\)'|Function '(\w+)'")
_SAID: tuple[tuple[re.Pattern[str], type[errors.ConstellationError], str], ...] = (
    (re.compile(r"For SELECT DISTINCT, ORDER BY"), errors.InvalidColumnReference,
     "for SELECT DISTINCT, ORDER BY expressions must appear in select list"),
    (re.compile(r"SELECT DISTINCT ON expressions must match"), errors.InvalidColumnReference,
     "SELECT DISTINCT ON expressions must match initial ORDER BY expressions"),
    (re.compile(r"HAVING clause references"), errors.GroupingError,
     "every column of HAVING must appear in the GROUP BY clause or be used in an aggregate function"),
    (re.compile(r"Invalid function 'pg_catalog.*overlaps"), errors.FeatureNotSupported, "OVERLAPS is not supported"),
)  # fmt: skip
_DUPLICATE = re.compile(r"duplicate (?:unqualified|qualified) field name|unique expression names")
_TWO_MARKS = re.compile(r"(?:duplicate|ambiguous)?.*field name (?:\w+\.)?mark\b")
_CORRELATED = re.compile(
    r"No field named (?:__in|__any|__all)\.|__correlated_sq_\d+|__scalar_sq_\d+|decorrelate_\w+' failed"
    r"|Optimizer rule '\w+_to_join' failed[\s\S]*(?:No field named|does not support logical expression)"
)
_RANGE = re.compile(r"Cannot run range queries on datatype")
_TYPES = re.compile(
    r"Cannot (?:coerce|infer)|[Cc]annot be coerced|Can't compare|Cannot compare|incompatible|to be coerced"
)
_UNPLANNED = re.compile(r"[Nn]ot ?[Ii]mplemented|[Uu]nsupported|not yet implemented|feature is not")


@contextmanager
def planning(tree: Any, offset: int, signatures: Mapping[int, str] | None = None) -> Iterator[None]:
    """Turn what DataFusion raises inside into a ConstellationError with a position from ``tree``."""
    try:
        with contained():
            yield
    except errors.ConstellationError:
        raise
    except Exception as error:
        raise _translated(str(error), tree, offset, signatures or {}) from error


def _translated(text: str, tree: Any, offset: int, signatures: Mapping[int, str]) -> errors.ConstellationError:
    if _CORRELATED.search(text):
        return errors.FeatureNotSupported(
            "this correlated subquery is not supported", hint="write it as a join, or with EXISTS", detail=_short(text)
        )
    if found := _NO_FIELD.search(text):
        return _no_column(found.group(1), tree, offset)
    if found := _AMBIGUOUS.search(text):
        name = (found.group(1) or found.group(2)).strip("'\".")
        return errors.AmbiguousColumn(f'column reference "{name}" is ambiguous', position=_column(tree, name, offset))
    if found := _NO_FUNCTION.search(text):
        return _no_function(found.group(1), tree, offset, signatures)
    if found := _GROUPING.search(text):
        column = found.group(1)
        return errors.GroupingError(
            f'column "{column}" must appear in the GROUP BY clause or be used in an aggregate function',
            position=_column(tree, column.split(".")[-1], offset),
        )
    for pattern, kind, message in _SAID:
        if pattern.search(text):
            return kind(message)
    if "'array_has'" in text:  # see analysis.forms.in_value
        return errors.FeatureNotSupported(
            "IN (SELECT …) as a value is not supported between these types", hint="cast both sides to the same type"
        )
    if _RANGE.search(text):
        return errors.FeatureNotSupported("OVER (ORDER BY …) of this type is not supported", detail=_short(text))
    if _TWO_MARKS.search(text):
        return errors.FeatureNotSupported(
            "several subqueries under OR, NOT or CASE are not supported in one query",
            hint="join conditions with subqueries by AND, or give each a view of its own",
        )
    if _DUPLICATE.search(text):
        return errors.DuplicateColumn("a column name is used more than once", detail=_short(text))
    if _NO_MATCH.search(text):
        called = _CALLED.search(text)
        if (
            called is not None
            and (missing := _no_function(called.group(1) or called.group(2), tree, offset, signatures)).position
        ):
            return missing
        return errors.UndefinedFunction("no function or operator matches these argument types", detail=_short(text))
    if _TYPES.search(text):
        return errors.DatatypeMismatch("the types of an expression cannot be matched", detail=_short(text))
    if _UNPLANNED.search(text):
        return errors.FeatureNotSupported("this query form is not supported", detail=_short(text))
    computed = translate(ValueError(text))
    return (
        computed
        if type(computed) is not errors.DataException
        else errors.FeatureNotSupported("this query form is not supported", detail=_short(text))
    )


def _short(text: str) -> str:
    return text.splitlines()[0][:300]


def _no_column(shown: str, tree: Any, offset: int) -> errors.ConstellationError:
    parts = [part.strip('"') for part in shown.split(".")]
    position = _column(tree, parts[-1], offset)
    if len(parts) > 1 and not _is_alias(tree, parts[0]):
        return errors.UndefinedRelation(f'missing FROM-clause entry for table "{parts[0]}"', position=position)
    return errors.UndefinedColumn(f"column {_quoted(parts)} does not exist", position=position)


def _quoted(parts: list[str]) -> str:
    return f'"{parts[0]}"' if len(parts) == 1 else ".".join(parts)


def _is_alias(tree: Any, name: str) -> bool:
    return any(isinstance(node, ast.Alias) and node.aliasname == name for node in nodes(tree))


def _column(tree: Any, name: str, offset: int) -> int | None:
    for node in nodes(tree):
        if isinstance(node, ast.ColumnRef) and strings(node)[-1:] == [name] and node.location is not None:
            position: int = node.location + offset + 1
            return position
    return None


def _no_function(name: str, tree: Any, offset: int, signatures: Mapping[int, str]) -> errors.ConstellationError:
    for node in nodes(tree):
        if isinstance(node, ast.FuncCall) and last_name(node) == name:
            location = node.location
            shown = signatures.get(location, name) if location is not None else name
            return errors.UndefinedFunction(
                f"function {shown} does not exist",
                hint=NO_FUNCTION,
                position=None if location is None else location + offset + 1,
            )
    return errors.UndefinedFunction(f"function {name} does not exist", hint=NO_FUNCTION)
