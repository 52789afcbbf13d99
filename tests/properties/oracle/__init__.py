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
- ``again``: a second run beside the first, by other workers, in other batches and epochs, with another restart.
- ``snapshots``: the same query as one SELECT over the rows there are.
- ``case``: one case: its schedule of epochs, checkpoints and restarts, and the comparison.
- ``forms_*``: the query forms. ``run``: a form's cases, and what they must have seen to count.
- ``expressions``, ``calls``, ``items``, ``queries``, ``shapes``, ``generate``: random queries in the words of both.
- ``constructs``: what random queries must have met; each has its turn. ``tally``: what they met.
- ``hunt``: random queries on random schedules. ``choices``, ``script``: a failure made small.
- ``planted``: bugs that must be found.

It shares no code with the engine or the planner beyond calling them. Who draws what, all at every epoch, with
retractions and restarts (``postgres`` is the other hunt, of whole databases):

    joins of every kind, LATERAL, subqueries, ASOF, versions of sources   here; versions of tables: postgres
    interval joins and what they leave out                               here, for tables; test_interval_joins
    temporal filters, lookup tables                                      postgres; test_temporal_filters
    aggregates, FILTER, grouping sets                                    here; jsonb, moments, ordered sets: postgres
    windows, sessions, late rows (assigned = used + late), ON CLOSE      here
    idle timeouts, watermarks per partition, now()-driven closes         tests/unit/engine, sqllogic/streaming
    ranking, frames, DISTINCT ON, LIMIT; sets, WITH, recursion, arrays   here
    texts, times, time zones, jsonb, regular expressions, casts          here where DuckDB agrees; postgres
    DML of all kinds, constraints, transactions, errors of statements    postgres
    ADD COLUMN, OR REPLACE with dependants, CREATE INDEX                 postgres; test_replaced_views
    views made over rows that are there (backfill)                       here ("jobs made late"); postgres
    changelog, EMIT CHANGES, SUBSCRIBE, AS OF EPOCH, read-only snapshots postgres
    user functions                                                       test_user_functions
    EXPLAIN, system views                                                tests/unit/planner, sqllogic/streaming
"""
