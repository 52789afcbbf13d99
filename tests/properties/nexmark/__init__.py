"""The queries of Nexmark as views over its three streams, equal to DuckDB's batch answers while the streams flow.

``queries/qNN.sql`` is what we are told, ``qNN.duckdb.sql`` what DuckDB is told where the same text would not do. Two
things differ from the benchmark's text: ties of an ORDER BY are broken by more columns, and q14 counts a letter by
``replace`` instead of a user's function. q12 groups by the time of arrival: there is no batch answer to it.
"""
