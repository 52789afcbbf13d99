"""A table in Postgres as a sink: rows and marker in one transaction there.

BEGIN
SELECT epoch … FROM constellation_sinks … FOR UPDATE     whoever else writes as this sink waits here, and is found out
COPY t FROM STDIN                                        append
COPY put FROM STDIN; INSERT INTO t … ON CONFLICT …       upsert, over a temporary table
COPY gone FROM STDIN; DELETE FROM t USING gone …
UPDATE constellation_sinks SET epoch = …
COMMIT

sink      CREATE SINK … WITH (connector = 'postgres'), and its writer
target    the table there: made if it is absent, else compared with what is written
"""
