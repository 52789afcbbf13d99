"""The 22 queries of TPC-H as materialized views over tables that are loaded, changed and emptied while they run.

``queries/qNN.sql`` hold the benchmark's text with its validation parameters (but q17's brand
and q18's quantity, with which a small database answers nothing). The data is the
benchmark's own, made by ``tpchgen-cli``.
"""
