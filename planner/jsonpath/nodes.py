"""What a path is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Root:
    """``$``, the value that the path is asked of, or ``@``, the one that a filter looks at."""

    current: bool


@dataclass(frozen=True)
class Literal:
    value: Any


@dataclass(frozen=True)
class Variable:
    name: str


@dataclass(frozen=True)
class Member:
    """``.key``; None: ``.*``."""

    base: Node
    key: str | None


@dataclass(frozen=True)
class Elements:
    """``[1, 2 to last]``; no ranges: ``[*]``."""

    base: Node
    ranges: tuple[tuple[Node, Node | None], ...]


@dataclass(frozen=True)
class Last:
    """The place of an array's last element."""


@dataclass(frozen=True)
class Descendants:
    """``.**``: the value itself and all below it, from one level to another."""

    base: Node
    first: int
    last: int | None


@dataclass(frozen=True)
class Filter:
    base: Node
    test: Node


@dataclass(frozen=True)
class Method:
    base: Node
    name: str


@dataclass(frozen=True)
class Operation:
    """An operator over values or tests; one operand: a sign, NOT, exists, is unknown."""

    name: str
    operands: tuple[Node, ...]


@dataclass(frozen=True)
class Pattern:
    """``starts with`` and ``like_regex``."""

    name: str
    operand: Node
    pattern: Node
    flags: str = ""


Node = (
    Root | Literal | Variable | Member | Elements | Last | Descendants | Filter | Method | Operation | Pattern
)  # fmt: skip
TESTS = frozenset({"&&", "||", "!", "exists", "is unknown", "==", "!=", "<>", "<", "<=", ">", ">="})


@dataclass(frozen=True)
class Path:
    root: Node
    strict: bool

    @property
    def is_test(self) -> bool:
        return is_test(self.root)


def is_test(node: Node) -> bool:
    return isinstance(node, Pattern) or (isinstance(node, Operation) and node.name in TESTS)
