"""Shapes of queries that only Postgres judges, beside those that DuckDB judges, too."""

from __future__ import annotations

from tests.properties.oracle.expressions import Expressions, Sql, write
from tests.properties.oracle.items import Item, Select, named_as
from tests.properties.oracle.shapes import Shapes
from tests.properties.postgres.words import AGGREGATES, WORDS


class PostgresShapes(Shapes):
    def select(self, depth: int) -> Select:
        if depth == 0 or not self.chance(0.4):
            return super().select(depth)
        shapes = (
            self._computed, self._computed, self._computed, self._aggregated, self._aggregated, self._elements,
            self._pieces, self._members, self._over_groups,
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
