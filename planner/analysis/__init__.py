"""Parse analysis: names and types of a query as Postgres sees them, before DataFusion plans it.

    parse tree ──Analyzer──▶ the same tree, in place: literals typed, USING joins spelled out, casts that round,
                             constants computed with Postgres' limits; or Postgres' error with its position

What it is sure of it says; an expression whose type it does not know (None) passes unchecked, and
DataFusion has the last word. It promises never to refuse what Postgres accepts and DataFusion answers
right. It knows no plans and no rows: only the text's tree and the columns of the relations it names.

    kinds.py      the names of types, which go together
    texts.py      string literals that become values: checked where they stand
    operators.py  what an operator makes of its operands, and how Postgres' answer is got from DataFusion
    zoning.py     what depends on the time zone, in words that name it
    calls.py      what functions return, which are aggregates
    scope.py      the columns that FROM brings into sight
    expressions.py, queries.py   the walk
"""
