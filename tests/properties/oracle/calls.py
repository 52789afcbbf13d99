"""Random calls of aggregates and of window functions, in both words."""

from __future__ import annotations

from random import Random

from tests.properties.oracle.expressions import CALCULATED, NUMBERS, Expressions, Kind, Scope, Sql, write

_ORDERED: tuple[Kind, ...] = (*NUMBERS, "g", "f", "text", "date", "ts", "tstz")


class Aggregates:
    """Aggregate calls over ``scope``. ``inexact``: whether one was made whose doubles depend on the order of rows."""

    def __init__(self, random: Random, scope: Scope, made: Expressions) -> None:
        self._random = random
        self._scope = scope
        self._made = made
        self.inexact = False
        self.tags: set[str] = set()

    def call(self) -> Sql:
        texts = self._made.columns("text")
        if texts and self._random.random() < 0.08:
            return self._string_agg(self._random.choice(texts))
        called = self._call()
        if self._random.random() >= 0.25:
            return called
        self.tags.add("aggregate FILTER")
        return write("{} FILTER (WHERE {})", called, self._made.condition(1), kind=called.kind)

    def _call(self) -> Sql:
        name = self._random.choice(
            ("count(*)", "count", "sum", "min", "max", "avg", "distinct", "bools", "bits", "spread", "sum distinct",
             "percentile", "array_agg")
        )  # fmt: skip
        self.tags.add(name)
        match name:
            case "count(*)":
                return Sql("count(*)", "count(*)", "big")
            case "count":
                return write("count({})", self._random.choice(self._scope), kind="big")
            case "distinct":
                return write("count(DISTINCT {})", self._random.choice(self._scope), kind="big")
            case "sum":
                argument = self._made.of(self._random.choice(("int", "big", "dec", "g")), 1)
                return write("sum({})", argument, kind="g" if argument.kind == "g" else "big")
            case "sum distinct":
                return write("sum(DISTINCT {})", self._made.of(self._random.choice(("int", "dec")), 0), kind="big")
            case "min" | "max":
                argument = self._made.of(self._random.choice(_ORDERED), 1)
                return write(f"{name}({{}})", argument, kind="big" if argument.kind == "int" else argument.kind)
            case "avg":
                return write("avg({})", self._made.of(self._random.choice(("int", "g")), 1), kind="out")
            case "percentile":
                name = self._random.choice(("percentile_cont", "percentile_disc"))
                argument = self._made.of("g" if name == "percentile_cont" else self._random.choice(("int", "g")), 0)
                at = self._random.choice(("0", "0.25", "0.5", "1"))
                return write(f"{name}({at}) WITHIN GROUP (ORDER BY {{}})", argument, kind="out")
            case "array_agg":
                argument = self._made.of(self._random.choice(("int", "text", "big")), 0)
                return write("array_agg({} ORDER BY {})", argument, argument, kind="out")
            case "bools":
                name = self._random.choice(("bool_and", "bool_or"))
                return write(f"{name}({{}})", self._made.condition(1), kind="bool")
            case "bits":
                name = self._random.choice(("bit_and", "bit_or", "bit_xor"))
                return write(f"{name}({{}})", self._made.of("int", 0), kind="big")
            case _:
                self.inexact = True
                name = self._random.choice(("var_samp", "var_pop", "stddev", "stddev_pop"))
                return write(f"{name}({{}})", self._made.of(self._random.choice(("int", "g")), 0), kind="out")

    def _string_agg(self, text: Sql) -> Sql:
        self.tags.add("string_agg")
        # Not DISTINCT: in correlated subqueries and grouping sets a view of it fails; alone it has a form of its own.
        return write("string_agg({}, ',' ORDER BY {})", text, text, kind="text")


# How far RANGE frames reach, by the kind of what they are ordered by.
_DISTANCES: dict[Kind, tuple[str, ...]] = {
    "int": ("0", "1", "3"), "dec": ("0.5", "2", "100"), "g": ("0.25", "1.5"),
    "date": ("INTERVAL '1 day'", "INTERVAL '3 days'"), "ts": ("INTERVAL '1 hour'", "INTERVAL '40 seconds'"),
}  # fmt: skip


class Overs:
    """Window calls over rows that ``scope`` shows whole: rows equal in its columns are one and the same.

    Calls that tell such rows apart use one window, else it would be open which of their values go together.
    """

    def __init__(self, random: Random, scope: Scope) -> None:
        self._random = random
        self._scope = scope
        self._rowwise: tuple[list[Sql], list[Sql]] | None = None  # PARTITION BY and ORDER BY
        self.tags: set[str] = set()

    def call(self) -> Sql:
        able = [c for c in self._scope if c.kind != "out"]
        partition = [] if self._random.random() < 0.3 or not able else self._random.sample(able, 1)
        name = self._random.choice(
            ("row_number", "rank", "dense_rank", "ntile", "lag", "lead", "first_value", "last_value",
             "count", "sum", "min", "max", "avg", "count(*)", "running sum", "running count",
             "framed", "ranged", "grouped", "framed", "framed", "ranged", "grouped", "nth_value", "filtered")
        )  # fmt: skip
        self.tags.add(f"OVER {name}")
        if name == "filtered":
            condition = Expressions(self._random, tuple(able) or self._scope).condition(1)
            call = self._aggregate(self._random.choice(("count", "sum", "min", "max")))
            call = write("{} FILTER (WHERE {})", call, condition, kind=call.kind)
            return self._over(call, partition, self._order(total=False) if call.kind != "g" else None, "")
        if name in ("count", "sum", "min", "max", "avg", "count(*)"):
            return self._over(self._aggregate(name), partition, None, "")
        if name.startswith("running") or name in ("rank", "dense_rank"):  # ties are peers: any order will do
            call = Sql(f"{name}()", f"{name}()", "big") if "rank" in name else self._aggregate(name.split()[1])
            return self._over(call, partition, self._order(total=False), self._range(call))
        if name in ("ranged", "grouped"):  # peers go together, so any order will do
            call = self._aggregate(self._random.choice(("sum", "min", "max", "count", "count(*)")))
            order, frame = self._ranged() if name == "ranged" else (self._order(total=False), self._grouped())
            return self._over(call, partition, order, frame) if order else self._over(call, partition, None, "")
        return self._ordered(name, partition)

    def _ranged(self) -> tuple[list[Sql], str]:
        """One column to order by, and a frame by its values; no column where none has values to count from."""
        able = [c for c in self._scope if c.kind in _DISTANCES]
        if not able:
            return [], ""
        column = self._random.choice(able)
        near, far = (self._random.choice(_DISTANCES[column.kind]) for _ in range(2))
        start = self._random.choice(("UNBOUNDED PRECEDING", "CURRENT ROW", f"{near} PRECEDING", f"{near} PRECEDING"))
        end = self._random.choice(("CURRENT ROW", "UNBOUNDED FOLLOWING", f"{far} FOLLOWING", f"{far} FOLLOWING"))
        frame = f"BETWEEN {start} AND {end}"
        if self._random.random() < 0.2:
            frame = self._random.choice((f"BETWEEN {near} FOLLOWING AND {far} FOLLOWING",
                                         f"BETWEEN {near} PRECEDING AND {far} PRECEDING"))  # fmt: skip
        return [self._direction(column)], f" RANGE {frame}{self._exclude()}"

    def _grouped(self) -> str:
        start = self._random.choice(("UNBOUNDED PRECEDING", "2 PRECEDING", "1 PRECEDING", "CURRENT ROW", "1 FOLLOWING"))
        end = self._random.choice(("2 FOLLOWING", "1 FOLLOWING", "UNBOUNDED FOLLOWING"))
        if self._random.random() < 0.2:
            start, end = "2 PRECEDING", "1 PRECEDING"
        return f" GROUPS BETWEEN {start} AND {end}{self._exclude()}"

    def _exclude(self) -> str:
        chosen = self._random.choice(("", "", "", " EXCLUDE CURRENT ROW", " EXCLUDE GROUP", " EXCLUDE TIES"))
        if chosen:
            self.tags.add("EXCLUDE")
        return chosen

    def _ordered(self, name: str, partition: list[Sql]) -> Sql:
        """Calls that depend on the order of single rows."""
        partition, order = self._rowwise = self._rowwise or (partition, self._order(total=True))
        column = self._random.choice(self._scope)
        match name:
            case "framed":
                call = self._aggregate(self._random.choice(("sum", "min", "max", "count")))
                return self._over(call, partition, order, self._frame())
            case "row_number":
                return self._over(Sql("row_number()", "row_number()", "big"), partition, order, "")
            case "ntile":
                return self._over(Sql("ntile(3)", "ntile(3)", "big"), partition, order, "")
            case "lag" | "lead":
                by = self._random.choice(("{}", "{}, 2", "{}, 1, {}", "{}, 0"))
                call = write(f"{name}({by})", *[column] * by.count("{}"), kind=column.kind)
                return self._over(call, partition, order, "")
            case "nth_value":
                call = write("nth_value({}, 2)", column, kind=column.kind)
                return self._over(call, partition, order, self._frame())
            case _:
                return self._over(write(f"{name}({{}})", column, kind=column.kind), partition, order, self._frame())

    def _range(self, call: Sql) -> str:
        """A frame of peers; sums of doubles only in one that grows."""
        frames = (
            "",
            "",
            " RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
            " RANGE BETWEEN CURRENT ROW AND CURRENT ROW",
        )
        return "" if call.kind in ("g", "out") or "rank" in call.ours else self._random.choice(frames)

    def _frame(self) -> str:
        if self._random.random() < 0.3:
            return ""
        start = self._random.choice(("UNBOUNDED PRECEDING", "2 PRECEDING", "1 PRECEDING", "CURRENT ROW"))
        end = self._random.choice(("CURRENT ROW", "1 FOLLOWING", "UNBOUNDED FOLLOWING"))
        return f" ROWS BETWEEN {start} AND {end}"

    def _aggregate(self, name: str) -> Sql:
        if name == "count(*)":
            return Sql("count(*)", "count(*)", "big")
        if name == "count":
            return write("count({})", self._random.choice(self._scope), kind="big")
        kinds = ("int", "g") if name == "avg" else ("int", "big", "dec", "g") if name == "sum" else _ORDERED
        columns = [c for c in self._scope if c.kind in kinds]
        if not columns:
            return Sql("count(*)", "count(*)", "big")
        column = self._random.choice(columns)
        kind = "out" if name == "avg" else "big" if name == "sum" and column.kind != "g" else column.kind
        return write(f"{name}({{}})", column, kind=kind)

    def _order(self, *, total: bool) -> list[Sql]:
        able = [c for c in self._scope if c.kind in CALCULATED or not total]
        first = self._random.sample(able, min(len(able), self._random.randint(1, 2)))
        keys = first + [c for c in self._scope if c not in first] if total else first
        return [self._direction(key) for key in keys]

    def _direction(self, key: Sql) -> Sql:
        suffix = self._random.choice(("", " DESC", " DESC NULLS LAST", " NULLS FIRST"))
        return write(f"{{}}{suffix}", key, kind="")

    def _over(self, call: Sql, partition: list[Sql], order: list[Sql] | None, frame: str) -> Sql:
        parts, text = [call, *partition], ""
        if partition:
            text += "PARTITION BY {}"
        if order:
            text += (" " if text else "") + "ORDER BY " + ", ".join("{}" for _ in order)
            parts += order
        return write(f"{{}} OVER ({text}{frame})", *parts, kind=call.kind)
