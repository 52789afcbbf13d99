"""Calls of users' functions: one in SQL is replaced by its body, one in Python by what plans call it.

SELECT area(w, 2) FROM t        area(a int, b int) RETURN a * b
SELECT w * 2 FROM t

An argument is typed where the call stands, and stands in the body wherever its name does: as a column that USING has
merged is said by something else than its name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pglast import ast
from pglast.enums import BoolExprType, NullTestType, SetOperation, SubLinkType

from constellationdb.catalog.model import Function
from constellationdb.errors import (
    FeatureNotSupported,
    InvalidFunctionDefinition,
    UndefinedFunction,
    UndefinedParameter,
    WrongObjectType,
)
from constellationdb.planner import python_functions, python_rows
from constellationdb.planner.analysis import calls, forms, kinds, set_functions
from constellationdb.planner.analysis.kinds import UNKNOWN, Kind
from constellationdb.planner.analysis.overloads import Given, Match, choose
from constellationdb.planner.analysis.scope import Column, Scope, Table, Visible, reference
from constellationdb.planner.analysis.typed import Place, Typed, Walk
from constellationdb.planner.relations import PlannedFunctions
from constellationdb.planner.rewrite.tree import copied, last_name, nodes, parse_expression, parse_query, strings
from constellationdb.planner.rewrite.tree import replace as rewritten
from constellationdb.planner.syntax.edits import identifier

# The parse tree of a function's body, its relations named so that they are found from anywhere.
Body = Callable[[Function], Any]
_VOLATILE = frozenset({"random", "gen_random_uuid", "clock_timestamp"})
_NUMBERED = "$"


@dataclass
class UserCalls:
    """``continuous``: what a function gives for a row must be the same each time that row is looked at."""

    functions: PlannedFunctions
    body: Body
    continuous: bool
    _inside: list[int] = field(default_factory=list)

    @property
    def inside(self) -> bool:
        """Whether what is analysed is the body of a function."""
        return bool(self._inside)

    def named(self, node: Any) -> tuple[Function, ...]:
        """Those that a call might mean."""
        schema = node.funcname[-2].sval if len(node.funcname) > 1 else "public"
        return self.functions.by_name.get(last_name(node), ()) if schema == "public" else ()

    def match(self, walk: Walk, node: Any, place: Place) -> tuple[Match, list[Typed]]:
        """The function, and its arguments converted to what it takes."""
        position = walk.at(node)
        written = [(a.name, a.arg) if isinstance(a, ast.NamedArgExpr) else (None, a) for a in node.args or ()]
        typed = [walk.expression(copied(argument), place) for _, argument in written]
        places = [walk.at(argument) for argument in node.args or ()]
        given = [Given(name, t.kind, at) for (name, _), t, at in zip(written, typed, places, strict=True)]
        match = choose(self.named(node), last_name(node), given, position)
        if node.func_variadic:
            raise FeatureNotSupported("VARIADIC arguments are not supported", position=position)
        self.functions.used[match.function.oid] = match.function
        arguments = []
        for parameter, number in zip(match.function.parameters, match.places, strict=True):
            if number is not None and typed[number].kind == parameter.type_name and not typed[number].constant:
                arguments.append(typed[number])
                continue
            value = parse_expression(parameter.default or "NULL") if number is None else written[number][1]
            arguments.append(walk.expression(_cast(value, parameter.type_name), place))
        return match, arguments

    def call(self, walk: Walk, node: Any, place: Place) -> Typed:
        match, arguments = self.match(walk, node, place)
        function, position = match.function, walk.at(node)
        self._check(node, function, position)
        if function.kind == "table":
            raise FeatureNotSupported(
                f"{function.name}() returns rows: it is only supported in FROM", position=position
            )
        if function.language == "python":
            return self._python(node, function, arguments, position)
        with self._entered(function, position):
            return self._inlined(walk, function, arguments, position)

    def _check(self, node: Any, function: Function, position: int | None) -> None:
        name = function.name
        if function.kind == "aggregate":
            if node.agg_distinct or node.agg_order or node.over is not None:
                raise FeatureNotSupported(
                    f"DISTINCT, ORDER BY and OVER are not supported with {name}()", position=position
                )
            return
        for word, said in (("*", node.agg_star), ("DISTINCT", node.agg_distinct), ("ORDER BY", node.agg_order)):
            if said:
                message = f"{word if word != '*' else name + '(*)'} specified, but {name} is not an aggregate function"
                raise WrongObjectType(message, position=position)
        if node.over is not None:
            message = f"OVER specified, but {name} is not a window function nor an aggregate function"
            raise WrongObjectType(message, position=position)
        if node.agg_filter is not None:
            raise WrongObjectType(f"FILTER specified, but {name} is not an aggregate function", position=position)

    def _python(self, node: Any, function: Function, arguments: Sequence[Typed], position: int | None) -> Typed:
        if self.continuous and function.volatility == "volatile":
            raise FeatureNotSupported(
                f"volatile function {function.shown} is not supported in a continuous query",
                hint="register it as deterministic if it gives the same for the same arguments every time",
                position=position,
            )
        if not python_functions.is_installed(function.internal):
            raise UndefinedFunction(
                f"function {function.shown} is not registered",
                hint="A function in Python is registered anew by each program that opens the database.",
                position=position,
            )
        made = forms.call(function.internal, *(a.node for a in arguments))
        if not arguments:
            made = forms.call(function.internal, forms.integer(0))
        made.agg_filter, made.location = node.agg_filter, node.location
        return Typed(made, function.returns)

    @contextmanager
    def _entered(self, function: Function, position: int | None) -> Iterator[None]:
        if function.oid in self._inside:
            raise FeatureNotSupported(f"function {function.shown} calls itself", position=position)
        self._inside.append(function.oid)
        try:
            yield
        finally:
            self._inside.pop()

    # -- in SQL --------------------------------------------------------------------------------

    def _inlined(self, walk: Walk, function: Function, arguments: list[Typed], position: int | None) -> Typed:
        body = self.body(function)
        expression = _expression(body)
        if expression is None and _width(body) not in (None, 1):
            raise mismatch(function, "Final statement must return exactly one column.")
        if expression is None:
            expression = ast.SubLink(subLinkType=SubLinkType.EXPR_SUBLINK, subselect=body, location=-1)
        _check_aggregates(function, body)
        self._check_captured(walk, body, arguments)
        self._check_repeated(function, body, arguments, position)
        place = Place(arguments_scope(function, arguments), "SELECT")
        checked, walk.checked = walk.checked, walk.checked or any(is_constant(a) for a in arguments)
        try:
            found = walk.expression(copied(expression), place)
            if not is_assignable(found.kind, function.returns):
                raise mismatch(function, f"Actual return type is {found.kind}.")
            if found.kind != function.returns:
                found = walk.expression(_cast(expression, function.returns), place)
        finally:
            walk.checked = checked
        made = copied(found.node)
        if function.strict and arguments:
            made = _unless_null(made, [copied(argument.node) for argument in arguments])
        return Typed(made, function.returns)

    def _check_captured(self, walk: Walk, body: Any, arguments: Sequence[Typed]) -> None:
        """A column in an argument must not meet one of the same name inside: subqueries are then made joins."""
        if any(isinstance(n, ast.SelectStmt) and n.fromClause for n in nodes(body)) and not all(
            map(is_constant, arguments)
        ):
            walk.doubtful = walk.asking = True

    def _check_repeated(self, function: Function, body: Any, arguments: Sequence[Typed], position: int | None) -> None:
        for number, (parameter, argument) in enumerate(zip(function.parameters, arguments, strict=True), 1):
            if _is_volatile(argument.node):
                said = [n for n in nodes(body) if isinstance(n, ast.ColumnRef) and _says(n, parameter.name, number)]
                if len(said) + function.strict > 1:
                    raise FeatureNotSupported(
                        f"a volatile argument of {function.name}(), which uses it more than once, is not supported",
                        position=position,
                    )

    # -- in FROM -------------------------------------------------------------------------------

    def is_set(self, walk: Walk, item: Any, scope: Scope) -> bool:
        """Whether an item of FROM is one call of a function in SQL that gives rows."""
        call = item.functions[0][0]
        if len(item.functions) > 1 or item.ordinality or item.coldeflist or not isinstance(call, ast.FuncCall):
            return False
        languages = {function.language for function in self.named(call) if function.kind == "table"}
        if len(languages) > 1:
            return self.match(walk, copied(call), Place(Scope(parent=scope), "FROM"))[0].function.language == "sql"
        return languages == {"sql"}

    def in_python(self, node: Any) -> Function | None:
        """The function in Python that gives rows, if a call in FROM is of one."""
        known = self.named(node) if isinstance(node, ast.FuncCall) else ()
        return next((f for f in known if f.kind == "table" and f.language == "python"), None)

    def arrays(self, walk: Walk, node: Any, place: Place) -> list[tuple[Typed, Any, Column]]:
        """A call in FROM of a function in Python: of each column the array, what an element of it is, and its name."""
        match, arguments = self.match(walk, node, place)
        function, position = match.function, walk.at(node)
        self._check(node, function, position)
        array = self._python(node, function, arguments, position).node
        columns = columns_of(function)
        if len(columns) == 1:
            return [(Typed(array, columns[0].kind), forms.call("unnest", array), columns[0])]
        found = []
        for number, column in enumerate(columns):
            if self.continuous:  # a plan that is kept cannot carry a struct
                name = python_rows.column_name(function.internal, number)
                array = forms.call(name, *copied(array).args)
                element = forms.call("unnest", array)
            else:
                field = forms.text(python_rows.field_name(number))
                element = forms.call("get_field", forms.call("unnest", copied(array)), field)
            found.append((Typed(array, column.kind), element, column))
        return found

    @contextmanager
    def rows(self, walk: Walk, node: Any, scope: Scope) -> Iterator[tuple[Function, list[Typed], Any]]:
        """A call in FROM: the function, its arguments, and the query that gives its rows, to be analysed inside."""
        match, arguments = self.match(walk, node, Place(Scope(parent=scope), "FROM"))
        function = match.function
        with self._entered(function, walk.at(node)):
            body = self.body(function)
            _check_aggregates(function, body)
            yield function, arguments, body


def check_columns(function: Function, found: tuple[Column, ...] | None) -> None:
    """Whether a body's columns are, or become, those that its function declares."""
    wanted = columns_of(function)
    if found is None:
        return
    if len(found) != len(wanted) and len(wanted) == 1:
        raise mismatch(function, "Final statement must return exactly one column.")
    if len(found) != len(wanted):
        raise mismatch(
            function, f"Final statement returns too {'few' if len(found) < len(wanted) else 'many'} columns."
        )
    for number, (column, declared_column) in enumerate(zip(found, wanted, strict=True), 1):
        if not is_assignable(column.kind, str(declared_column.kind)):
            raise mismatch(
                function,
                f"Final statement returns {column.kind} instead of {declared_column.kind} at column {number}.",
            )


def declared(function: Function, body: Any, found: tuple[Column, ...] | None) -> Any:
    """The body's rows with the names and types that its function declares."""
    columns = columns_of(function)
    listed = ", ".join(
        f"{f'c{i}' if found is not None and found[i].kind == c.kind else f'CAST(c{i} AS {c.kind})'}"
        f" AS {identifier(c.name)}"
        for i, c in enumerate(columns)
    )
    names = ", ".join(f"c{i}" for i in range(len(columns)))
    select = parse_query(f"SELECT {listed} FROM (SELECT 1) AS {identifier(function.name)}({names})")
    select.fromClause[0].subquery = copied(body)
    return select


def columns_of(function: Function) -> list[Column]:
    if not function.columns:
        return [Column(function.name, function.returns)]
    return [Column(column.name, column.type_name) for column in function.columns]


def arguments_scope(function: Function, arguments: Sequence[Typed]) -> Scope:
    visible = []
    for number, (parameter, argument) in enumerate(zip(function.parameters, arguments, strict=True), 1):
        for name in (f"{_NUMBERED}{number}", parameter.name):
            if name:
                column = Column(name, parameter.type_name, argument.whole)
                visible.append(Visible(column, argument.node, merged=True))
    return Scope([Table(function.name, "", tuple(v.column for v in visible))], visible)


def with_parameters(function: Function, body: Any) -> Any:
    """``body`` with its parameters as columns that ``arguments_scope`` knows, and without places in a client's text."""
    numbers = {parameter.name: number for number, parameter in enumerate(function.parameters, 1) if parameter.name}
    tables = {n.alias.aliasname if n.alias else n.relname for n in nodes(body) if isinstance(n, ast.RangeVar)}

    def change(node: Any) -> Any | None:
        if getattr(node, "location", None) is not None:
            node.location = -1
        if isinstance(node, ast.ParamRef):
            if not 1 <= node.number <= len(function.parameters):
                raise UndefinedParameter(f"there is no parameter ${node.number}")
            return reference(f"{_NUMBERED}{node.number}")
        if isinstance(node, ast.ColumnRef) and len(node.fields) == 2 and function.name not in tables:
            said = strings(node)
            if said[0] == function.name and said[-1] in numbers:
                return reference(f"{_NUMBERED}{numbers[said[-1]]}")
        return None

    return rewritten(body, change)


def is_assignable(found: Kind, wanted: str) -> bool:
    """Whether a value of one type may be returned as another."""
    if found in (None, UNKNOWN, wanted) or wanted in kinds.TEXTS:
        return True
    return any(found in family and wanted in family for family in (kinds.NUMBERS, kinds.MOMENTS))


def mismatch(function: Function, detail: str) -> InvalidFunctionDefinition:
    returned = "record" if len(function.columns) > 1 else columns_of(function)[0].kind
    return InvalidFunctionDefinition(f"return type mismatch in function declared to return {returned}", detail=detail)


def _expression(body: Any) -> Any | None:
    """The one value of a body that is nothing but that."""
    clauses = ("fromClause", "whereClause", "groupClause", "havingClause", "windowClause", "sortClause", "limitCount",
               "limitOffset", "withClause", "distinctClause", "valuesLists")  # fmt: skip
    if body.op != SetOperation.SETOP_NONE or any(getattr(body, clause) for clause in clauses):
        return None
    targets = list(body.targetList or ())
    if len(targets) != 1 or any(map(set_functions.is_set, _own(targets))):
        return None
    return targets[0].val


def _own(tree: Any) -> Iterator[Any]:
    """The nodes of a query that are of no other query in it."""
    if isinstance(tree, tuple | list):
        for member in tree:
            yield from _own(member)
    elif isinstance(tree, ast.Node) and not isinstance(tree, ast.SelectStmt):
        yield tree
        for name in tree:
            yield from _own(getattr(tree, name))


def _check_aggregates(function: Function, body: Any) -> None:
    """What an aggregate or a window goes over must be of the body: of parameters alone it would be of the caller's."""
    names = {f"{_NUMBERED}{n}" for n in range(1, len(function.parameters) + 1)}
    names |= {parameter.name for parameter in function.parameters}
    for select in nodes(body):
        if not isinstance(select, ast.SelectStmt):
            continue
        for node in _own([select.targetList, select.havingClause, select.sortClause]):
            if not isinstance(node, ast.FuncCall) or not (calls.is_aggregate(last_name(node)) or node.over is not None):
                continue
            columns = [strings(n)[-1:] for n in _own(node.args) if isinstance(n, ast.ColumnRef)]
            if not select.fromClause or (columns and all(c and c[0] in names for c in columns)):
                raise FeatureNotSupported(
                    f"{last_name(node)}() of nothing but parameters is not supported in the body of a function",
                    hint="Name columns by their table where a parameter has the same name.",
                )


def _width(body: Any) -> int | None:
    """How many columns a body has; None where that is not plain to see."""
    while body.op != SetOperation.SETOP_NONE:
        body = body.larg
    targets = body.valuesLists[0] if body.valuesLists else body.targetList or ()
    starred = any(isinstance(n, ast.A_Star) for target in targets for n in nodes(target))
    return None if starred else len(targets)


def _cast(node: Any, kind: str) -> Any:
    made = parse_expression(f"CAST(NULL AS {kind})")
    made.arg, made.location, made.typeName.location = copied(node), -1, -1
    return made


def _unless_null(value: Any, arguments: Sequence[Any]) -> Any:
    tests: tuple[Any, ...] = tuple(
        ast.NullTest(arg=node, nulltesttype=NullTestType.IS_NULL, argisrow=False) for node in arguments
    )
    test = tests[0] if len(tests) == 1 else ast.BoolExpr(boolop=BoolExprType.OR_EXPR, args=tests)
    return ast.CaseExpr(args=(ast.CaseWhen(expr=test, result=ast.A_Const(isnull=True)),), defresult=value)


def _says(node: Any, name: str, number: int) -> bool:
    last = node.fields[-1]
    return isinstance(last, ast.String) and last.sval in ((name or _NUMBERED), f"{_NUMBERED}{number}")


def is_constant(argument: Typed) -> bool:
    """Whether no column is part of it."""
    return not any(isinstance(node, ast.ColumnRef) for node in nodes(argument.node))


def _is_volatile(node: Any) -> bool:
    called = (last_name(n) for n in nodes(node) if isinstance(n, ast.FuncCall))
    return any(name in _VOLATILE or name.startswith(python_functions.VOLATILE) for name in called)
