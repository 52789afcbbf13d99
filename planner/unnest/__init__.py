"""Correlated subqueries as joins, whatever they hold: LIMIT, grouping, set operations, recursion.

A subquery is asked for every row around it, but its answer depends only on the columns of that row which it
mentions. So those are collected, each combination once (the *domain*), the subquery is made to answer for all
of the domain in one go, and its answers are joined back (Neumann and Kemper, "Unnesting Arbitrary Queries", 2015):

    SELECT t.a, (SELECT u.b FROM u WHERE u.k = t.k ORDER BY u.b LIMIT 1) FROM t

    SELECT t.a, answers.b FROM t LEFT JOIN
      (… SELECT domain.k, u.b, row_number() OVER (PARTITION BY domain.k ORDER BY u.b) …
         FROM (SELECT DISTINCT t.k FROM t) AS domain, u WHERE u.k = domain.k …) AS answers
      ON answers.k IS NOT DISTINCT FROM t.k

Every alias of the tree is its own and every column says its alias: the analysis sees to that when it is asked to.
"""
