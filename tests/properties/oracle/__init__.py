"""The oracle: what a query should have answered, and a driver that compares after every epoch.

    draw schemas and rows ──▶ changes cut into epochs ──▶ Graph (1 to 3 workers, restarted midway)
                          └─▶ accumulated rows ──▶ DuckDB's batch answer        compared at every epoch

- ``tables``: random schemas and values (NULL, NaN, -0.0, 1e16 beside 0.1, bigint extremes, '').
- ``history``: random changes, deletions included, in weighted and shuffled deltas; sources with watermarks.
- ``windows``: which rows a window uses and which are late, in plain Python, from the logged watermarks.
- ``answers``: DuckDB over what the history has accumulated. Never DataFusion: our planner stands on it.
- ``compare``: multisets of canonical rows; exact, or within a form's stated number of ulps.
- ``pipeline``: the system under test: one graph per stage, the output of one the input of the next; often with
  rows borrowed by the shared index, whose writer is ahead, and with jobs made over rows that are already there.
- ``snapshots``: the same query as one SELECT over the rows there are.
- ``case``: one case: its schedule of epochs, checkpoints and restarts, and the comparison.
- ``forms_*``: the query forms. ``run``: a form's cases, and what they must have seen to count.
- ``expressions``, ``calls``, ``items``, ``queries``, ``shapes``, ``generate``: random queries in the words of both.
- ``hunt``: random queries on random schedules, counted by form. ``choices``, ``script``: a failure made small.
- ``planted``: bugs that must be found.

It shares no code with the engine or the planner beyond calling them. What it
leaves out: sessions, the epoch log and lookup tables, which have tests of their own.
"""
