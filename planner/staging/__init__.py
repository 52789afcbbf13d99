"""A query cut into stages where Substrait has no words for a part of it: functions that return sets, and recursion.

    WITH c AS (…) SELECT t.a, unnest(t.b) FROM t JOIN c …

    rel1 = the rows of c                               a stream, which all that read it share
    rel2 = unnest of SELECT t.a, t.b FROM t JOIN rel1  a stream over the plan of that SELECT
    SELECT rel2.a, rel2.u FROM rel2                    what is left, and planned as any query

The trees are as ``planner.unnest`` leaves them: no subqueries in expressions, every alias its own.
"""
