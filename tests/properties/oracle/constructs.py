"""What random queries must have met, and when a construct counts as met.

A query with the construct in it proves something only if its answer had rows, and rows of that answer were taken back:
so changes have gone all the way through. What closes never takes back; there a row must have come late instead.
"""

from __future__ import annotations

CLOSING = ("EMIT ON WINDOW CLOSE", "ALLOW LATENESS", "window join closed")

CONSTRUCTS = (
    # Joins.
    "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN", "self join", "join of three", "residual",
    "join without equality", "IS NOT DISTINCT FROM join", "USING", "NATURAL", "three-way outer join of aggregates",
    "LATERAL aggregate", "LATERAL top-N", "interval join", "interval join open", "ASOF JOIN", "ASOF LEFT JOIN",
    "ASOF backward", "ASOF forward", "ASOF nearest", "MATCH_CONDITION", "FOR SYSTEM_TIME AS OF",
    # Subqueries.
    "EXISTS", "NOT EXISTS", "IN", "NOT IN", "quantified", "scalar", "scalar selected", "correlated",
    "correlated by inequality", "row IN",
    # Aggregates.
    "GROUP BY", "global aggregate", "HAVING", "aggregate FILTER", "count(*)", "count", "sum", "min", "max", "avg",
    "distinct", "sum distinct", "bools", "bits", "spread", "string_agg", "array_agg", "percentile", "ROLLUP", "CUBE",
    "GROUPING SETS",
    # Windows.
    "TUMBLE", "HOP", "CUMULATE", "SESSION", "window offset", *CLOSING,
    # Ranking and frames.
    "DISTINCT", "DISTINCT ON", "ORDER BY LIMIT", "OFFSET", "top-N per key", "OVER row_number", "OVER rank",
    "OVER dense_rank", "OVER ntile", "OVER lag", "OVER lead", "OVER first_value", "OVER last_value", "OVER nth_value",
    "OVER running sum", "OVER filtered", "OVER framed", "OVER ranged", "OVER grouped", "EXCLUDE",
    # The rest.
    "UNION", "UNION ALL", "EXCEPT", "EXCEPT ALL", "INTERSECT", "INTERSECT ALL", "WITH", "recursion UNION",
    "recursion UNION ALL", "VALUES", "unnest", "generate_series", "array_agg unnested", "time zones", "view on view",
    "plain view", "TLP", "NoREC",
)  # fmt: skip


def wanted(seed: int, constructs: tuple[str, ...] = CONSTRUCTS) -> str:
    """Every construct has its turn, so that the rare ones are drawn as well."""
    return constructs[seed % len(constructs)]


def counts(tag: str, *, answers: int, taken_back: int, late: int) -> bool:
    return bool(answers and (late if tag in CLOSING else taken_back))
