"""SQL text to incremental plan.

    text ──syntax/──▶ statement ──resolving──▶ names of relations ──analysis/, rewrite/──▶ Postgres AST
         ──DataFusion──▶ Substrait ──gate──▶ checked relations ──lower/──▶ plan.Node tree ──explain──▶ text

What it promises: a query is lowered to operators whose accumulated output is
the batch query's answer, or it is refused with 0A000 naming the missing part.
``analysis`` says what Postgres would say of names and types, DataFusion resolves
the rest, subqueries included; nothing of its physical plan is used here.
Substrait is trusted only for a closed list of relations and expressions
(``gate``), and integer arithmetic and sums are replaced by checked ones before
anything is lowered (``arithmetic``).

What it leaves out: executing anything, and knowing where state lives.
"""
