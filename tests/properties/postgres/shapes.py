"""Shapes of queries that only Postgres judges, beside those that DuckDB judges, too."""

from __future__ import annotations

from tests.properties.oracle.expressions import Expressions, Sql, write
from tests.properties.oracle.items import Item, Select, columns_of, named_as
from tests.properties.oracle.shapes import Shapes
from tests.properties.postgres.words import AGGREGATES, WORDS


class PostgresShapes(Shapes):
    def select(self, depth: int) -> Select:
        if depth == 0 or not self.chance(0.4):
            return super().select(depth)
        shapes = (
            self._computed, self._computed, self._computed, self._aggregated, self._aggregated, self._elements,
            self._pieces, self._members, self._over_groups, self._recent, self._looked_up, self._version_of,
        )  # fmt: skip
        made = self.random.choice(shapes)(depth)
        return super().select(depth) if made is None else made

    def _word(self, item: Item, *kinds: str) -> Sql:
        """A call over the item's columns; of some kind, where one is asked for."""
        topic = self.random.choice(list(WORDS))
        able = [word for word in WORDS[topic] if word.kind in kinds or not kinds]
        if not able:
            return self.expressions(item.scope).of(self.random.choice(kinds), 1)
        self.tags.add(topic)
        return self.random.choice(able).written(Expressions(self.random, item.scope), self.random.choice((0, 0, 1)))

    def _computed(self, depth: int) -> Select:
        item = self.item(depth)
        self.inexact = True  # powers, roots
        outputs = [self.random.choice(item.scope), *(self._word(item) for _ in range(self.random.randint(1, 3)))]
        where = self._where(item.scope, 0.2)
        if self.chance(0.4):
            where = write("WHERE {}", self._word(item, "bool"), kind="")
        return self._written("SELECT", outputs, item, where)

    def _aggregated(self, depth: int) -> Select:
        self.tags.add("aggregates of Postgres")
        self.inexact = True
        item = self.item(depth)
        made = Expressions(self.random, item.scope)
        calls = [self.random.choice(AGGREGATES).written(made, 0) for _ in range(self.random.randint(1, 3))]
        key = self._key(item.scope, made) if self.chance(0.6) else self._word(item, "int", "text", "bool", "ts", "date")
        if self.chance(0.2):
            return self._written("SELECT", calls, item, self._where(item.scope, 0.3))
        return self._written("SELECT", [key, *calls], item, self._where(item.scope, 0.3), write("GROUP BY 1", kind=""))

    def _elements(self, depth: int) -> Select | None:
        """The elements of arrays, or of jsonb arrays, that groups were gathered in, with their places."""
        item = self.item(depth - 1)
        value, key = self._of(item, "int", "text", "date"), self._of(item, "int", "text", "g", "bool", "ts")
        if value is None or key is None:
            return None
        self.tags.add("arrays unnested")
        inner, outer = self.alias(), self.alias()
        join = self.random.choice(("CROSS JOIN LATERAL {}", "LEFT JOIN LATERAL {} ON true", ", {}"))
        call, kind = self.random.choice(
            (
                ("unnest({i}.a) WITH ORDINALITY AS {o}(x, n)", value.kind),
                ("generate_subscripts({i}.a, 1) WITH ORDINALITY AS {o}(x, n)", "int"),
            )
        )
        call = join.replace("{}", call).format(i=inner, o=outer)
        order = self.random.choice(("{}", "{} DESC", "{} NULLS FIRST"))
        text = (
            f"SELECT {inner}.k AS c0, {outer}.x AS c1, {outer}.n AS c2 FROM"
            f" (SELECT {{}} AS k, array_agg({{}} ORDER BY {order}) AS a FROM {{}} {{}} GROUP BY 1) AS {inner}"
            + ("" if call.startswith(",") else " ")
            + call
        )
        sql = write(text, key, value, value, item.sql, self._where(item.scope, 0.4), kind="")
        return Select(sql, (named_as("c0", key.kind), named_as("c1", kind), named_as("c2", "int")))

    def _asof(self, depth: int) -> Select | None:  # noqa: ARG002
        """Postgres has none."""
        return None

    def _recent(self, depth: int) -> Select | None:
        """Rows of a while about now; where the condition may stand is among those that AND combines."""
        item = self.item(max(0, depth - 1))
        time = self._of(item, "ts")
        if time is None:
            return None
        self.tags.add("temporal filter")
        condition = self.random.choice(
            (
                "{} > now() - INTERVAL '15 seconds'",
                "{} <= now() - INTERVAL '9 seconds'",
                "{} BETWEEN now() - INTERVAL '20 seconds' AND now() + INTERVAL '1 second'",
                "now() - INTERVAL '12 seconds' < {}",
            )
        )
        where = write(f"WHERE {condition}", time, kind="")
        if self.chance(0.4):
            where = write("{} AND {}", where, self._word(item, "bool"), kind="")
        if self.chance(0.5):
            return self._written("SELECT", self.random.sample(item.scope, min(3, len(item.scope))), item, where)
        key = self._of(item, "int", "text", "bool") or self.random.choice(item.scope)
        calls = self._calls(item, Expressions(self.random, item.scope), 2)
        return self._written("SELECT", [key, *calls], item, where, write("GROUP BY {}", key, kind=""))

    def _looked_up(self, depth: int) -> Select | None:
        item = self.item(max(0, depth - 1))
        key = self._of(item, "int")
        if key is None:
            return None
        self.tags.add("lookup table")
        alias = self.alias()
        if self.chance(0.3):
            key = write("({} + 1)", key, kind="int")
        on = write(f"{alias}.n = {{}}", key, kind="bool")
        if self.chance(0.3):
            on = write(f"{{}} AND {alias}.size {self.random.choice(('<', '>'))} 1", on, kind="bool")
        left = write("({})", item.sql, kind="") if item.joined else item.sql
        word = self.random.choice(("JOIN", "LEFT JOIN"))
        found = columns_of(alias, (named_as("word", "text"), named_as("size", "int")))
        joined = Item(write(f"{{}} {word} names AS {alias} ON {{}}", left, on, kind=""), (*item.scope, *found), True)
        outputs = [*self.random.sample(item.scope, min(2, len(item.scope))), *found]
        return self._written("SELECT", outputs, joined, self._where(joined.scope, 0.3))

    def _version_of(self, depth: int) -> Select | None:
        """The row of ``r`` that held at a time of the other side."""
        item = self._alone(depth)
        at, key = self._of(item, "ts"), self._of(item, "int")
        if at is None or key is None:
            return None
        self.tags.add("FOR SYSTEM_TIME AS OF")
        alias, word = self.alias(), self.random.choice(("JOIN", "LEFT JOIN"))
        text = f"{{}} {word} r FOR SYSTEM_TIME AS OF {{}} AS {alias} ON {alias}.c = {{}}"
        found = columns_of(alias, (named_as("b", "int"), named_as("s", "text"), named_as("ts", "ts")))
        joined = Item(write(text, item.sql, at, key, kind=""), (*item.scope, *found), True)
        outputs = [*self.random.sample(item.scope, min(2, len(item.scope))), *found]
        return self._written("SELECT", outputs, joined, self._where(joined.scope, 0.3))

    def _pieces(self, depth: int) -> Select | None:
        item = self.item(depth - 1)
        text = self._of(item, "text")
        if text is None:
            return None
        self.tags.add("texts split")
        call = self.random.choice(("unnest(string_to_array({}, 'a'))", "regexp_split_to_table({}, '[ab]')"))
        outputs = [self.random.choice(item.scope), write(call, text, kind="text")]
        return self._written("SELECT", outputs, item, self._where(item.scope, 0.3))

    def _members(self, depth: int) -> Select | None:
        """The members of an object that a group was gathered in."""
        item = self.item(depth - 1)
        name, value = self._of(item, "text"), self._of(item, "int", "bool")
        if name is None or value is None:
            return None
        self.tags.add("objects unnested")
        inner, outer = self.alias(), self.alias()
        text = (
            f"SELECT {outer}.key AS c0, {outer}.value AS c1, {inner}.n AS c2 FROM (SELECT jsonb_object_agg({{}}, {{}}"
            f" ORDER BY {{}}) AS o, count(*) AS n FROM {{}} WHERE {{}} IS NOT NULL) AS {inner}"
            f" CROSS JOIN LATERAL jsonb_each_text({inner}.o) AS {outer}(key, value)"
        )
        sql = write(text, name, value, value, item.sql, name, kind="")
        return Select(sql, (named_as("c0", "text"), named_as("c1", "text"), named_as("c2", "big")))

    def _over_groups(self, depth: int) -> Select | None:
        """Window functions over groups, in one SELECT."""
        item = self.item(depth)
        key, value = self._of(item, "int", "text", "bool", "date"), self._of(item, "int")
        if key is None or value is None:
            return None
        self.tags.add("OVER groups")
        calls = [
            write(text, *[part] * text.count("{}"), kind=kind)
            for text, kind, part in self.random.sample(
                (
                    ("sum(count(*)) OVER (ORDER BY {})", "big", key),
                    ("rank() OVER (ORDER BY sum({}) DESC NULLS LAST)", "big", value),
                    ("count(*) - lag(count(*), 1, CAST(0 AS bigint)) OVER (ORDER BY {})", "big", key),
                    ("max(max({})) OVER ()", "big", value),
                    ("first_value(min({0})) OVER (ORDER BY min({0}), count(*))".replace("{0}", "{}"), "big", value),
                    ("sum(count(*)) OVER (PARTITION BY count({}) % 2)", "big", value),
                ),
                2,
            )
        ]
        tail = write("GROUP BY {}", key, kind="")
        return self._written("SELECT", [key, *calls], item, self._where(item.scope, 0.3), tail)
