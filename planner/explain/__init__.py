"""EXPLAIN: what will run, in the names the user wrote.

    explain           the incremental plan of a continuous query, one block an operator
    explain_snapshot  what a snapshot query reads, as of which epoch, and DataFusion's plan over it

    words, literals   expressions as SQL          names     what each node's columns are called
    steps             a fragment's inner steps    facts     what is said of every operator
    closing           what frees state            sides     whose rows a join finds its inputs in
    kinds             what operators are called

An operator's facts are read off its plan node, by the rules its operator follows in ``engine/operators``.
"""

from constellationdb.planner.explain.kinds import Kind, kinds, measures
from constellationdb.planner.explain.snapshot import Reading, explain_snapshot, without_checks
from constellationdb.planner.explain.tree import Actual, Sink, aligned, explain

__all__ = ["Actual", "Kind", "Reading", "Sink", "aligned", "explain", "explain_snapshot", "kinds", "measures",
           "without_checks"]  # fmt: skip
