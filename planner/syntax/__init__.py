"""From the text a client sent to statements: the front end of the parser.

``parse(sql)`` gives the values of ``planner.statements``, one a statement.

What it promises:
- Positions count characters of the whole text sent, whatever the encoding makes of them.
- Syntax is Postgres': its scanner cuts the tokens, its grammar judges everything it knows, its words are the errors'.
- What we add to the language never changes what Postgres' own syntax means: ``emit`` can still name a column.
- Values are frozen and may be shared: equal texts may give the same values.

How a text travels:

    tokens      Postgres' scanner, in characters           split       statements at ``;``
    classify    the first words choose a reader            mask        streaming clauses blanked in place
    postgres    the masked text must be valid SQL          readers     walk tokens or parse tree for the parts

    SELECT * FROM t EMIT CHANGES   ->  Query("SELECT * FROM t             ", emit=Emit("changes", explicit=True))

Readers: ``definitions`` (CREATE TABLE, SOURCE, LOOKUP TABLE; ``columns``, ``watermark``, ``options``), ``views``,
``queries`` (SELECT, SUBSCRIBE; ``emit``, ``temporal``), ``changes`` (INSERT, UPDATE, DELETE; ``rows``), ``copying``,
``session``. ``edits`` helps later stages that rewrite text and still want true positions.

Left out: names are not resolved and expressions are not looked into; that is the planner's.
"""

from constellationdb.planner.syntax.parsing import parse

__all__ = ["parse"]
