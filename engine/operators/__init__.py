"""The incremental operators, one a file.

An operator is called once an epoch with the changes of its inputs and answers
with the change of its output; between calls it keeps state. ``process`` never
blocks and never fails half-way: rows that cannot be computed go to
``context.errors``. The accumulated output equals the batch answer over the
accumulated input, for any cut of the input into epochs.
"""
