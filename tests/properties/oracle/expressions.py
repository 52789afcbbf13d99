"""Random expressions, written twice: as we read them and as DuckDB does.

A kind says what may be done with a value without leaving common ground: ``int`` is small and
may be calculated with, ``big`` is any integer and may not; ``g`` holds quarters, whose sums are
exact, ``f`` any double; ``out`` is only shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeAlias

import pyarrow as pa

Kind: TypeAlias = str
NUMBERS: tuple[Kind, ...] = ("int", "big", "dec")
DOUBLES: tuple[Kind, ...] = ("g", "f")
PLAIN: tuple[Kind, ...] = ("text", "bool", "date", "ts", "tstz", "time", "bytes", "real")
CALCULATED: tuple[Kind, ...] = ("int", "big", "dec", "g", "f", "text", "bool", "date", "ts", "tstz")


@dataclass(frozen=True)
class Sql:
    """One piece of SQL in both words. Of a column it is the name, qualified."""

    ours: str
    duck: str
    kind: Kind = ""


Scope: TypeAlias = tuple[Sql, ...]
# A condition with a subquery in it, over the columns in sight; None where none may stand.
Subquery: TypeAlias = Callable[[Scope], Sql | None]

_LITERALS: dict[Kind, tuple[str, ...]] = {
    "int": tuple(map(str, range(10))),
    "big": ("0", "1", "-1", "9007199254740993", "9223372036854775807", "4611686018427387904"),
    "dec": ("0.0", "1.5", "0.25", "150", "-11.00", "2.0"),
    "g": tuple(f"CAST('{v}' AS double)" for v in ("0.5", "1.25", "-0.0", "3")),
    "f": tuple(f"CAST('{v}' AS double)" for v in ("0.1", "1e16", "NaN", "-0.0", "0", "1e100", "0.30000000000000004")),
    "text": ("'a'", "''", "'x'", "'ab'", "'ü'", "' '", "'A'", "'7'"),
    "bool": ("true", "false"),
    "date": ("DATE '2024-02-29'", "DATE '2024-03-01'", "DATE '2024-02-28'"),
    "ts": ("TIMESTAMP '2024-02-29 23:59:05'", "TIMESTAMP '2024-03-01 00:00:00'", "TIMESTAMP '2024-02-29 23:59:30.5'"),
    "tstz": tuple(
        f"TIMESTAMPTZ '{v}'" for v in ("2024-03-31 01:00:00+00", "2024-03-10 02:00:00-05", "2024-03-01 00:00:00Z")
    ),
}
_TYPE_NAMES: dict[Kind, str] = {
    "int": "integer", "big": "bigint", "dec": "numeric(12,2)", "g": "double", "f": "double", "text": "text",
    "bool": "boolean", "date": "date", "ts": "timestamp", "tstz": "timestamptz",
}  # fmt: skip
_OF_TEXTS = (
    "reverse({})", "right({}, 2)", "lpad({}, 4, 'xy')", "rpad({}, 3, '-')", "repeat({}, 2)", "split_part({}, 'a', 1)",
    "translate({}, 'ab', 'b')", "regexp_replace({}, '[ab]', 'z', 'g')", "ltrim({}, 'a ')", "substr({}, 2)",
)  # fmt: skip
_COMPARISONS = ("=", "<", ">", "<=", ">=", "<>")


def write(template: str, *parts: Sql, kind: Kind, duck: str | None = None) -> Sql:
    """``template`` with the parts in the place of {} in both words; ``duck`` where the words differ."""
    ours = template.format(*(p.ours for p in parts))
    return Sql(ours, (duck or template).format(*(p.duck for p in parts)), kind)


def literal(random: Random, kind: Kind) -> Sql:
    text = random.choice(_LITERALS[kind])
    return Sql(text, text, kind)


def kind_of(name: str, type_: pa.DataType) -> Kind:
    """The kind of a table's column; only ``b`` and ``c`` are known to be small."""
    if name in ("b", "c"):
        return "int"
    if pa.types.is_floating(type_):
        return "real" if type_ == pa.float32() else "g" if name == "g" else "f"
    tests: tuple[tuple[Callable[[pa.DataType], bool], Kind], ...] = (
        (pa.types.is_integer, "big"), (pa.types.is_decimal, "dec"), (pa.types.is_string, "text"),
        (pa.types.is_boolean, "bool"), (pa.types.is_date, "date"), (pa.types.is_time, "time"),
        (pa.types.is_timestamp, "ts"), (pa.types.is_binary, "bytes"),
    )  # fmt: skip
    found = next(kind for test, kind in tests if test(type_))
    return "tstz" if found == "ts" and type_.tz else found


def comparable(a: Kind, b: Kind) -> bool:
    """Event times of streams only stand for themselves: a join by two of them frees its state and leaves out late rows
    (``test_interval_joins``)."""
    return a == b not in ("out", "event") or (a in NUMBERS and b in NUMBERS) or (a in DOUBLES and b in DOUBLES)


class Expressions:
    """Expressions over ``scope``, at most ``depth`` calls deep."""

    def __init__(
        self, random: Random, scope: Scope, subquery: Subquery | None = None, tags: set[str] | None = None
    ) -> None:
        self._random = random
        self._scope = scope
        self._subquery = subquery
        self.tags: set[str] = set() if tags is None else tags

    def columns(self, *kinds: Kind) -> list[Sql]:
        return [c for c in self._scope if c.kind in kinds]

    def any(self, depth: int) -> Sql:
        """Mostly a column as it is."""
        column = self._random.choice(self._scope)
        if depth == 0 or column.kind not in CALCULATED or self._random.random() >= 0.4:
            return column
        kind = column.kind if self._random.random() < 0.6 else self._random.choice(CALCULATED)
        return self.of(kind, depth)

    def of(self, kind: Kind, depth: int) -> Sql:
        """An expression of a kind; of one that cannot be calculated, a column of it or a NULL."""
        columns = self.columns(kind)
        if kind not in CALCULATED:
            return self._random.choice(columns)
        if depth == 0 or self._random.random() >= 0.55:
            if columns and self._random.random() >= 0.15:
                return self._random.choice(columns)
            if columns or depth == 0:
                return literal(self._random, kind)
        if self._random.random() < 0.3:
            return self._general(kind, depth - 1)
        made: Sql = getattr(self, f"_{kind}")(depth - 1)
        return made

    def _general(self, kind: Kind, depth: int) -> Sql:
        """What exists for every kind."""
        a, b = self.of(kind, depth), self.of(kind, depth)
        match self._random.randrange(6):
            case 5:
                first, second = self._compared(self._random.choice(CALCULATED), depth)
                return write("CASE {} WHEN {} THEN {} ELSE {} END", first, second, a, b, kind=kind)
            case 0:
                return write("coalesce({}, {})", a, b, kind=kind)
            case 1:
                return write("nullif({}, {})", a, b, kind=kind)
            case 2:
                return write("CASE WHEN {} THEN {} ELSE {} END", self.condition(depth), a, b, kind=kind)
            case 3:
                return write("CASE WHEN {} THEN {} END", self.condition(depth), a, kind=kind)
            case _ if kind in ("bool", "text"):
                return write(f"coalesce({{}}, CAST(NULL AS {_TYPE_NAMES[kind]}), {{}})", a, b, kind=kind)
            case _:
                name = self._random.choice(("greatest", "least"))
                return write(f"{name}({{}}, {{}})", a, b, kind=kind)

    def _int(self, depth: int) -> Sql:
        a = self.of("int", depth)
        match self._random.randrange(13):
            case 10:
                name = self._random.choice(("dow", "doy", "week", "quarter", "hour", "isodow"))
                return write(f"CAST(extract({name} FROM {{}}) AS integer)", self._column_or("ts"), kind="int")
            case 11:
                return write("CAST({} - {} AS integer)", self._column_or("date"), self._column_or("date"), kind="int")
            case 12:
                call = self._random.choice(("strpos({}, 'a')", "ascii({})", "octet_length({})"))
                return write(call, self.of("text", depth), kind="int", duck=call.replace("octet_length", "strlen"))
            case 0:
                return write("({} + {})", a, self.of("int", depth), kind="int")
            case 1:
                return write("({} - {})", a, self.of("int", depth), kind="int")
            case 2:
                return write(f"({{}} * {self._random.randint(1, 5)})", a, kind="int")
            case 3:
                return write("(- {})", a, kind="int")
            case 4:
                return write("abs({})", a, kind="int")
            case 5:
                return write(f"({{}} % {self._random.randint(2, 5)})", a, kind="int")
            case 6:
                by = self._random.randint(2, 5)
                return write(f"({{}} / {by})", a, kind="int", duck=f"({{}} // {by})")
            case 7:
                return write("CAST({} AS integer)", self.of("bool", depth), kind="int")
            case 8:
                return write("CAST(extract(second FROM {}) AS integer)", self._column_or("ts"), kind="int",
                             duck="CAST(round(extract(microsecond FROM {}) / 1000000.0) AS integer)")  # fmt: skip
            case _:
                return write("length({})", self.of("text", depth), kind="int")

    def _big(self, depth: int) -> Sql:
        return write("CAST({} AS bigint)", self.of("int", depth), kind="big")

    def _dec(self, depth: int) -> Sql:
        a = self._column_or("dec")
        match self._random.randrange(7):
            case 5:
                return write("({} * CAST({} AS smallint))", a, self.of("int", depth), kind="dec")
            case 6:
                return write("round({}, 1)", a, kind="dec")
            case 0:
                return write("({} + {})", a, self._column_or("dec"), kind="dec")
            case 1:
                return write("({} - {})", a, self.of("int", depth), kind="dec")
            case 2:
                return write("(- {})", a, kind="dec")
            case 3:
                return write("abs({})", a, kind="dec")
            case _:
                return write("CAST({} AS numeric(12,2))", self.of("int", depth), kind="dec")

    def _g(self, depth: int) -> Sql:
        a = self.of("g", depth)
        match self._random.randrange(5):
            case 0:
                return write("({} + {})", a, self.of("g", depth), kind="g")
            case 1:
                return write("({} - {})", a, self.of("g", depth), kind="g")
            case 2:
                return write("(- {})", a, kind="g")
            case 3:
                return write("abs({})", a, kind="g")
            case _:
                return write("CAST({} AS double)", self.of("int", depth), kind="g")

    def _f(self, depth: int) -> Sql:
        a = self.of("f", depth)
        match self._random.randrange(3):
            case 0:
                return write("(- {})", a, kind="f")
            case 1:
                return write("abs({})", a, kind="f")
            case _:
                return write("coalesce({}, {})", a, self.of("g", depth), kind="f")

    def _text(self, depth: int) -> Sql:
        a = self.of("text", depth)
        match self._random.randrange(10):
            case 9:
                call = self._random.choice(_OF_TEXTS)
                return write(call, a, kind="text")
            case 0:
                return write("upper({})", a, kind="text")
            case 1:
                return write("lower({})", a, kind="text")
            case 2:
                return write("({} || {})", a, self.of("text", depth), kind="text")
            case 3:
                return write("substr({}, 1, 2)", a, kind="text")
            case 4:
                return write("trim({})", a, kind="text")
            case 5:
                return write("replace({}, 'a', 'bb')", a, kind="text")
            case 6:
                return write("concat({}, {})", a, self.of("int", depth), kind="text")
            case 7:
                return write("CAST({} AS text)", self.of(self._random.choice(("int", "bool", "date")), depth),
                             kind="text")  # fmt: skip
            case _:
                return write("left({}, 1)", a, kind="text")

    def _date(self, depth: int) -> Sql:
        match self._random.randrange(3):
            case 0:
                return write("({} + CAST({} AS integer))", self._column_or("date"), self.of("int", depth), kind="date")
            case 1:
                return write("CAST({} AS date)", self._column_or("ts"), kind="date")
            case _:
                return write("({} - 1)", self._column_or("date"), kind="date")

    def _ts(self, depth: int) -> Sql:
        match self._random.randrange(7):
            case 6:
                self.tags.add("time zones")
                zone = self._random.choice(("Europe/Berlin", "America/New_York", "UTC", "Asia/Kolkata"))
                return write(f"({{}} AT TIME ZONE '{zone}')", self._column_or("tstz"), kind="ts")
            case 3:
                return write("({} + {} * INTERVAL '1 second')", self.of("ts", depth), self.of("int", depth), kind="ts")
            case 4:
                name = self._random.choice(("second", "hour", "day", "week", "month", "year"))
                return write(f"date_trunc('{name}', {{}})", self.of("ts", depth), kind="ts")
            case 5:
                span = self._random.choice(("1 month", "1 day 2 hours", "-3 days", "1 year"))
                return write(f"({{}} + INTERVAL '{span}')", self._column_or("ts"), kind="ts")
            case 0:
                return write("({} + INTERVAL '90 seconds')", self.of("ts", depth), kind="ts")
            case 1:
                return write("date_trunc('minute', {})", self.of("ts", depth), kind="ts")
            case _:
                return write("CAST({} AS timestamp)", self._column_or("date"), kind="ts")

    def _tstz(self, depth: int) -> Sql:
        """Of local times only those of a zone whose clock never changes: the others disagree which of two is meant."""
        self.tags.add("time zones")
        match self._random.randrange(4):
            case 0:
                return write("({} AT TIME ZONE 'Asia/Kolkata')", self._column_or("ts"), kind="tstz")
            case 1:
                return write("({} + {} * INTERVAL '1 hour')", self._column_or("tstz"), self.of("int", 0), kind="tstz")
            case 2:
                word = self._random.choice(("hour", "day", "month"))
                return write(f"date_trunc('{word}', {{}})", self._column_or("tstz"), kind="tstz")
            case _:
                span = self._random.choice(("90 seconds", "-26 hours"))
                return write(f"({{}} + INTERVAL '{span}')", self.of("tstz", depth), kind="tstz")

    def _column_or(self, kind: Kind) -> Sql:
        columns = self.columns(kind)
        return self._random.choice(columns) if columns else literal(self._random, kind)

    # -- conditions --------------------------------------------------------------------------

    def condition(self, depth: int) -> Sql:
        """A condition; subqueries stand in it where they may."""
        if self._subquery is not None and self._random.random() < 0.2:
            found = self._subquery(self._scope)
            if found is not None:
                return found
        return self._bool(depth)

    def _bool(self, depth: int) -> Sql:
        if depth > 0 and self._random.random() < 0.4:
            a = self.condition(depth - 1)
            word = self._random.choice(("AND", "OR", "NOT"))
            if word == "NOT":
                return write("(NOT {})", a, kind="bool")
            return write(f"({{}} {word} {{}})", a, self.condition(depth - 1), kind="bool")
        column = self._random.choice(self._scope)
        if column.kind == "bool":
            suffix = self._random.choice(("", " IS TRUE", " IS NOT TRUE", " IS FALSE", " IS NULL"))
            return write(f"({{}}{suffix})" if suffix else "{}", column, kind="bool")
        if column.kind not in CALCULATED or self._random.random() < 0.1:
            return write(f"({{}} IS {self._random.choice(('', 'NOT '))}NULL)", column, kind="bool")
        return self._comparison(column, depth)

    def _compared(self, kind: Kind, depth: int) -> tuple[Sql, Sql]:
        first = self.of(kind, depth)
        return first, self._other(first, depth)

    def _comparison(self, column: Sql, depth: int) -> Sql:
        if depth > 0 and self._random.random() < 0.25:
            column = self.of(column.kind, depth - 1)
        other = self._other(column, depth)
        match self._random.randrange(8):
            case 0:
                return write("({} IS NOT DISTINCT FROM {})", column, other, kind="bool")
            case 1:
                return write("({} IS DISTINCT FROM {})", column, other, kind="bool")
            case 2:
                items = [literal(self._random, column.kind) for _ in range(self._random.randint(1, 3))]
                word = self._random.choice(("IN", "NOT IN"))
                return write(f"({{}} {word} ({', '.join('{}' for _ in items)}))", column, *items, kind="bool")
            case 3:
                word = self._random.choice(("BETWEEN", "NOT BETWEEN"))
                return write(f"({{}} {word} {{}} AND {{}})", column, other, self._other(column, 0), kind="bool")
            case 4 if column.kind == "text":
                word = self._random.choice(("LIKE", "NOT LIKE", "ILIKE"))
                pattern = self._random.choice(("a%", "%b", "_", "%", "", "%a%"))
                return write(f"({{}} {word} '{pattern}')", column, kind="bool")
            case _:
                return write(f"({{}} {self._random.choice(_COMPARISONS)} {{}})", column, other, kind="bool")

    def _other(self, column: Sql, depth: int) -> Sql:
        """Something to compare a column with: a literal, a column it goes together with, an expression."""
        draw = self._random.random()
        if draw < 0.4:
            return literal(self._random, column.kind)
        others = [c for c in self._scope if comparable(c.kind, column.kind) and c != column]
        if draw < 0.8 and others:
            return self._random.choice(others)
        return self.of(column.kind, depth)


def pairs(left: Scope, right: Scope) -> list[tuple[Sql, Sql]]:
    """Columns of both sides that can be compared."""
    return [(a, b) for a in left for b in right if comparable(a.kind, b.kind)]


def listed(parts: Sequence[Sql]) -> tuple[str, str]:
    return ", ".join(p.ours for p in parts), ", ".join(p.duck for p in parts)
