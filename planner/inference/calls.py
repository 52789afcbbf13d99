"""Function calls: the function that their arguments mean, and what it gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from pglast import ast

from constellationdb.errors import AmbiguousFunction
from constellationdb.planner import postgres_types as types
from constellationdb.planner.inference import resolve
from constellationdb.planner.inference.functions import FUNCTIONS
from constellationdb.planner.inference.parameters import Parameters, Typed
from constellationdb.planner.inference.scope import Scope
from constellationdb.planner.inference.signatures import Signature
from constellationdb.planner.postgres_types import UNKNOWN

_AMBIGUOUS = "Could not choose a best candidate function. You might need to add explicit type casts."


class Walk(Protocol):
    parameters: Parameters
    functions: Mapping[str, tuple[Signature, ...]]  # users' own

    def at(self, node: Any) -> int | None: ...

    def type(self, node: Any, scope: Scope) -> Typed: ...

    def boolean(self, node: Any, scope: Scope) -> None: ...

    def key(self, node: Any, scope: Scope) -> None: ...

    def unknown_here(self) -> Typed: ...


class Calls:
    def __init__(self, walk: Walk) -> None:
        self._walk = walk

    def call(self, node: Any, scope: Scope) -> Typed:
        walk = self._walk
        arguments = [walk.type(argument, scope) for argument in node.args or ()]
        ordered = [walk.type(sort.node, scope) for sort in node.agg_order or ()]
        walk.boolean(node.agg_filter, scope)
        if node.over is not None:
            self.window(node.over, scope)
        for argument in ordered if not node.agg_within_group else ():
            walk.parameters.become(argument, "text")
        return self._result(node, arguments)

    def window(self, over: Any, scope: Scope) -> None:
        for part in over.partitionClause or ():
            self._walk.key(part, scope)
        for sort in over.orderClause or ():
            self._walk.key(sort.node, scope)
        for bound in (over.startOffset, over.endOffset):
            if bound is not None:
                self._walk.parameters.become(self._walk.type(bound, scope), "int8")

    def _result(self, node: Any, arguments: list[Typed]) -> Typed:
        walk = self._walk
        name = node.funcname[-1].sval
        kinds = [argument.type for argument in arguments if argument.type is not None]
        candidates = walk.functions.get(name) or FUNCTIONS.get(name)
        if candidates is None or any(isinstance(argument, ast.NamedArgExpr) for argument in node.args or ()):
            return walk.unknown_here()
        if len(kinds) < len(arguments):
            result = {signature.result for signature in candidates}
            walk.unknown_here()
            return Typed(result.pop()) if len(result) == 1 and not any("any" in r for r in result) else Typed(None)
        try:
            found = resolve.function(candidates, kinds)
        except resolve.AmbiguousError:
            if UNKNOWN not in kinds:
                return walk.unknown_here()
            shown = ", ".join(map(types.display, kinds))
            said = ".".join(part.sval for part in node.funcname)
            raise AmbiguousFunction(
                f"function {said}({shown}) is not unique", hint=_AMBIGUOUS, position=walk.at(node)
            ) from None
        if found is None:
            return walk.unknown_here()
        for argument, wanted in zip(arguments, found.arguments, strict=True):
            walk.parameters.become(argument, wanted)
        return Typed(found.result)
