"""What random queries read: relations, windows, joins of every kind, and subqueries in conditions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

from tests.properties.oracle.expressions import NUMBERS, Expressions, Kind, Scope, Sql, comparable, pairs, write
from tests.properties.oracle.windows import Session, Window


@dataclass(frozen=True)
class Select:
    """A whole query; ``columns`` are its output columns, by unqualified name."""

    sql: Sql
    columns: Scope

    @property
    def settled(self) -> bool:
        """Whether every column can be compared with another query's."""
        return all(c.kind != "out" for c in self.columns)


@dataclass(frozen=True)
class Item:
    """Something in FROM, and the columns it brings into sight."""

    sql: Sql
    scope: Scope
    joined: bool = False


def _windows(relation: str) -> tuple[Window | Session, ...]:
    """The window calls there may be over a relation; seconds."""
    return (
        Window(relation, 10),
        Window(relation, 10, 5),
        Window(relation, 10, 4),
        Window(relation, 3, 10),
        Window(relation, 10, offset=3),
        Window(relation, 12, 4, cumulative=True),
        Session(relation, 4),
        Session(relation, 2, ()),
    )


@dataclass
class Readable:
    """What queries may read: relations by name, and window calls over those that have a time."""

    relations: dict[str, Scope]
    windowed: Mapping[str, Scope] = field(default_factory=dict)  # the relations of which windows may still be made
    windows: dict[str, Window | Session] = field(default_factory=dict)


class Items(ABC):
    """What a query reads. ``inexact``: some doubles of it may be off by rounding."""

    def __init__(self, random: Random, readable: Readable) -> None:
        self.random = random
        self.readable = readable
        self._aliases = 0
        self.tags: set[str] = set()
        self.inexact = False

    @abstractmethod
    def select(self, depth: int) -> Select:
        """A query to read from."""

    def alias(self) -> str:
        self._aliases += 1
        return f"q{self._aliases}"

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def item(self, depth: int) -> Item:
        draw = self.random.random()
        if depth > 0 and 0.2 < draw < 0.55:
            return self._join(depth - 1)
        if depth > 0 and 0.55 < draw < 0.7:
            return self.named(self.select(depth - 1))
        if self.readable.windowed and draw < 0.2:
            return self.window(self.random.choice(list(self.readable.windowed)))
        if draw >= 0.97:
            return self._values()
        name = self.random.choice(list(self.readable.relations))
        alias = self.alias()
        return Item(named_as(f"{name} AS {alias}"), columns_of(alias, self.readable.relations[name]))

    def named(self, select: Select) -> Item:
        self.tags.add("derived table")
        alias = self.alias()
        return Item(write(f"({{}}) AS {alias}", select.sql, kind=""), columns_of(alias, select.columns))

    def window(self, relation: str) -> Item:
        alias, random = self.alias(), self.random
        call = f"W{len(self.readable.windows)}"
        self.readable.windows[call] = window = random.choice(_windows(relation))
        self.tags |= {window.kind} | ({"window offset"} if isinstance(window, Window) and window.offset else set())
        edges = (named_as("window_end", "ts"), named_as("window_start", "ts"))
        # Braces twice: the text is formatted once more when a query is written around it.
        text = Sql(f"{{{call}}} AS {alias}", f"{{{call}}} AS {alias}")
        scope = columns_of(alias, (*self.readable.windowed[relation], *edges))
        if len(self.readable.windows) > 1:
            self.readable.windowed = {}
        return Item(text, scope)

    def _values(self) -> Item:
        self.tags.add("VALUES")
        alias = self.alias()
        rows = ", ".join(f"({self.random.randint(0, 9)}, 'a')" for _ in range(self.random.randint(1, 3)))
        scope = columns_of(alias, (named_as("n", "int"), named_as("w", "text")))
        return Item(named_as(f"(VALUES {rows}) AS {alias}(n, w)"), scope)

    def _join(self, depth: int) -> Item:
        left, right = self.item(depth), self.item(max(0, depth - 1))
        kind = self.random.choice(("JOIN", "JOIN", "LEFT JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN"))
        together = (*left.scope, *right.scope)
        able = pairs(left.scope, right.scope)
        if kind == "CROSS JOIN" or not able:
            self.tags.add("CROSS JOIN")
            self._count_sides(left, right)
            return Item(join_text(left, "CROSS JOIN", right, None), together, joined=True)
        self.tags.add(kind)
        self._count_sides(left, right)
        times = [(a, b) for a, b in able if a.kind == "ts"]
        if times and self.chance(0.15):
            on = self._close_in_time(times, able if kind == "FULL JOIN" or self.chance(0.6) else [])
        else:
            on = self._on(kind, able, together)
        return Item(join_text(left, kind, right, on), together, joined=True)

    def _count_sides(self, left: Item, right: Item) -> None:
        names = [side.sql.ours.partition(" ")[0] for side in (left, right) if not side.joined]
        if len(names) == 2 and names[0] == names[1] and names[0] in self.readable.relations:
            self.tags.add("self join")
        if left.joined or right.joined:
            self.tags.add("join of three")

    def _close_in_time(self, times: list[tuple[Sql, Sql]], able: list[tuple[Sql, Sql]]) -> Sql:
        """An interval join: bounds on one side or on both, with equal columns or without."""
        self.tags.add("interval join")
        a, b = self.random.choice(times)
        low, high = (f"INTERVAL '{self.random.choice((0, 1, 5, 30))} seconds'" for _ in range(2))
        template, sides = self.random.choice(
            (
                (f"{{}} BETWEEN {{}} - {low} AND {{}} + {high}", [a, b, b]),
                (f"{{}} >= {{}} - {low} AND {{}} < {{}} + {high}", [a, b, a, b]),
                (f"{{}} + {low} > {{}}", [a, b]),
            )
        )
        if len(sides) == 2:
            self.tags.add("interval join open")
        if able:
            template, sides = f"{{}} = {{}} AND {template}", [*self.random.choice(able), *sides]
        return write(template, *sides, kind="bool")

    def _on(self, kind: str, able: list[tuple[Sql, Sql]], together: Scope) -> Sql:
        """Equalities, mostly on keys, and sometimes a residual; now and then no equality at all."""
        if kind != "FULL JOIN" and self.chance(0.08):
            self.tags.add("join without equality")
            a, b = self.random.choice(able)
            return write("{} < {}", a, b, kind="bool")
        keyed = [(a, b) for a, b in able if last_name(a) == last_name(b) and last_name(a) in ("k", "window_end")]
        chosen = self.random.sample(keyed, min(1, len(keyed))) if keyed and self.chance(0.7) else []
        if not chosen or self.chance(0.3):
            chosen += self.random.sample(able, 1)
        condition = " AND ".join(self._equal() for _ in chosen)
        sides = [side for pair in chosen for side in pair]
        if not self.chance(0.3):
            return write(condition, *sides, kind="bool")
        self.tags.add("residual")
        return write(condition + " AND {}", *sides, Expressions(self.random, together).condition(1), kind="bool")

    def _equal(self) -> str:
        if not self.chance(0.12):
            return "{} = {}"
        self.tags.add("IS NOT DISTINCT FROM join")
        return "{} IS NOT DISTINCT FROM {}"

    # -- subqueries in conditions ------------------------------------------------------------

    def subquery(self, outer: Scope) -> Sql | None:
        """EXISTS, IN, a quantified or a scalar comparison; correlated or not."""
        inner = self.item(0)
        where = self.inner_where(outer, inner)
        value = self.random.choice(outer)
        fits = [c for c in inner.scope if comparable(c.kind, value.kind)]
        form = self.random.choice(("EXISTS", "NOT EXISTS", "IN", "NOT IN", "scalar", "quantified"))
        if form in ("EXISTS", "NOT EXISTS"):
            self.tags.add(form)
            return write(f"{form} (SELECT 1 FROM {{}} {{}})", inner.sql, where, kind="bool")
        if not fits:
            return None
        self.tags.add(form)
        column = self.random.choice(fits)
        if form in ("IN", "NOT IN"):
            return write(f"({{}} {form} (SELECT {{}} FROM {{}} {{}}))", value, column, inner.sql, where, kind="bool")
        comparison = self.random.choice(("<", ">", "<=", ">=", "="))
        if form == "quantified":
            word = self.random.choice(("ANY", "ALL"))
            template = f"({{}} {comparison} {word} (SELECT {{}} FROM {{}} {{}}))"
            return write(template, value, column, inner.sql, where, kind="bool")
        name = self.random.choice(("min", "max"))
        if column.kind not in (*NUMBERS, "g", "f", "text", "date", "ts"):
            return None
        template = f"({{}} {comparison} (SELECT {name}({{}}) FROM {{}} {{}}))"
        return write(template, value, column, inner.sql, where, kind="bool")

    def inner_where(self, outer: Scope, inner: Item) -> Sql:
        conditions = []
        able = pairs(inner.scope, outer)
        if able and self.chance(0.6):
            keyed = [(a, b) for a, b in able if last_name(a) == last_name(b) == "k"]
            a, b = self.random.choice(keyed if keyed and self.chance(0.7) else able)
            conditions.append(write("{} = {}", a, b, kind="bool"))
            self.tags.add("correlated")
            if self.chance(0.25):
                a, b = self.random.choice(able)
                conditions.append(write("{} < {}", a, b, kind="bool"))
        if self.chance(0.4):
            conditions.append(Expressions(self.random, inner.scope).condition(1))
        if not conditions:
            return named_as("")
        return write("WHERE " + " AND ".join("{}" for _ in conditions), *conditions, kind="")

    def expressions(self, scope: Scope) -> Expressions:
        return Expressions(self.random, scope, self.subquery, self.tags)


def named_as(text: str, kind: Kind = "") -> Sql:
    return Sql(text, text, kind)


def columns_of(alias: str, columns: Scope) -> Scope:
    return tuple(named_as(f"{alias}.{c.ours}", c.kind) for c in columns)


def last_name(column: Sql) -> str:
    return column.ours.rpartition(".")[2]


def join_text(left: Item, word: str, right: Item, on: Sql | None) -> Sql:
    second = write("({})", right.sql, kind="") if right.joined else right.sql
    if on is None:
        return write(f"{{}} {word} {{}}", left.sql, second, kind="")
    return write(f"{{}} {word} {{}} ON {{}}", left.sql, second, on, kind="")
