"""Calls that DuckDB has not, or means otherwise: written once, for us and for Postgres.

A template's arguments stand in it by their kind, as ``{int}``, and the last of a kind again as ``{int=}``; what it
gives has a kind, too, by which the rest of a query may go on with it. ``out`` is only shown. No other braces: those
are windows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.properties.oracle.expressions import Expressions, Kind, Sql

_ARGUMENT = re.compile(r"\{(int|big|dec|g|f|text|bool|date|ts|tstz)(=?)\}")


@dataclass(frozen=True)
class Word:
    template: str
    kind: Kind

    def written(self, made: Expressions, depth: int) -> Sql:
        last: dict[Kind, str] = {}

        def argument(found: re.Match[str]) -> str:
            if not found[2]:
                last[found[1]] = made.of(found[1], depth).ours
            return last[found[1]]

        text = _ARGUMENT.sub(argument, self.template)
        return Sql(text, text, self.kind)


def _words(kind: Kind, *templates: str) -> tuple[Word, ...]:
    return tuple(Word(template, kind) for template in templates)


_TEXTS = (
    *_words(
        "text", "right({text}, 2)", "left({text}, -1)", "reverse({text})", "repeat({text}, CAST({int} AS integer))",
        "lpad({text}, 4, 'xy')", "rpad({text}, 3)", "split_part({text}, 'a', 1)", "split_part({text}, 'a', -1)",
        "translate({text}, 'ab', 'b')", "initcap({text})", "md5({text})", "overlay({text} PLACING 'z' FROM 1 FOR 1)",
        "substring({text} FROM 2 FOR 1)", "substring({text}, 0, 2)", "substr({text}, -1, 3)",
        "regexp_replace({text}, '[ab]', 'z', 'g')", "regexp_replace({text}, '(.)', '<\\1>')",
        "concat_ws('-', {text}, {int}, {text})", "format('%s|%s', {text}, {int})",
        "btrim({text}, 'a ')", "to_hex(CAST({int} AS integer))", "chr(CAST(abs({int}) % 3 + 97 AS integer))",
        "substring({text} FROM '[a-x]')",
    ),
    *_words(
        "int", "strpos({text}, 'a')", "position('b' IN {text})", "ascii({text})", "octet_length({text})",
        "char_length({text})", "bit_length({text})",
    ),
    *_words("bool", "starts_with({text}, 'a')", "({text} ~ '^[ab]')", "({text} ~* 'A')", "({text} !~ 'b$')",
            "({text} LIKE {text} || '%')"),
)  # fmt: skip

_TIMES = (
    *_words(
        "ts", "date_trunc('hour', {ts})", "date_trunc('month', {ts})", "({ts} + {int} * INTERVAL '1 hour')",
        "({ts} + INTERVAL '1 month')", "({ts} - INTERVAL '1 year 2 days 3.5 seconds')", "({date} + INTERVAL '1 month')",
        "({date} - INTERVAL '36 hours')", "(({ts} AT TIME ZONE 'Europe/Berlin') AT TIME ZONE 'America/New_York')",
        "date_bin('15 seconds', {ts}, TIMESTAMP '2024-01-01')",
        "date_trunc('week', {ts})",
    ),
    *_words("date", "make_date(2024, CAST(abs({int}) % 12 AS integer) + 1, 28)",
            "CAST({date} + INTERVAL '1 year' AS date)",
            "to_date(to_char({ts}, 'YYYYMMDD'), 'YYYYMMDD')"),
    *_words(
        "int", "CAST(extract(dow FROM {ts}) AS integer)", "CAST(extract(isodow FROM {date}) AS integer)",
        "CAST(extract(doy FROM {date}) AS integer)", "CAST(extract(week FROM {ts}) AS integer)", "({date} - {date})",
        "CAST(extract(minute FROM ({ts} - {ts})) AS integer)", "CAST(date_part('quarter', {ts}) AS integer)",
    ),
    *_words(
        "text", "CAST(({ts} - {ts}) AS text)", "CAST(age({ts}, {ts}) AS text)", "CAST({ts} AS text)",
        "to_char({ts}, 'YYYY-MM-DD HH24:MI:SS.US')", "to_char({ts}, 'DD Mon YYYY HH12 AM')",
        "CAST(justify_hours({ts} - {ts} + INTERVAL '30 hours') AS text)",
        "CAST({int} * INTERVAL '1 day 1 hour' AS text)",
        "CAST(CAST({ts} AS time) AS text)", "CAST(({ts} - {ts}) / 7 AS text)",
    ),
    *_words("out", "extract(epoch FROM {ts})", "extract(epoch FROM ({ts} - {ts}))", "extract(second FROM {ts})"),
    *_words("bool", "(({ts} - {ts}) > INTERVAL '5 seconds')", "({ts} - {ts} = INTERVAL '0 days')",
            "({date} < {ts})", "({ts} + INTERVAL '1 day' > {date})"),
)  # fmt: skip

_NUMBERS = (
    *_words(
        "dec", "round({dec}, 1)", "round({dec})", "trunc({dec}, 1)", "ceil({dec})", "floor({dec})", "sign({dec})",
        "({dec} * {int})", "({dec} % 1.5)", "mod({dec}, 3)", "round({dec} / 3, 2)",
        "round({dec} / nullif({int}, 0), 3)",
        "({dec} * 0.5)", "CAST({dec} AS numeric(30,1))", "CAST({g} AS numeric(10,1))", "round(CAST({g} AS numeric), 1)",
        "abs({dec} - 0.125)", "round({int}, -1)", "greatest({dec}, {int}, 0.5)",
    ),
    *_words(
        "int", "({int} / nullif({int}, 0))", "({int} % nullif({int}, 0))", "CAST({g} AS integer)", "({int} & 3)",
        "({int} | 4)", "({int} # 5)", "({int} << 2)", "(~ {int})", "({int} >> 1)",
        "CAST(CAST({int} AS text) AS integer)",
        "sign({int})", "gcd({int}, 6)", "mod({int}, -3)", "CAST(round({dec} % 100) AS integer)",
    ),
    *_words("g", "round({g})", "ceil({g})", "floor({g})", "trunc({g})", "sign({g})", "({g} * 0.5)", "({g} / 2)"),
    *_words("big", "CAST({dec} AS bigint)", "({big} / 3)", "({big} % 1000)", "(- ({big} / 2))",
            "(CAST({int} AS bigint) * 1000000000)"),
    *_words("text", "CAST({g} AS text)", "CAST({f} AS text)", "CAST({big} AS text)"),
    *_words("out", "power({int}, 2)", "sqrt(abs({int}))", "({dec} * {g})", "({g} / nullif({int}, 0))", "({big} * {g})"),
    *_words("bool", "({dec} = {g})", "({big} > {g})", "({dec} * 2 > {big})", "({f} = {dec})"),
)  # fmt: skip

_OBJECT = "jsonb_build_object('a', {int}, 'b', {text}, 'c', jsonb_build_array({int}, {bool}, {text}))"
_JSON = (
    *_words(
        "text", f"({_OBJECT} ->> 'b')", f"CAST({_OBJECT} AS text)", f"({_OBJECT} #>> ARRAY['c', '2'])",
        f"CAST({_OBJECT} -> 'c' -> -1 AS text)", f"CAST({_OBJECT} - {{text}} AS text)",
        "jsonb_typeof(to_jsonb({int}))", "CAST(to_jsonb(CAST({text} AS text)) AS text)",
        "CAST(jsonb_set(jsonb_build_object('a', jsonb_build_object('b', 1)), ARRAY['a', 'b'],"
        " coalesce(to_jsonb({int}), 'null')) AS text)",
        f"CAST(jsonb_strip_nulls({_OBJECT}) AS text)",
        "CAST(json_build_object('a', {text}, 'g', {g}, 'd', {ts}) AS text)",
        "CAST(json_build_array({text}, {int}, {bool}, {date}) AS text)",
        f"CAST({_OBJECT} || jsonb_build_object('b', {{bool}}) AS text)", "CAST(to_jsonb({ts}) AS text)",
    ),
    *_words("int", f"CAST({_OBJECT} ->> 'a' AS integer)", "jsonb_array_length(jsonb_build_array({int}, {text}))"),
    *_words("bool", f"({_OBJECT} @> jsonb_build_object('a', 1))", f"({_OBJECT} ? {{text}})", f"({_OBJECT} = {_OBJECT})",
            "(to_jsonb(CAST({text} AS text)) <> '\"a\"')", f"({_OBJECT} -> 'c' @> to_jsonb({{int}}))"),
)  # fmt: skip

_LIST = "ARRAY[CAST({int} AS bigint), CAST({int} AS bigint), NULL]"
_ARRAYS = (
    *_words("int", f"({_LIST})[1]", f"({_LIST})[CAST({{int}} AS integer)]", f"array_length({_LIST}, 1)",
            f"cardinality({_LIST})", f"array_position({_LIST}, CAST({{int}} AS bigint))"),
    *_words("text", "array_to_string(ARRAY[{text}, {text}, NULL], ',', 'nil')", f"CAST({_LIST} AS text)",
            "CAST(ARRAY[{text}, CAST({text} AS text)] AS text)", "CAST(string_to_array({text}, 'a') AS text)",
            f"CAST({_LIST} || CAST({{int}} AS bigint) AS text)",
            f"CAST(array_remove({_LIST}, CAST(1 AS bigint)) AS text)",
            f"CAST(({_LIST})[1:2] AS text)"),
    *_words("bool", "({int} = ANY (ARRAY[{int}, 3, NULL]))", "({int} <> ALL (ARRAY[{int}, {int}]))",
            f"({_LIST} @> ARRAY[CAST({{int}} AS bigint)])", f"({_LIST} && {_LIST})", f"({_LIST} = {_LIST})",
            f"({_LIST} < {_LIST})", f"({_LIST} IS NOT DISTINCT FROM {_LIST})"),
)  # fmt: skip

_CASES = (
    *_words("int", "CASE WHEN {bool} THEN {int} WHEN {bool} IS NULL THEN {int} ELSE 7 END",
            "coalesce(nullif({int}, {int}), {int})"),
    *_words("text", "CASE {int} WHEN 1 THEN {text} WHEN {int} THEN 'same' ELSE coalesce({text}, 'none') END"),
    *_words("bool", "(({int}, {text}) < ({int}, {text}))", "(({int}, {text}) = ({int}, 'a'))", "({bool} = {bool})",
            "(({int}, {bool}) IS DISTINCT FROM ({int}, {bool}))", "(({bool}) IS UNKNOWN)",
            "({int} BETWEEN SYMMETRIC {int} AND {int})", "({bool} > {bool})"),
)  # fmt: skip

# In the time zone of the session, too.
_ZONES = (
    *_words("text", "CAST({tstz} AS text)", "to_char({tstz}, 'YYYY-MM-DD HH24:MI')",
            "CAST({tstz} AT TIME ZONE 'Europe/Berlin' AS text)"),
    *_words("date", "CAST({tstz} AS date)", "CAST({tstz} AT TIME ZONE 'Asia/Tokyo' AS date)"),
    *_words("tstz", "date_trunc('day', {tstz})", "date_trunc('day', {tstz}, 'Europe/Berlin')",
            "CAST({ts} AS timestamptz)", "({tstz} + INTERVAL '1 month')", "({tstz} - INTERVAL '1 day 1 hour')",
            "make_timestamptz(2024, 3, 10, CAST(abs({int}) % 24 AS integer), 30, 0)"),
    *_words("ts", "CAST({tstz} AS timestamp)", "({tstz} AT TIME ZONE 'America/New_York')"),
    *_words("int", "CAST(extract(hour FROM {tstz}) AS integer)", "CAST(extract(doy FROM {tstz}) AS integer)"),
    *_words("bool", "({tstz} < CAST({ts} AS timestamptz))", "({tstz} BETWEEN {tstz} AND {tstz})"),
)  # fmt: skip

WORDS: dict[str, tuple[Word, ...]] = {
    "texts": _TEXTS, "times": _TIMES, "zones": _ZONES, "numbers": _NUMBERS, "jsonb": _JSON, "arrays": _ARRAYS,
    "cases": _CASES,
}  # fmt: skip


def _near(template: str) -> str:
    """Nearly zero is zero: how close depends on the order in which doubles are added."""
    return f"round(CAST({template} AS numeric), 6)"


# Aggregates; ``ORDER BY`` in them leaves nothing open.
AGGREGATES = (
    *_words(
        "text", "CAST(json_agg({int} ORDER BY {int=}) AS text)", "CAST(jsonb_agg({text} ORDER BY {text=}) AS text)",
        "CAST(json_object_agg(coalesce({text}, '-'), {int} ORDER BY {text=}, {int=}) AS text)",
        "CAST(jsonb_object_agg(coalesce({text}, '-'), {int} ORDER BY {text=}, {int=}) AS text)",
        "string_agg(DISTINCT {text}, ',')", "string_agg({text}, ',' ORDER BY {text=} DESC)",
        "CAST(array_agg(DISTINCT {int}) AS text)",
        "array_to_string(array_agg({text} ORDER BY {text=} NULLS FIRST), '+')",
        "CAST(max({ts}) - min({ts}) AS text)",
    ),
    *_words(
        "out", "mode() WITHIN GROUP (ORDER BY {int})", _near("corr({int}, {g})"), _near("covar_pop({int}, {g})"),
        _near("covar_samp({g}, {int})"), _near("regr_slope({int}, {g})"), _near("regr_intercept({g}, {int})"),
        _near("regr_r2({int}, {int})"),
        "regr_avgx({int}, {g})", _near("regr_sxy({int}, {g})"), "round(avg({dec}), 4)", "avg({int})",
        _near("stddev({g})"),
        "percentile_cont(0.3) WITHIN GROUP (ORDER BY {g} DESC)", "percentile_disc(0.7) WITHIN GROUP (ORDER BY {text})",
        _near("variance({int})"), "cume_dist(3) WITHIN GROUP (ORDER BY {int})",
    ),
    *_words(
        "big", "regr_count({int}, {g})", "rank(3) WITHIN GROUP (ORDER BY {int})",
        "count(DISTINCT {ts}) FILTER (WHERE {bool})",
        "sum({int}) FILTER (WHERE {bool})", "count(DISTINCT ({int}, {text}))",
        "sum(CASE WHEN {bool} THEN 1 ELSE 0 END)",
        "dense_rank(2) WITHIN GROUP (ORDER BY {int} DESC)",
    ),
    *_words("bool", "every({bool})", "bool_or({bool})", "(count(*) > count({int}))"),
    *_words("dec", "sum(DISTINCT {dec})", "min({dec})", "sum({dec} * {int})"),
    *_words("date", "max({date})", "min(CAST({ts} AS date))"),
)  # fmt: skip
