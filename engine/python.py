"""Functions in Python of one database: what the program has registered, and what the catalog keeps the source of.

The catalog knows a registered function's name and types, for ever; what it does is known to the program that has it,
and handed in before the database is opened, for a view that calls it goes on from where it was at once.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from constellationdb.catalog.catalog import Catalog
from constellationdb.catalog.model import Function, Relation
from constellationdb.errors import InsufficientPrivilege, SqlSyntaxError, UndefinedFunction
from constellationdb.planner import python_functions, python_rows


@dataclass(frozen=True)
class PythonFunction:
    """``definition`` says its name and types; ``does`` is what ``python_functions.install`` takes."""

    definition: Function
    does: Callable[..., Any]
    vectorised: bool = False

    @property
    def key(self) -> tuple[str, tuple[str, ...]]:
        return self.definition.name, self.definition.types


class PythonFunctions:
    """``sources``: whether functions may be defined by their source, in SQL."""

    def __init__(self, registered: Iterable[PythonFunction] = (), *, sources: bool = False) -> None:
        self.sources = sources
        self._registered = {function.key: function for function in registered}
        self._bound: set[str] = set()

    @property
    def registered(self) -> list[PythonFunction]:
        return list(self._registered.values())

    def add(self, function: PythonFunction) -> None:
        self._registered[function.key] = function

    def bind(self, function: Function) -> None:
        """Make a function of the catalog do what it does, as far as this process knows that."""
        if function.language != "python":
            return
        if function.source:
            if self.sources:
                self._install(function, compiled(function), vectorised=False)
            return
        known = self._registered.get((function.name, function.types))
        if known is not None and known.definition.retracts >= function.retracts:
            self._install(function, known.does, vectorised=known.vectorised)

    def _install(self, function: Function, does: Callable[..., Any], *, vectorised: bool) -> None:
        python_functions.install(function, does, vectorised=vectorised)
        self._bound.add(function.internal)

    def close(self) -> None:
        for internal in self._bound:
            python_functions.forget(internal)
        self._bound.clear()

    def check(self, catalog: Catalog, view: Relation) -> None:
        """Raises where a view cannot go on: without its function it would be wrong from here on."""
        for oid in _called(catalog, view.functions):
            function = catalog.functions[oid]
            if function.language == "python" and function.internal not in self._bound:
                raise UndefinedFunction(
                    f'function {function.shown}, which {view.kind} "{view.shown}" calls, is not registered',
                    hint="Start with --enable-python-functions."
                    if function.source
                    else "Open the database with connect(…, functions=[…]).",
                )

    def is_called(self, catalog: Catalog, view: Relation) -> bool:
        """Whether a view calls a function that only this process has."""
        return any(catalog.functions[oid].language == "python" for oid in _called(catalog, view.functions))

    def refuse_sources(self) -> None:
        if not self.sources:
            raise InsufficientPrivilege(
                "permission denied for language python",
                hint="A function in Python can do whatever the server can: start it with --enable-python-functions"
                " to allow that.",
            )


def _called(catalog: Catalog, oids: Iterable[int]) -> set[int]:
    """Functions, and those that they call."""
    found: set[int] = set()
    waiting = list(oids)
    while waiting:
        oid = waiting.pop()
        if oid in catalog.functions and oid not in found:
            found.add(oid)
            waiting += catalog.functions[oid].functions
    return found


def compiled(function: Function) -> Callable[..., Any]:
    """The source is the body of a function of its parameters: it may ``return``."""
    names = ", ".join(parameter.name or f"_{n}" for n, parameter in enumerate(function.parameters, 1))
    body = textwrap.indent(textwrap.dedent(function.source).strip("\n") or "pass", "    ")
    scope: dict[str, Any] = {}
    try:
        exec(compile(f"def function({names}):\n{body}\n", f"<function {function.name}>", "exec"), scope)
    except SyntaxError as error:
        raise SqlSyntaxError(f"could not compile function {function.name}: {error.msg}") from None
    made: Callable[..., Any] = scope["function"]
    return made


def with_names_of_functions(catalog: Catalog, text: str) -> str:
    """A line of a plan, with the functions called what their users call them."""
    if python_functions.PREFIX not in text:
        return text
    for function in catalog.functions.values():
        if function.internal:
            for place, column in enumerate(function.columns):
                called = python_rows.column_name(function.internal, place)
                text = text.replace(f"{called}(", f"{function.name}.{column.name}(")
            text = text.replace(function.internal, function.name)
    return text
