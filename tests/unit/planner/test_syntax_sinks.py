"""CREATE SINK, ALTER SINK and SHOW CREATE SINK as they are read."""

from __future__ import annotations

from typing import TypeVar

import pytest

from constellationdb.errors import ConstellationError
from constellationdb.planner.statements import (
    AlterSink,
    CreateSink,
    Drop,
    Explain,
    Select,
    Show,
    ShowCreateSink,
    Statement,
)
from constellationdb.planner.syntax import parse

S = TypeVar("S", bound=Statement)


def one(sql: str, kind: type[S]) -> S:
    (found,) = parse(sql)
    assert isinstance(found, kind)
    return found


def test_from_a_relation() -> None:
    found = one("CREATE SINK a.s FROM \"V\" WITH (connector = 'file', \"table\" = 't')", CreateSink)
    assert (found.relation, found.query, found.into) == ("V", None, None)
    assert found.options == {"connector": "file", "table": "t"}
    assert (found.name_position, found.relation_position) == (12, 21)


def test_the_last_with_is_the_options_of_the_sink_and_no_other() -> None:
    query = "WITH c AS (SELECT 1 AS a) SELECT a FROM c WHERE a IN (1)"
    sql = f"CREATE OR REPLACE SINK s INTO t AS {query} WITH (type = append)"
    found = one(sql, CreateSink)
    assert found.query is not None
    assert (
        found.query.text.strip()
        == found.query_text.strip()
        == "WITH c AS (SELECT 1 AS a) SELECT a FROM c WHERE a IN (1)"
    )
    assert (found.into, found.options, found.or_replace) == ("t", {"type": "append"}, True)
    assert sql[found.query.offset :].startswith("WITH c")


def test_a_query_without_options() -> None:
    found = one("CREATE SINK IF NOT EXISTS s INTO t AS SELECT 1 AS a;", CreateSink)
    assert (found.query_text, found.options, found.if_not_exists) == ("SELECT 1 AS a", {}, True)


def test_alter_drop_show_and_explain() -> None:
    assert one("ALTER SINK IF EXISTS s SET (commit_interval = '1s')", AlterSink).options == {"commit_interval": "1s"}
    dropped = one("DROP SINK IF EXISTS s, t CASCADE", Drop)
    assert (dropped.kind, dropped.names, dropped.cascade) == ("sink", ("s", "t"), True)
    assert one("SHOW CREATE SINK s", ShowCreateSink).name == "s"
    assert "constellation.sinks" in one("SHOW SINKS", Select).query.text
    assert one("SHOW sinks_setting", Show).name == "sinks_setting"
    assert isinstance(one("EXPLAIN CREATE SINK s INTO t FROM v", Explain).statement, CreateSink)


# ¦ stands before the character an error points at.
@pytest.mark.parametrize(
    ("marked", "message"),
    [
        ("CREATE SINK ¦FROM v", 'syntax error at or near "FROM"'),
        ("CREATE SINK s¦", "syntax error at end of input"),
        ("CREATE SINK s FROM v ¦WHERE true", 'syntax error at or near "WHERE"'),
        ("CREATE SINK s FROM v WITH (a = 1, ¦a = 2)", 'option "a" is given twice'),
        ("CREATE OR REPLACE SINK ¦IF NOT EXISTS s FROM v", "OR REPLACE and IF NOT EXISTS exclude each other"),
        ("CREATE SINK s AS SELECT 1 FROM ¦WHERE WITH (a = 1)", 'syntax error at or near "WHERE"'),
        ("CREATE SINK s AS ¦DELETE FROM t", 'syntax error at or near "DELETE"'),
        ("CREATE SINK s AS ¦SELECT 1 AS a AS OF EPOCH 3", "AS OF is not supported in a sink"),
        ("¦ALTER SINK s OWNER TO u", "ALTER SINK … OWNER is not supported"),
        ("ALTER SINK s ¦(a = 1)", 'syntax error at or near "("'),
        ("SHOW CREATE SINK s ¦t", 'syntax error at or near "t"'),
    ],
)
def test_errors_say_where(marked: str, message: str) -> None:
    with pytest.raises(ConstellationError) as caught:
        parse(marked.replace("¦", ""))
    assert (caught.value.message, caught.value.position) == (message, marked.index("¦") + 1)
