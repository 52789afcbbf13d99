"""Calls of functions that tell of the catalog or the session, respelled as the engine's."""

from __future__ import annotations

from typing import Any

from pglast import ast

from constellationdb.planner.analysis import catalog_functions, forms, kinds, printing, texts
from constellationdb.planner.analysis.catalog_functions import Signature
from constellationdb.planner.analysis.typed import Typed


def answered(name: str, arguments: list[Typed], position: int | None) -> Typed | None:
    """What a call of ``name`` is; None when there is no such function for these arguments."""
    signature = catalog_functions.find(name, [argument.kind for argument in arguments])
    if signature is None:
        return None
    return Typed(_call(signature, arguments, position), signature.result)


def _call(signature: Signature, arguments: list[Typed], position: int | None) -> Any:
    given = [_given(*pair, position) for pair in zip(signature.arguments, arguments, strict=True)]
    return forms.call(signature.internal, *(given or [forms.integer(0)]))


def _given(declared: str, argument: Typed, position: int | None) -> Any:
    """A literal is read as the function takes it; of ``any`` the text is taken."""
    if declared == "any":
        return kinds.cast(printing.printed(argument.node, argument.kind), kinds.TEXT)
    node = argument.node
    if argument.kind == kinds.UNKNOWN and isinstance(node, ast.A_Const):
        node = texts.typed(node, declared, position)
        return kinds.cast(node, declared) if isinstance(node, ast.A_Const) and node.isnull else node
    if declared in (*kinds.OIDS, kinds.BIGINT) and argument.kind != declared:
        return kinds.cast(node, kinds.BIGINT)
    if declared == kinds.DOUBLE and argument.kind != declared:
        return kinds.cast(node, declared)
    return node
