"""Measures by group slot: what GROUP BY keeps instead of rows.

Each accumulator adds and takes back weighted values and can be read at any
time. What is read depends on the rows that are in it only, never on their
order or on what came and went.

- ``accumulator``: the interface; ``choosing``: which one serves a measure.
- ``sums``: count, sum, avg. ``extremes``: min and max. ``truths``, ``bits``,
  ``moments``: bool_and, bit_or, stddev, corr and their kin.
- ``multiset``: the different values of each group, counted and in order: what
  DISTINCT and a min or max of changing rows need beside accumulators.
"""
