"""Random joins that are more than two items and a condition, and arrays that groups are gathered in."""

from __future__ import annotations

from tests.properties.oracle.expressions import CALCULATED, Expressions, Sql, pairs, write
from tests.properties.oracle.items import Item, Select, columns_of, last_name, named_as
from tests.properties.oracle.queries import Queries

_DIRECTIONS = {">=": "backward", ">": "backward", "<=": "forward", "<": "forward", "nearest": "nearest"}


class JoinShapes(Queries):
    def _of(self, item: Item, *kinds: str) -> Sql | None:
        able = [c for c in item.scope if c.kind in kinds]
        return self.random.choice(able) if able else None

    def _using(self, depth: int) -> Select | None:  # noqa: ARG002
        names = [n for n, scope in self.readable.relations.items() if any(c.ours == "k" for c in scope)]
        if len(names) < 2:
            return None
        left, right = self.random.choice(names), self.random.choice(names)
        a, b = self.alias(), self.alias()
        scopes = columns_of(a, self.readable.relations[left]), columns_of(b, self.readable.relations[right])
        keys = {c.kind for scope in scopes for c in scope if last_name(c) == "k"}
        if len(keys) > 1:
            return None
        word = self.random.choice(("JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"))
        self.tags |= {"USING", f"{word} USING"}
        item = Item(named_as(f"{left} AS {a} {word} {right} AS {b} USING (k)"), (*scopes[0], *scopes[1]), joined=True)
        outputs = [named_as("k", keys.pop()), *self.random.sample(item.scope, 2)]
        return self._written("SELECT", outputs, item, self._where(item.scope, 0.3))

    def _three_way(self, depth: int) -> Select | None:  # noqa: ARG002
        """Outer joins of three aggregated sides."""
        sides = []
        for _ in range(3):
            name = self.random.choice([n for n in self.readable.relations if n in "tuv"])
            inner = Item(named_as(f"{name} AS {self.alias()}"), self.readable.relations[name])
            columns = columns_of(inner.sql.ours.split()[-1], inner.scope)
            calls = self._calls(Item(inner.sql, columns), Expressions(self.random, columns), 1)
            key = next(c for c in columns if last_name(c) == "c")
            tail = write("GROUP BY {}", key, kind="")
            made = self._written("SELECT", [key, *calls], Item(inner.sql, columns), self._where(columns, 0.3), tail)
            sides.append(self.named(made))
        self.tags.add("three-way outer join of aggregates")
        first, second, third = sides
        words = [self.random.choice(("LEFT JOIN", "FULL JOIN", "RIGHT JOIN")) for _ in range(2)]
        with_ = self.random.choice((first, second))
        sql = write(
            f"{{}} {words[0]} {{}} ON {{}} = {{}} {words[1]} {{}} ON {{}} = {{}}",
            first.sql, second.sql, first.scope[0], second.scope[0], third.sql, with_.scope[0], third.scope[0], kind="",
        )  # fmt: skip
        item = Item(sql, tuple(c for side in sides for c in side.scope), joined=True)
        return self._written("SELECT", list(item.scope), item, self._where(item.scope, 0.3))

    def _asof(self, depth: int) -> Select | None:
        """The row closest in time. Of rows of one time it is open which, so only what they have in common is shown."""
        left, right = self._alone(depth), self._alone(depth)
        times = [
            (a, b) for a in left.scope for b in right.scope if a.kind == b.kind and a.kind in ("ts", "date", "int")
        ]
        keys = [(a, b) for a, b in pairs(left.scope, right.scope) if (a, b) not in times]
        if not times or not keys:
            return None
        (a, b), (k, j) = self.random.choice(times), self.random.choice(keys)
        word, comparison = (
            self.random.choice(("ASOF JOIN", "ASOF LEFT JOIN")),
            self.random.choice((">=", ">", "<=", "<", "nearest")),
        )
        self.tags |= {word, f"ASOF {_DIRECTIONS[comparison]}"}
        nearest = comparison == "nearest"
        meets = write("NEAREST({}, {})" if nearest else f"{{}} {comparison} {{}}", a, b, kind="bool")
        keyed = write("{} = {}", k, j, kind="bool")
        if self.chance(0.3):
            self.tags.add("MATCH_CONDITION")
            ours = f"{left.sql.ours} {word} {right.sql.ours} MATCH_CONDITION ({meets.ours}) ON {keyed.ours}"
        else:
            ours = f"{left.sql.ours} {word} {right.sql.ours} ON {keyed.ours} AND {meets.ours}"
        duck = f"{left.sql.duck} {word} {right.sql.duck} ON {keyed.duck} AND {meets.duck}"
        if nearest:
            j, b, duck = self._nearest(left, right, word, ((a, b), (k, j)))
        item = Item(Sql(ours, duck), (*left.scope, j, b), joined=True)
        shown = [*self.random.sample(left.scope, min(3, len(left.scope))), j, b]
        return self._written("SELECT", shown, item, self._where(item.scope, 0.3))

    def _nearest(
        self, left: Item, right: Item, word: str, pairs_: tuple[tuple[Sql, Sql], tuple[Sql, Sql]]
    ) -> tuple[Sql, Sql, str]:
        """DuckDB has no NEAREST: the first of all by the distance."""
        ((a, b), (k, j)), alias = pairs_, self.alias()
        away = "abs({} - {})" if a.kind != "ts" else "abs(epoch_us({}) - epoch_us({}))"
        first = (
            f"(SELECT {j.duck} AS j, {b.duck} AS b FROM {right.sql.duck}"
            f" WHERE {k.duck} = {j.duck} AND {a.duck} IS NOT NULL AND {b.duck} IS NOT NULL"
            f" ORDER BY {away.format(a.duck, b.duck)}, {b.duck} LIMIT 1) AS {alias}"
        )
        join = "LEFT JOIN LATERAL {} ON true" if "LEFT" in word else "CROSS JOIN LATERAL {}"
        found = Sql(j.ours, f"{alias}.j", j.kind), Sql(b.ours, f"{alias}.b", b.kind)
        return *found, f"{left.sql.duck} {join.format(first)}"

    def _versions(self, depth: int) -> Select | None:
        """The version of a source's row that held at a time: of rows of one time it is open which, as above."""
        sources = [
            n for n, scope in self.readable.relations.items() if any((c.ours, c.kind) == ("ts", "event") for c in scope)
        ]
        left = self._alone(depth)
        if not sources:
            return None
        name, alias = self.random.choice(sources), self.alias()
        right = columns_of(alias, self.readable.relations[name])
        since = next(c for c in right if last_name(c) == "ts")
        times = [c for c in left.scope if c.kind == "ts"]
        keys = [(a, b) for a, b in pairs(left.scope, right) if a not in times]
        if not times or not keys:
            return None
        self.tags.add("FOR SYSTEM_TIME AS OF")
        at, (k, j) = self.random.choice(times), self.random.choice(keys)
        word = self.random.choice(("JOIN", "LEFT JOIN"))
        ours = f"{left.sql.ours} {word} {name} FOR SYSTEM_TIME AS OF {at.ours} AS {alias} ON {k.ours} = {j.ours}"
        meets = f"{k.duck} = {j.duck} AND {at.duck} >= {since.duck}"
        duck = f"{left.sql.duck} ASOF {word} {name} AS {alias} ON {meets}"
        item = Item(Sql(ours, duck), (*left.scope, j, since), joined=True)
        shown = [*self.random.sample(left.scope, min(3, len(left.scope))), j, since]
        return self._written("SELECT", shown, item, self._where(item.scope, 0.3))

    def _alone(self, depth: int) -> Item:
        item = self.item(depth - 1)
        return self.named(self._narrow(depth - 1)) if item.joined else item

    def _natural(self, depth: int) -> Select | None:
        """Joined by the one column that both call ``j``."""
        left, right = self.item(depth - 1), self.item(0)
        able = [(a, b) for a, b in pairs(left.scope, right.scope) if "out" not in (a.kind, b.kind)]
        if not able:
            return None
        word = self.random.choice(("JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"))
        self.tags |= {"NATURAL", f"NATURAL {word}"}
        a, b = self.random.choice(able)
        x, y = self.random.choice(left.scope), self.random.choice(right.scope)
        one, other = self.alias(), self.alias()
        text = (
            f"SELECT j AS c0, l AS c1, r AS c2 FROM (SELECT {{}} AS j, {{}} AS l FROM {{}} {{}}) AS {one}"
            f" NATURAL {word} (SELECT {{}} AS j, {{}} AS r FROM {{}}) AS {other}"
        )
        sql = write(text, a, x, left.sql, self._where(left.scope, 0.4), b, y, right.sql, kind="")
        kind = a.kind if a.kind == b.kind else "out"
        return Select(sql, (named_as("c0", kind), named_as("c1", x.kind), named_as("c2", y.kind)))

    def _gathered(self, depth: int) -> Select | None:
        """The values of a group as an array, and that taken apart again."""
        item = self.item(depth - 1)
        value, keys = self._of(item, "int", "text", "date", "big"), [c for c in item.scope if c.kind in CALCULATED]
        if value is None or not keys:
            return None
        self.tags.add("array_agg unnested")
        key, alias = self.random.choice(keys), self.alias()
        order = self.random.choice(("", " DESC", " NULLS FIRST"))
        text = (
            f"SELECT {alias}.k AS c0, unnest({alias}.a) AS c1 FROM"
            f" (SELECT {{}} AS k, array_agg({{}} ORDER BY {{}}{order}) AS a FROM {{}} {{}} GROUP BY {{}}) AS {alias}"
        )
        sql = write(text, key, value, value, item.sql, self._where(item.scope, 0.4), key, kind="")
        return Select(sql, (named_as("c0", key.kind), named_as("c1", value.kind)))
