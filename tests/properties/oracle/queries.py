"""Random queries: SELECT in all its shapes.

Each shape is one method, named in ``tags`` when it was used, by which cases are counted.
"""

from __future__ import annotations

from tests.properties.oracle.calls import Aggregates, Overs
from tests.properties.oracle.expressions import CALCULATED, Expressions, Scope, Sql, literal, pairs, write
from tests.properties.oracle.items import Item, Items, Select, columns_of, join_text, last_name, named_as


class Queries(Items):
    """One query's author."""

    def select(self, depth: int) -> Select:
        shapes = [self.plain, self.plain, self.grouped, self.grouped, self._global, self._distinct]
        if depth > 0:
            shapes += [
                self._sets,
                self._sets,
                self._over,
                self._over,
                self._top,
                self._top,
                self._cte,
                self._top_per_key,
            ]
        return self.random.choice(shapes)(depth)

    def plain(self, depth: int) -> Select:
        item = self.item(depth)
        made = self.expressions(item.scope)
        outputs = [made.any(2) for _ in range(self.random.randint(1, 4))]
        if depth > 0 and self.chance(0.1):
            outputs.append(self._scalar(item.scope))
        return self._written("SELECT", outputs, item, self._where(item.scope, 0.5))

    def _scalar(self, outer: Scope) -> Sql:
        """A subquery with one value, in the SELECT list."""
        self.tags.add("scalar selected")
        inner = self.item(0)
        calls = Aggregates(self.random, inner.scope, Expressions(self.random, inner.scope))
        call = calls.call()
        self.inexact |= calls.inexact
        return write("(SELECT {} FROM {} {})", call, inner.sql, self.inner_where(outer, inner), kind=call.kind)

    def _distinct(self, depth: int) -> Select:
        self.tags.add("DISTINCT")
        item = self.item(depth)
        able = [c for c in item.scope if c.kind != "out"]
        if not able:
            return self.plain(depth)
        outputs = self.random.sample(able, min(len(able), self.random.randint(1, 2)))
        return self._written("SELECT DISTINCT", outputs, item, self._where(item.scope, 0.4))

    def grouped(self, depth: int) -> Select:
        self.tags.add("GROUP BY")
        item = self.item(depth)
        made = Expressions(self.random, item.scope)
        keys = [self._key(item.scope, made) for _ in range(self.random.choice((1, 1, 1, 2)))]
        ends = [c for c in item.scope if last_name(c) == "window_end"]
        if ends and self.chance(0.75):
            keys.append(self.random.choice(ends))
        keys = list(dict.fromkeys(keys))
        calls = self._calls(item, made, self.random.choice((0, 1, 1, 2, 3)))
        shown = [k for k in keys if self.chance(0.9)] + calls
        if not shown:
            shown = keys
        listed = ", ".join("{}" for _ in keys)
        # Not over joins: DataFusion takes columns that a join made equal for equal in grouping sets, too, and a
        # snapshot SELECT orders by the first of them only (docs/sql/limits.md).
        if not item.joined and self.chance(0.15):
            word = self.random.choice(("ROLLUP", "CUBE"))
            self.tags.add(word)
            listed = f"{word} ({listed})"
        tail = write(f"GROUP BY {listed}", *keys, kind="")
        if calls and self.chance(0.3):
            tail = write("{} HAVING {}", tail, self._having((*keys, *calls)), kind="")
        return self._written("SELECT", shown, item, self._where(item.scope, 0.4), tail)

    def _key(self, scope: Scope, made: Expressions) -> Sql:
        keys = [c for c in scope if last_name(c) == "k"]
        if keys and self.chance(0.5):
            return self.random.choice(keys)
        scope = tuple(c for c in scope if c.kind != "out") or scope  # what is rounded is no key
        if self.chance(0.75):
            return self.random.choice(scope)
        expression = made.of(self.random.choice(("int", "text", "bool", "ts", "dec", "g")), 1)
        return expression if any(c.ours in expression.ours for c in scope) else self.random.choice(scope)

    def _having(self, scope: Scope) -> Sql:
        self.tags.add("HAVING")
        known = tuple(c for c in scope if c.kind != "out") or scope
        return Expressions(self.random, known).condition(1)

    def _global(self, depth: int) -> Select:
        self.tags.add("global aggregate")
        item = self.item(depth)
        calls = self._calls(item, Expressions(self.random, item.scope), self.random.randint(1, 3))
        tail = write("HAVING {}", self._having(tuple(calls)), kind="") if self.chance(0.15) else named_as("")
        return self._written("SELECT", calls, item, self._where(item.scope, 0.4), tail)

    def _calls(self, item: Item, made: Expressions, count: int) -> list[Sql]:
        calls = Aggregates(self.random, item.scope, made)
        found = [calls.call() for _ in range(count)]
        self.tags |= calls.tags
        self.inexact |= calls.inexact
        return found

    def _over(self, depth: int) -> Select:
        inner = self.named(self._narrow(depth - 1))
        calls = Overs(self.random, inner.scope)
        outputs = [*inner.scope, *(calls.call() for _ in range(self.random.choice((1, 1, 2))))]
        self.tags |= calls.tags
        return self._written("SELECT", outputs, inner, named_as(""))

    def _top_per_key(self, depth: int) -> Select:
        """The rows of the first ranks of each key: what top-N per group is written like."""
        self.tags.add("top-N per key")
        inner = self.named(self._narrow(depth - 1))
        outer = self.alias()
        name = self.random.choice(("row_number", "rank", "dense_rank"))
        partition = self.random.choice([c for c in inner.scope if c.kind != "out"] or inner.scope)
        order = [c for c in inner.scope if c.kind != "out"] or list(inner.scope)
        if name == "row_number":
            order = list(inner.scope)
        self.random.shuffle(order)
        direction = self.random.choice((" DESC", ""))
        outputs = ", ".join("{} AS c" + str(i) for i in range(len(inner.scope)))
        ordered = ", ".join("{}" + direction for _ in order)
        template = (
            f"SELECT * FROM (SELECT {outputs}, {name}() OVER (PARTITION BY {{}} ORDER BY {ordered}) AS rn FROM {{}})"
            f" AS {outer} WHERE rn <= {self.random.randint(1, 3)}"
        )
        sql = write(template, *inner.scope, partition, *order, inner.sql, kind="")
        columns = [named_as(f"c{i}", c.kind) for i, c in enumerate(inner.scope)]
        return Select(sql, (*columns, named_as("rn", "big")))

    def _narrow(self, depth: int) -> Select:
        """A query of few columns, whose rows are told apart by what they show."""
        item = self.item(max(depth, 0))
        outputs = self.random.sample(item.scope, min(len(item.scope), self.random.randint(2, 4)))
        return self._written("SELECT", outputs, item, self._where(item.scope, 0.3))

    def _top(self, depth: int) -> Select:
        self.tags.add("ORDER BY LIMIT")
        inner = self._narrow(depth - 1) if self.chance(0.6) else self.grouped(depth - 1)
        keys = list(inner.columns)
        self.random.shuffle(keys)
        order = [write("{}" + self.random.choice(("", " DESC", " NULLS FIRST", " DESC NULLS LAST")), k, kind="")
                 for k in keys]  # fmt: skip
        offset = self.random.choice(("", "", " OFFSET 2"))
        if any(k.kind == "out" for k in keys):  # rounding must not decide who is in
            return inner
        if offset:
            self.tags.add("OFFSET")
        tail = f" LIMIT {self.random.randint(0, 6)}{offset}"
        return Select(write("{} ORDER BY " + ", ".join("{}" for _ in order) + tail, inner.sql, *order, kind=""),
                      inner.columns)  # fmt: skip

    def _sets(self, depth: int) -> Select:
        left = self.select(depth - 1) if self.chance(0.5) else self.plain(depth - 1)
        if not left.settled:
            return left
        right = self._alike(left.columns, depth - 1)
        word = self.random.choice(("UNION ALL", "UNION", "EXCEPT", "INTERSECT", "EXCEPT ALL", "INTERSECT ALL"))
        self.tags.add(word)
        return Select(write(f"({{}}) {word} ({{}})", left.sql, right, kind=""), left.columns)

    def _alike(self, columns: Scope, depth: int) -> Sql:
        """A query with columns of the same kinds, often the very same ones."""
        item = self.item(depth)
        outputs = []
        for column in columns:
            same = [c for c in item.scope if c.kind == column.kind]
            if same:
                outputs.append(self.random.choice(same))
            elif column.kind in CALCULATED:
                outputs.append(literal(self.random, column.kind))
            else:
                outputs.append(Sql("NULL", "NULL", column.kind))
        return self._written("SELECT", outputs, item, self._where(item.scope, 0.4)).sql

    def _cte(self, depth: int) -> Select:
        self.tags.add("WITH")
        inner, name = self.select(depth - 1), self.alias()
        a, b = self.alias(), self.alias()
        left, right = columns_of(a, inner.columns), columns_of(b, inner.columns)
        able = pairs(left, right)
        if not able or self.chance(0.4):
            item = Item(named_as(f"{name} AS {a}"), left)
        else:
            on = write("{} = {}", *self.random.choice(able), kind="bool")
            item = Item(write(f"{name} AS {a} JOIN {name} AS {b} ON {{}}", on, kind=""), (*left, *right))
        made = Expressions(self.random, item.scope)
        outer = self._written("SELECT", [made.any(1) for _ in range(2)], item, self._where(item.scope, 0.3))
        return Select(write(f"WITH {name} AS ({{}}) {{}}", inner.sql, outer.sql, kind=""), outer.columns)

    def closing(self, relations: tuple[str, ...]) -> Select:
        """A query over windows that gives their end, for EMIT ON WINDOW CLOSE."""
        item = self.window(relations[0])
        if len(relations) > 1:
            other = self.window(relations[1])
            able = [(a, b) for a, b in pairs(item.scope, other.scope) if last_name(a) == last_name(b)]
            ends = next(pair for pair in able if last_name(pair[0]) == "window_end")
            on = write("{} = {} AND {} = {}", *ends, *self.random.choice(able), kind="bool")
            item = Item(join_text(item, "JOIN", other, on), (*item.scope, *other.scope), joined=True)
            self.tags.add("window join closed")
        end = next(c for c in item.scope if last_name(c) == "window_end")
        made = Expressions(self.random, item.scope)
        if self.chance(0.3):
            outputs, tail = [made.any(1), made.any(1)], named_as("")
        else:
            key = self._key(item.scope, made)
            outputs = [key, *self._calls(item, made, self.random.randint(1, 2))]
            tail = write("GROUP BY {}, {}", key, end, kind="")
            if self.chance(0.3):
                tail = write("{} HAVING {}", tail, self._having(tuple(outputs)), kind="")
        return self._written("SELECT", [*outputs, end], item, self._where(item.scope, 0.3), tail, last="window_end")

    # -- text --------------------------------------------------------------------------------

    def _where(self, scope: Scope, probability: float) -> Sql:
        if not self.chance(probability):
            return named_as("")
        return write("WHERE {}", self.expressions(scope).condition(2), kind="")

    def _written(
        self, verb: str, outputs: list[Sql], item: Item, where: Sql, tail: Sql | None = None, last: str = ""
    ) -> Select:
        names = [f"c{i}" for i in range(len(outputs))]
        if last:
            names[-1] = last
        shown = ", ".join(f"{{}} AS {name}" for name in names)
        sql = write(f"{verb} {shown} FROM {{}} {{}} {{}}", *outputs, item.sql, where, tail or named_as(""), kind="")
        return Select(sql, tuple(named_as(n, o.kind) for n, o in zip(names, outputs, strict=True)))
