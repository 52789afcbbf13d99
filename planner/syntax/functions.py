"""CREATE FUNCTION, DROP FUNCTION, and why there is no DO."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Literal, cast

import pglast
from pglast import ast
from pglast.parser import ParseError
from pglast.stream import RawStream

from constellationdb.catalog.types import SqlType
from constellationdb.errors import (
    FeatureNotSupported,
    InvalidFunctionDefinition,
    SqlSyntaxError,
    UndefinedObject,
)
from constellationdb.planner.statements import CreateFunction, DropFunction, ParameterDef, Query, Statement
from constellationdb.planner.syntax import postgres
from constellationdb.planner.syntax.asof import asof_at
from constellationdb.planner.syntax.columns import read_type
from constellationdb.planner.syntax.names import of_strings
from constellationdb.planner.syntax.tokens import Region, read_tokens

_LANGUAGES = {"sql": "sql", "python": "python", "plpython3u": "python"}
_PROCEDURAL = "a function is in SQL, a single SELECT or RETURN, or in Python"
_IGNORED = frozenset({"parallel", "cost", "rows", "leakproof", "security"})  # hints, and rights that nobody has here
_INPUTS = ("FUNC_PARAM_IN", "FUNC_PARAM_DEFAULT")


def create_function(region: Region) -> Statement:
    _refuse_block(region)
    _refuse_asof(region)
    node = postgres.tree(region)
    options = _options(region, node)
    language = _language(region, options, node)
    given = [p for p in node.parameters or () if p.mode.name != "FUNC_PARAM_TABLE"]
    columns = [p for p in node.parameters or () if p.mode.name == "FUNC_PARAM_TABLE"]
    parameters = tuple(_parameter(region, parameter) for parameter in given)
    _check_parameters(parameters)
    if node.returnType is None:
        raise InvalidFunctionDefinition("function result type must be specified")
    source = _source(region, node, options)
    return CreateFunction(
        region.text,
        region.start,
        name=_name(node.funcname, region),
        takes=parameters,
        returns=None if columns else _type(region, node.returnType),
        columns=tuple(_parameter(region, column) for column in columns),
        rows=bool(node.returnType.setof),
        language=language,
        source=source,
        query=_query(source) if language == "sql" else None,
        volatility=options["volatility"].sval if "volatility" in options else "volatile",
        strict="strict" in options and bool(options["strict"].boolval),
        or_replace=bool(node.replace),
    )


def _refuse_block(region: Region) -> None:
    """A body between BEGIN ATOMIC and END, whose semicolons do not end the statement."""
    words = [token.word for token in region.source.tokens[region.lo : region.hi]]
    if ("begin", "atomic") in pairwise(words):
        raise FeatureNotSupported(
            "CREATE FUNCTION with BEGIN ATOMIC is not supported", hint=_PROCEDURAL, position=region.start + 1
        )


def _refuse_asof(region: Region) -> None:
    """A body is read as Postgres reads it, where ASOF would be an alias."""
    tokens = region.source.tokens
    for index in range(region.lo, region.hi):
        if tokens[index].word == "asof" and asof_at(region, index) is not None:
            raise FeatureNotSupported("ASOF JOIN in the body of a function is not supported")


def _name(parts: Any, region: Region) -> str:
    name = of_strings(parts, region.start)
    if len(name.parts) > 1 and name.parts[-2] != "public":
        raise FeatureNotSupported(
            "a function in another schema than public is not supported", position=region.start + 1
        )
    return name.label


def _options(region: Region, node: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for option in node.options or ():
        position = region.start + option.location + 1
        if option.defname in found:
            raise SqlSyntaxError("conflicting or redundant options", position=position)
        if option.defname not in ("language", "volatility", "strict", "as", *_IGNORED):
            what = "WINDOW" if option.defname == "window" else option.defname.upper()
            raise FeatureNotSupported(f"{what} of a function is not supported", position=position)
        found[option.defname] = option.arg
    return found


def _language(region: Region, options: dict[str, Any], node: Any) -> Literal["sql", "python"]:
    if "language" not in options:
        if node.sql_body is None:
            raise InvalidFunctionDefinition("no language specified")
        return "sql"
    name = options["language"].sval.lower()
    if name in ("plpgsql", "c", "internal"):
        raise FeatureNotSupported(f"language {name} is not supported", hint=_PROCEDURAL, position=region.start + 1)
    if name not in _LANGUAGES:
        raise UndefinedObject(f'language "{name}" does not exist')
    if node.sql_body is not None and name != "sql":
        raise InvalidFunctionDefinition("inline SQL function body only valid for language SQL")
    return cast('Literal["sql", "python"]', _LANGUAGES[name])


def _parameter(region: Region, node: Any) -> ParameterDef:
    if node.mode.name not in (*_INPUTS, "FUNC_PARAM_TABLE"):
        mode = {"FUNC_PARAM_VARIADIC": "VARIADIC"}.get(node.mode.name, "OUT")
        raise FeatureNotSupported(f"{mode} parameters are not supported", position=region.start + node.location + 1)
    kind = _type(region, node.argType)
    return ParameterDef(node.name or "", kind, None if node.defexpr is None else _printed(node.defexpr))


def _type(region: Region, node: Any) -> SqlType:
    try:
        return read_type(node, region.start)
    except UndefinedObject:
        raise UndefinedObject(f"type {node.names[-1].sval} does not exist") from None


def _check_parameters(parameters: tuple[ParameterDef, ...]) -> None:
    names = [parameter.name for parameter in parameters if parameter.name]
    for name in names:
        if names.count(name) > 1:
            raise InvalidFunctionDefinition(f'parameter name "{name}" used more than once')
    optional = [parameter.default is not None for parameter in parameters]
    if optional != sorted(optional):
        raise InvalidFunctionDefinition("input parameters after one with a default value must also have defaults")


def _source(region: Region, node: Any, options: dict[str, Any]) -> str:
    if node.sql_body is not None:
        if "as" in options:
            raise InvalidFunctionDefinition("duplicate function body specified")
        if not isinstance(node.sql_body, ast.ReturnStmt):
            raise FeatureNotSupported("this body is not supported", hint=_PROCEDURAL, position=region.start + 1)
        return f"SELECT {_printed(node.sql_body.returnval)}"
    if "as" not in options:
        raise InvalidFunctionDefinition("no function body specified")
    return str(options["as"][0].sval)


def _query(source: str) -> Query:
    """The one SELECT that a body in SQL is."""
    try:
        statements = pglast.parse_sql(source)
    except ParseError as error:
        raise SqlSyntaxError(str(error.args[0])) from None
    if len(statements) != 1 or not isinstance(statements[0].stmt, ast.SelectStmt) or statements[0].stmt.intoClause:
        raise FeatureNotSupported("a function in SQL must be a single SELECT")
    text = read_tokens(source)
    _refuse_asof(Region(text, 0, len(text.tokens)))
    return Query(source.strip().rstrip(";"))


def drop_function(region: Region) -> Statement:
    node = postgres.tree(region)
    functions = []
    for named in node.objects:
        types = None
        if not named.args_unspecified:
            types = tuple(read_type(kind, region.start).name for kind in named.objargs or ())
        functions.append((_name(named.objname, region), types))
    cascade = node.behavior.name == "DROP_CASCADE"
    what = {"OBJECT_AGGREGATE": "aggregate", "OBJECT_ROUTINE": "routine"}.get(node.removeType.name, "function")
    return DropFunction(region.text, region.start, tuple(functions), bool(node.missing_ok), cascade, what)


def do(region: Region) -> Statement:
    postgres.check(region)
    raise FeatureNotSupported(
        "DO is not supported: there is no procedural language",
        hint="Send the statements one by one, in a transaction.",
        position=region.start + 1,
    )


def _printed(node: Any) -> str:
    text: str = RawStream()(node)
    return text
