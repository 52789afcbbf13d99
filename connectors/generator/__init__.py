"""Rows from arithmetic: the same (seed, row number) gives the same row, on every machine, at any offset.

    preset    rows
    market    trades of some two dozen symbols
    nexmark   bid, auction or person of the Nexmark benchmark (option ``table``)
    sensors   readings with the NULLs and NaNs that real ones have

A row is a closed form of its number: integer hashes, shifts and remainders
over numpy vectors, texts taken from pools of a few thousand entries. Nothing
is carried from row to row, so a position is just ``{"row": n}`` and a replay
computes the rows again.

Event time of row n is ``start + n / event_rate``, moved back by up to
``disorder``; a ``late`` fraction of the rows is moved back further than that,
by up to ``late_by`` more. ``rate`` only decides when a row is due, never what
it holds. All readers of one source share one pace: a reader that begins later
catches up as fast as it is asked.

Left out: floats in the arithmetic (a rounding mode must not change a row),
rows that depend on earlier rows, and Nexmark's ramp of changing rates.
"""
