"""Benchmarks: what the whole engine does in a second, and how long a row takes to be seen.

    python -m bench nexmark [--query q5] [--events N] [--input memory|parquet|jsonl] [--json]
    python -m bench latency [--seconds N] [--json]
    python -m bench joins [--case left] [--rows N] [--json]
    python -m bench curves [--case "top 2 of each key"] [--rows N] [--json]
    python -m bench scaling [--case sums] [--workers 1 --workers 2] [--json]
    python -m bench state [--store memory] [--keys N] [--json]
    python -m bench wire [--case "select text"] [--rows N] [--json]

``nexmark`` runs each query twice over the same rows: as a materialized view,
from a source through epochs, watermarks and jobs to a subscriber that reads
every column of every change; and as one DuckDB query with one thread. Each
runs in a process of its own on the same core. The answers are compared, by a
checksum taken in a second run that nobody times.

``joins`` keeps views of two changing tables; ``curves`` shows for every operator what an epoch of
the same changes costs as its state grows ×1, ×10, ×100.

``scaling`` runs the same views on one worker and on worker processes, and compares their answers.

``state`` fills and reads the state stores, and takes snapshots of them.

``latency`` starts a server, and measures through the Postgres port. ``wire`` counts the
rows that leave by it in a CPU second of the server.

Figures of one machine say little: compare ratios, from one run. Nothing here is
run by the tests except a few thousand events, to see that the answers are right.
"""
