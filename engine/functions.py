"""CREATE FUNCTION and DROP FUNCTION for a session, and the functions that a program registers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa
from msgspec.structs import replace

from constellationdb.catalog.catalog import Catalog, function_users
from constellationdb.catalog.model import Command, CreateFunction, Drop, DropFunctions, Function, Parameter, Relation
from constellationdb.engine.pg_catalog import lookup
from constellationdb.engine.python import PythonFunction, compiled
from constellationdb.engine.result import Notice, Result
from constellationdb.engine.schemas import cascade_notices
from constellationdb.errors import (
    AmbiguousFunction,
    ConstellationError,
    DependentObjects,
    DuplicateFunction,
    FeatureNotSupported,
    InvalidFunctionDefinition,
    UndefinedFunction,
    WrongObjectType,
)
from constellationdb.planner import python_functions
from constellationdb.planner import statements as st
from constellationdb.planner.analysis import calls, catalog_functions, kinds
from constellationdb.planner.described import query_schema
from constellationdb.planner.inference.functions import FUNCTIONS as SYSTEM_FUNCTIONS
from constellationdb.planner.prepare import relation_names
from constellationdb.planner.relations import FUNCTIONS, PlannedFunctions, functions_among, watched
from constellationdb.planner.syntax.edits import identifier

if TYPE_CHECKING:
    from constellationdb.engine.session import Session

# What is read as something of our own wherever a function may stand.
_OURS = frozenset({"tumble", "hop", "cumulate", "session", "proctime", "range", "changelog"})


def create_function(session: Session, statement: st.CreateFunction) -> Result:
    _check_name(statement.name)
    if statement.language == "python":
        session.engine.python.refuse_sources()
    function = _defined(statement)
    if function.language == "python":
        compiled(function)  # so that what is wrong with it is said now
    known = session.catalog.function(function.name, function.types)
    if known is not None and not statement.or_replace:
        raise DuplicateFunction(f'function "{function.name}" already exists with same argument types')
    if known is not None:
        _check_replaced(session.catalog, known, function)
    if function.language == "sql":
        function = _checked(session, function)
    _submit(session, CreateFunction(function))
    return Result("CREATE FUNCTION")


def register(session: Session, given: PythonFunction) -> None:
    """A function that a program has: defined where the catalog does not know it, done by ``given`` from now on."""
    definition = given.definition
    _check_name(definition.name)
    known = session.catalog.function(definition.name, definition.types)
    session.engine.python.add(given)
    if known is not None and _same(known, definition):
        session.engine.python.bind(known)
        return
    if known is not None:
        _check_replaced(session.catalog, known, definition)
    _submit(session, CreateFunction(definition))


def _same(known: Function, other: Function) -> bool:
    return replace(known, oid=0, internal="", sql="") == replace(other, oid=0, internal="", sql="")


def _check_name(name: str) -> None:
    known = (_OURS, calls.AGGREGATES, SYSTEM_FUNCTIONS, lookup.functions_by_name())
    if name.startswith("con_") or catalog_functions.is_known(name) or any(name in names for names in known):
        raise FeatureNotSupported(f'a function called "{name}", like one of the system\'s, is not supported')


def definition(statement: st.CreateFunction, kind: str = "scalar", *, retracts: bool = False) -> Function:
    """A function in Python without a source, as a program declares it."""
    defined = _defined(statement)
    if kind == "scalar":
        kind = defined.kind
    internal = _internal(kind, statement, retracts=retracts)
    return replace(defined, kind=kind, internal=internal, source="", retracts=retracts)


def _internal(kind: str, statement: st.CreateFunction, *, retracts: bool = False) -> str:
    return python_functions.internal_name(kind, volatile=statement.volatility == "volatile", retracts=retracts)


def _defined(statement: st.CreateFunction) -> Function:
    is_python = statement.language == "python"
    return Function(
        statement.name,
        _parameters(statement.takes),
        "record" if statement.returns is None else kinds.of_sql_type(statement.returns),
        statement.language,
        kind="table" if statement.rows else "scalar",
        columns=_parameters(statement.columns),
        volatility=statement.volatility,
        strict=statement.strict,
        source=statement.source,
        body=b"" if statement.query is None else msgspec.msgpack.encode(statement.query),
        internal=_internal("scalar", statement) if is_python else "",
        tables=() if statement.query is None else tuple(relation_names(statement.query)),
        sql=statement.text,
    )


def _parameters(takes: tuple[st.ParameterDef, ...]) -> tuple[Parameter, ...]:
    return tuple(Parameter(p.name, kinds.of_sql_type(p.type), p.default) for p in takes)


def _checked(session: Session, function: Function) -> Function:
    """With what it calls; its body is planned once, as if it were called."""
    known = functions_among(session.relations)
    others = {} if known is None else dict(known.by_name)
    same = [f for f in others.get(function.name, ()) if f.types != function.types]
    others[function.name] = (*same, function)
    all_of_them = PlannedFunctions("functions", "functions", pa.schema([]), by_name=others)
    relations, called = watched({**session.relations, FUNCTIONS: all_of_them})
    arguments = ", ".join(f"CAST(NULL AS {kind})" for kind in function.types)
    call = f"{identifier(function.name)}({arguments})"
    text = f"SELECT * FROM {call}" if function.kind == "table" else f"SELECT {call}"
    try:
        query_schema(st.Query(text, zone=session.zone), relations, session.functions)
    except ConstellationError as error:
        error.position = None  # it would be one in the body, or in our call
        raise
    return replace(function, functions=tuple(oid for oid in called if oid != 0))


def _check_replaced(catalog: Catalog, known: Function, function: Function) -> None:
    shown = known.shown
    if known.kind != function.kind and "aggregate" in (known.kind, function.kind):
        raise WrongObjectType("cannot change routine kind", detail=f'"{known.name}" is {_a(known.kind)} function.')
    if (known.returns, known.kind, known.columns) != (function.returns, function.kind, function.columns):
        raise InvalidFunctionDefinition(
            "cannot change return type of existing function", hint=f"Use DROP FUNCTION {shown} first."
        )
    for was, becomes in zip(known.parameters, function.parameters, strict=True):
        if was.name and was.name != becomes.name:
            raise InvalidFunctionDefinition(
                f'cannot change name of input parameter "{was.name}"', hint=f"Use DROP FUNCTION {shown} first."
            )
        if was.default is not None and becomes.default is None:
            raise InvalidFunctionDefinition(
                "cannot remove parameter defaults from existing function", hint=f"Use DROP FUNCTION {shown} first."
            )
    stored = [user for user in _users(catalog, [known.oid]) if isinstance(user, Relation) and user.kind != "view"]
    if stored:
        raise DependentObjects(
            f"cannot replace function {shown} because other objects depend on it",
            detail="\n".join(f"{relation.kind} {relation.shown} depends on function {shown}" for relation in stored),
            hint="A materialized view keeps what the function gave when the view was created: drop the view first.",
        )


def _a(kind: str) -> str:
    return "an aggregate" if kind == "aggregate" else "a"


def drop_function(session: Session, statement: st.DropFunction) -> Result:
    found, notices = [], []
    for name, types in statement.functions:
        try:
            found.append(_find(session.catalog, name, types, statement.what))
        except UndefinedFunction:
            if not statement.if_exists:
                raise
            notices.append(Notice(f"{statement.what} {name}({', '.join(types or ())}) does not exist, skipping"))
    if found:
        notices += _drop(session, found, cascade=statement.cascade)
    return Result(f"DROP {statement.what.upper()}", notices=notices)


def _find(catalog: Catalog, name: str, types: tuple[str, ...] | None, what: str) -> Function:
    named = [f for f in catalog.functions.values() if f.name == name]
    if types is None:
        if not named:
            raise UndefinedFunction(f'could not find a {what} named "{name}"')
        if len(named) > 1:
            raise AmbiguousFunction(
                f'{what} name "{name}" is not unique',
                hint=f"Specify the argument list to select the {what} unambiguously.",
            )
        found = named[0]
    else:
        wanted = tuple("text" if kind.startswith("character varying") else kind.split("(")[0] for kind in types)
        matched = catalog.function(name, wanted)
        if matched is None:
            raise UndefinedFunction(f"{what} {name}({', '.join(types)}) does not exist")
        found = matched
    if what == "function" and found.kind == "aggregate":
        raise WrongObjectType(
            f"{found.shown} is an aggregate function", hint="Use DROP AGGREGATE to drop aggregate functions."
        )
    if what == "aggregate" and found.kind != "aggregate":
        raise WrongObjectType(f"function {found.shown} is not an aggregate")
    return found


def _users(catalog: Catalog, oids: list[int]) -> list[Relation | Function]:
    """What calls the functions, and what is made of that, each once."""
    found: dict[int, Relation | Function] = {}
    waiting: list[Relation | Function] = [user for oid in oids for user in function_users(catalog, oid)]
    while waiting:
        user = waiting.pop(0)
        if user.oid in found or user.oid in oids:
            continue
        found[user.oid] = user
        if isinstance(user, Function):
            waiting += function_users(catalog, user.oid)
        else:
            waiting += [r for r in catalog.relations.values() if user.name in r.depends_on]
    return list(found.values())


def _drop(session: Session, functions: list[Function], *, cascade: bool) -> list[Notice]:
    catalog = session.catalog
    oids = [function.oid for function in functions]
    users = _users(catalog, oids)
    if users and not cascade:
        lines = [f"{_shown(session, u)} depends on function {_base(catalog, u, functions)}" for u in users]
        what = "desired object(s)" if len(functions) > 1 else f"function {functions[0].shown}"
        raise DependentObjects(
            f"cannot drop {what} because other objects depend on {'them' if len(functions) > 1 else 'it'}",
            detail="\n".join(lines),
            hint="Use DROP ... CASCADE to drop the dependent objects too.",
        )
    views = [user.name for user in users if isinstance(user, Relation)]
    commands: list[Command] = [Drop(catalog.to_drop(views, cascade=True))] if views else []
    gone = [*oids, *(user.oid for user in users if isinstance(user, Function))]
    _submit(session, *commands, DropFunctions(tuple(gone)))
    return cascade_notices([_shown(session, user) for user in users])


def _shown(session: Session, user: Relation | Function) -> str:
    if isinstance(user, Function):
        return f"function {user.shown}"
    return f"{user.kind} {session.names.shown(user)}"


def _base(catalog: Catalog, user: Relation | Function, functions: list[Function]) -> str:
    """The function that it calls itself, else the first of those that are to go."""
    called = [catalog.functions[oid] for oid in user.functions if oid in catalog.functions]
    return next((f.shown for f in called if f in functions), (called or functions)[0].shown)


def _submit(session: Session, *commands: Command) -> None:
    with session.together() as transaction:
        for command in commands:
            transaction.define(session.engine, command)
