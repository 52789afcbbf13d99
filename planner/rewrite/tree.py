"""Walking and replacing in pglast's parse trees."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from operator import is_
from typing import Any

import pglast
from pglast import ast
from pglast.enums import A_Expr_Kind
from pglast.stream import RawStream

MADE = -2  # the location of a cast that nobody wrote: a constant that DataFusion must be told the type of


def parse_query(text: str) -> Any:
    """The one SELECT (VALUES, WITH) statement that ``text``, already validated, consists of."""
    return pglast.parse_sql(text)[0].stmt


def parse_expression(text: str) -> Any:
    return parse_query(f"SELECT {text}").targetList[0].val


def to_sql(node: Any) -> str:
    """The tree as SQL text."""
    printed: str = _Printer()(node)
    return printed


class _Printer(RawStream):  # type: ignore[misc]
    """Puts IS [NOT] DISTINCT FROM in parentheses: DataFusion's parser takes all that follows as its right side."""

    def print_node(self, node: Any, is_name: bool = False, is_symbol: bool = False) -> None:
        if not isinstance(node, ast.A_Expr) or node.kind not in _DISTINCT:
            super().print_node(node, is_name, is_symbol)
            return
        with self.expression(True):
            super().print_node(node, is_name, is_symbol)


_DISTINCT = (A_Expr_Kind.AEXPR_DISTINCT, A_Expr_Kind.AEXPR_NOT_DISTINCT)


_INNER = (ast.Node, tuple, list)  # what has nodes in it; a tuple, for a union would be made anew at every test


def nodes(tree: Any) -> Iterator[Any]:
    """``tree`` and every node below it, parents first."""
    left = [tree]
    while left:
        node = left.pop()
        if isinstance(node, ast.Node):
            yield node
            left += [value for name in reversed(_fields(node.__class__)) if (value := getattr(node, name)) is not None]
        elif isinstance(node, tuple | list):
            left += reversed(node)


@cache
def _fields(kind: Any) -> tuple[str, ...]:
    """The attributes of a kind of node that may have nodes in them: others hold a number, a flag, a place in the text.

    pglast tells the Python types of each.
    """
    types = {name: slot.py_type for name, slot in kind.__slots__.items()}
    listed = ((name, one if isinstance(one, tuple) else (one,)) for name, one in types.items())
    return tuple(name for name, some in listed if any(issubclass(each, _INNER) for each in some))


def replace(tree: Any, change: Callable[[Any], Any]) -> Any:
    """``tree`` with ``change`` applied to every node, children first; None keeps the node."""
    if not isinstance(tree, _INNER):
        return tree
    if not isinstance(tree, ast.Node):
        members = [replace(member, change) for member in tree]
        return tree if all(map(is_, members, tree)) else tuple(members)
    for name in _fields(tree.__class__):
        value = getattr(tree, name)
        if value is not None:
            changed = replace(value, change)
            if changed is not value:
                setattr(tree, name, changed)
    new = change(tree)
    return tree if new is None else new


def copied(tree: Any) -> Any:
    """A copy, without what a printer has noted in the nodes, which would take the whole tree with it."""
    if isinstance(tree, tuple | list):
        return tuple(copied(member) for member in tree)
    if not isinstance(tree, ast.Node):
        return tree
    made = tree.__class__.__new__(tree.__class__)
    for name in tree:
        object.__setattr__(made, name, copied(getattr(tree, name)))
    return made


def links(node: Any) -> list[Any]:
    """The subqueries asked in ``node`` itself, not those inside them."""
    if isinstance(node, tuple | list):
        return [link for member in node for link in links(member)]
    if isinstance(node, ast.SubLink):
        return [node]
    if not isinstance(node, ast.Node) or isinstance(node, ast.SelectStmt):
        return []
    return links([getattr(node, name) for name in node])


def last_name(function: Any) -> str:
    """The unqualified name of a FuncCall."""
    name: str = function.funcname[-1].sval
    return name


def strings(node: Any) -> list[str]:
    """The parts of a column reference or name list."""
    return [part.sval for part in node.fields if isinstance(part, ast.String)]


def own_nodes(node: Any) -> Iterator[Any]:
    """The nodes of an expression, those of its subqueries left out."""
    if isinstance(node, tuple | list):
        for member in node:
            yield from own_nodes(member)
    elif isinstance(node, ast.Node) and not isinstance(node, ast.SelectStmt):
        yield node
        for name in node:
            yield from own_nodes(getattr(node, name))
