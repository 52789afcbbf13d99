"""The oracle: what a query should have answered, and a driver that compares after every epoch.

    draw schemas and rows ──▶ changes cut into epochs ──▶ Graph (1 to 3 workers, restarted midway)
                          └─▶ accumulated rows ──▶ DuckDB's batch answer        compared at every epoch

- ``tables``: random schemas and values (NULL, NaN, -0.0, 1e16 beside 0.1, bigint extremes, '').
- ``history``: random changes, deletions included, in weighted and shuffled deltas; sources with watermarks.
- ``windows``: which rows a window uses and which are late, in plain Python, from the logged watermarks.
- ``answers``: DuckDB over what the history has accumulated. Never DataFusion: our planner stands on it.
- ``compare``: multisets of canonical rows; exact, or within a form's stated number of ulps.
- ``pipeline``: the system under test: one graph per stage, the output of one the input of the next.
- ``forms_*``: the query forms. ``run``: one case, and what it must have seen to count.

It shares no code with the engine or the planner beyond calling them. What it
leaves out: sessions, the epoch log and lookup tables, which have tests of their own.
"""
