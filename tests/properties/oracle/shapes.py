"""More shapes of random queries: LATERAL, recursion, sets of rows, DISTINCT ON, and rewrites.

A ternary-logic partition asks a query three times (a condition holds, does not, is unknown) where DuckDB asks once;
the other rewrite counts by WHERE what DuckDB counts by adding up the condition.
"""

from __future__ import annotations

from tests.properties.oracle.calls import Aggregates
from tests.properties.oracle.expressions import CALCULATED, Expressions, Sql, write
from tests.properties.oracle.items import Item, Select, columns_of, named_as
from tests.properties.oracle.join_shapes import JoinShapes

_LIST = (  # of one type: of several it is refused
    "CASE WHEN {} > 3 THEN ARRAY[CAST({} AS bigint), CAST({} AS bigint), NULL] WHEN {} > 1"
    " THEN ARRAY[CAST({} AS bigint)] END"
)


class Shapes(JoinShapes):
    def select(self, depth: int) -> Select:
        if depth == 0 or not self.chance(0.35):
            return super().select(depth)
        shapes = (
            self._distinct_on, self._grouping_sets, self._using, self._lateral, self._recursive, self._unnest,
            self._series, self._partitioned, self._counted, self._in_rows, self._three_way, self._correlated_scalar,
            self._asof, self._versions, self._natural, self._gathered,
        )  # fmt: skip
        made = self.random.choice(shapes)(depth)
        return super().select(depth) if made is None else made

    def _distinct_on(self, depth: int) -> Select | None:
        inner = self.named(self._narrow(depth - 1))
        keys = [c for c in inner.scope if c.kind in CALCULATED]
        if len(keys) < len(inner.scope):
            return None
        self.tags.add("DISTINCT ON")
        self.random.shuffle(keys)
        order = ", ".join("{}" + self.random.choice(("", " DESC", " NULLS FIRST")) for _ in keys)
        tail = write(f"ORDER BY {order}", *keys, kind="")
        verb = write("SELECT DISTINCT ON ({})", keys[0], kind="").ours
        return self._written(verb, list(inner.scope), inner, named_as(""), tail)

    def _grouping_sets(self, depth: int) -> Select | None:
        item = self.item(depth)
        if item.joined or len(item.scope) < 3:
            return None
        self.tags.add("GROUPING SETS")
        a, b = self.random.sample(item.scope, 2)
        made = Expressions(self.random, item.scope)
        calls = self._calls(item, made, self.random.randint(1, 2))
        tail = write("GROUP BY GROUPING SETS (({}, {}), ({}), ())", a, b, self.random.choice((a, b)), kind="")
        shown = [a, b, write("grouping({}, {})", a, b, kind="big"), *calls]
        return self._written("SELECT", shown, item, self._where(item.scope, 0.3), tail)

    def _correlated_scalar(self, depth: int) -> Select | None:
        """A scalar subquery by inequality or by two columns, in the list or in a condition."""
        item = self.item(depth - 1)
        inner = self.item(0)
        a, b = self._of(item, "int"), self._of(inner, "int")
        if a is None or b is None:
            return None
        self.tags.add("correlated by inequality")
        calls = Aggregates(self.random, inner.scope, Expressions(self.random, inner.scope))
        call = calls.call()
        self.inexact |= calls.inexact
        comparison = self.random.choice(("<", ">", "<=", "<>"))
        scalar = write(f"(SELECT {{}} FROM {{}} WHERE {{}} {comparison} {{}})", call, inner.sql, b, a, kind=call.kind)
        return self._written("SELECT", [a, scalar, *self.random.sample(item.scope, 1)], item, named_as(""))

    def _lateral(self, depth: int) -> Select | None:
        item, inner = self.item(depth - 1), self.item(0)
        a, b = self._of(item, "int"), self._of(inner, "int")
        order = [c for c in inner.scope if c.kind in CALCULATED]
        if a is None or b is None or len(order) < 2:
            return None
        alias, where = self.alias(), write(f"{{}} {self.random.choice(('=', '<', '>='))} {{}}", b, a, kind="bool")
        if self.chance(0.5):
            self.tags.add("LATERAL aggregate")
            calls = self._calls(inner, Expressions(self.random, inner.scope), 2)
            text = "SELECT {} AS c0, {} AS c1 FROM {} WHERE {}"
            query, kinds = write(text, *calls, inner.sql, where, kind=""), [c.kind for c in calls]
        else:
            self.tags.add("LATERAL top-N")
            shown = self.random.sample(order, 2)
            few = self.random.randint(1, 3)
            text = f"SELECT {{}} AS c0, {{}} AS c1 FROM {{}} WHERE {{}} ORDER BY c0, c1 DESC LIMIT {few}"
            query, kinds = write(text, *shown, inner.sql, where, kind=""), [c.kind for c in shown]
        word = self.random.choice(
            (f"CROSS JOIN LATERAL ({{}}) AS {alias}", f"LEFT JOIN LATERAL ({{}}) AS {alias} ON true")
        )
        left = write("({})", item.sql, kind="") if item.joined else item.sql
        scope = (*item.scope, *(named_as(f"{alias}.c{i}", kind) for i, kind in enumerate(kinds)))
        joined = Item(write("{} " + word, left, query, kind=""), scope, joined=True)
        return self._written("SELECT", [*self.random.sample(item.scope, 1), *scope[-2:]], joined, named_as(""))

    def _recursive(self, depth: int) -> Select | None:
        """From some rows along the edges of others, as sets to the fixpoint or as bags for a few steps."""
        start, edges = self.item(depth - 1), self.item(0)
        first = [c for c in start.scope if c.kind == "int"]
        ends = [c for c in edges.scope if c.kind == "int"]
        if not first or len(ends) < 2:
            return None
        name, r = self.alias(), self.alias()
        source, target = self.random.sample(ends, 2)
        x = self.random.choice(first)
        seed = self._where(start.scope, 0.6)
        edge = write("({})", edges.sql, kind="") if edges.joined else edges.sql
        if self.chance(0.5):
            self.tags.add("recursion UNION")
            text = (
                f"WITH RECURSIVE {name}(x) AS (SELECT CAST({{}} AS bigint) FROM {{}} {{}} UNION"
                f" SELECT CAST({{}} AS bigint) FROM {name} AS {r} JOIN {{}} ON {{}} = {r}.x)"
                f" SELECT x AS c0 FROM {name}"
            )
            return Select(write(text, x, start.sql, seed, target, edge, source, kind=""), (named_as("c0", "big"),))
        self.tags.add("recursion UNION ALL")
        text = (f"WITH RECURSIVE {name}(x, n) AS (SELECT CAST({{}} AS bigint), 0 FROM {{}} {{}} UNION ALL"
                f" SELECT CAST({{}} AS bigint), {r}.n + 1 FROM {name} AS {r} JOIN {{}} ON {{}} = {r}.x WHERE {r}.n < 2)"
                f" SELECT x AS c0, n AS c1, count(*) AS c2 FROM {name} GROUP BY x, n")  # fmt: skip
        columns = (named_as("c0", "big"), named_as("c1", "int"), named_as("c2", "big"))
        return Select(write(text, x, start.sql, seed, target, edge, source, kind=""), columns)

    def _unnest(self, depth: int) -> Select | None:
        item = self.item(depth - 1)
        a, b = self._of(item, "int"), self._of(item, "int")
        if a is None or b is None:
            return None
        self.tags.add("unnest")
        other = self.random.choice(item.scope)
        array = write(_LIST, a, a, b, b, b, kind="")
        outputs = [other, write("unnest({})", array, kind="int")]
        return self._written("SELECT", outputs, item, self._where(item.scope, 0.3))

    def _series(self, depth: int) -> Select | None:
        item = self.item(depth - 1)
        a = self._of(item, "int")
        if a is None or a.ours.endswith("c0"):
            return None
        self.tags.add("generate_series")
        bound = write("CAST(least({}, 4) AS integer)", a, kind="int")
        call = write("generate_series(1, {})", bound, kind="int", duck="unnest(generate_series(1, {}))")
        return self._written("SELECT", [self.random.choice(item.scope), call], item, self._where(item.scope, 0.3))

    def _in_rows(self, depth: int) -> Select | None:
        item, inner = self.item(depth - 1), self.item(0)
        kinds = ("int", "text", "g", "bool")
        able = [(a, b) for a in item.scope for b in inner.scope if a.kind == b.kind and a.kind in kinds]
        if len(able) < 2:
            return None
        self.tags.add("row IN")
        (a, x), (b, y) = self.random.sample(able, 2)
        where = self._where(inner.scope, 0.3)
        condition = write("({}, {}) IN (SELECT {}, {} FROM {} {})", a, b, x, y, inner.sql, where, kind="bool")
        return self._written("SELECT", [a, b], item, write("WHERE {}", condition, kind=""))

    # -- rewrites: ours is asked another way than DuckDB ----------------------------------------

    def _whole(self, depth: int) -> Select | None:
        """A query that may be asked several times: no window in it, whose rows would be counted as often."""
        known = self.readable.windowed
        self.readable.windowed = {}
        try:
            made = super().select(depth - 1)
        finally:
            self.readable.windowed = known
        return made if "{" not in made.sql.ours else None

    def _partitioned(self, depth: int) -> Select | None:
        made = self._whole(depth)
        if made is None or not any(c.kind in CALCULATED for c in made.columns):
            return None
        self.tags.add("TLP")
        alias = self.alias()
        condition = Expressions(self.random, columns_of(alias, made.columns)).condition(2).ours
        part = f"SELECT * FROM ({made.sql.ours}) AS {alias} WHERE "
        parts = (f"{part}({condition})", f"{part}NOT ({condition})", f"{part}({condition}) IS NULL")
        return Select(Sql(" UNION ALL ".join(parts), made.sql.duck), made.columns)

    def _counted(self, depth: int) -> Select | None:
        made = self._whole(depth)
        if made is None or not any(c.kind in CALCULATED for c in made.columns):
            return None
        self.tags.add("NoREC")
        alias = self.alias()
        condition = Expressions(self.random, columns_of(alias, made.columns)).condition(2)
        counted = f"SELECT count(*) AS c0 FROM ({{}}) AS {alias} WHERE {{}}"
        added = f"SELECT coalesce(sum(CASE WHEN {{}} THEN 1 ELSE 0 END), 0) AS c0 FROM ({{}}) AS {alias}"
        ours = counted.format(made.sql.ours, condition.ours)
        return Select(Sql(ours, added.format(condition.duck, made.sql.duck)), (named_as("c0", "big"),))
