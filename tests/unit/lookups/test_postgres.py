"""Lookups in a real Postgres: what reached it, as its own log has it, and that the rows are those of its own join."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from constellationdb.clock import ManualClock
from constellationdb.embedded import Database
from constellationdb.embedded.local import LocalLink
from constellationdb.engine.engine import Engine
from tests.unit.lookups.conftest import Rows, eventually, rows
from tests.unit.lookups.watched import Watched

ITEMS = """
    DROP TABLE IF EXISTS item;
    CREATE TABLE item (id int PRIMARY KEY, tier text, price numeric(12,2), since date, live boolean, unused text);
    INSERT INTO item SELECT i, CASE WHEN i % 7 > 0 THEN 'tier ' || i % 4 END, CASE WHEN i % 5 > 0 THEN i / 4.0 END,
        date '2024-01-01' + i, CASE i % 3 WHEN 0 THEN true WHEN 1 THEN false END, 'x'
        FROM generate_series(0, 79) AS g(i)
"""
COLUMNS = "(id int PRIMARY KEY, tier text, price numeric(12,2), since date, live boolean)"
NUMBERS = "SELECT n, n, n % 10 FROM generate_series(0, 99) AS g(n)"


@pytest.fixture
def server(postgres: str) -> Iterator[Watched]:
    watched = Watched(postgres)
    yield watched
    watched.connection.close()


@pytest.fixture
def items(server: Watched, database: Database) -> Watched:
    """A table ``item`` there, the same as lookup tables ``item`` and ``keeping`` here, and a stream on both sides."""
    server.run(ITEMS)
    database.execute(f"CREATE LOOKUP TABLE item {COLUMNS} {server.options('item')}")
    database.execute(f"CREATE LOOKUP TABLE keeping {COLUMNS} {server.options('item', pushdown='disabled')}")
    server.run("DROP TABLE IF EXISTS s; CREATE TABLE s (n int PRIMARY KEY, k int, w int)")
    server.run("INSERT INTO s " + NUMBERS)
    database.execute("CREATE TABLE s (n int PRIMARY KEY, k int, w int)")
    database.execute("INSERT INTO s " + NUMBERS)
    return server


PUSHED = {
    "d.tier = 'tier 1'": ("""t."tier" = $2::text""", "'tier 1'"),
    "d.tier <> 'tier 1'": ("""t."tier" <> $2::text""", "'tier 1'"),
    "10.5 < d.price": ("""t."price" > $2::numeric""", "'10.50'"),
    "d.price <= 3.25": ("""t."price" <= $2::numeric""", "'3.25'"),
    "d.since >= '2024-02-01'": ("""t."since" >= $2::date""", "'2024-02-01'"),
    "d.tier < 'tier 2'": ("""t."tier" COLLATE "C" < $2::text""", "'tier 2'"),
    "d.tier IN ('tier 0', 'tier ''3')": ("""t."tier" = ANY($2::text[])""", """'{"tier 0","tier ''3"}'"""),
    "d.tier = 'tier 1' OR d.tier = 'tier 3'": ("""t."tier" = ANY($2::text[])""", """'{"tier 1","tier 3"}'"""),
    "d.live": ("""t."live" = $2::boolean""", "'t'"),
    "NOT d.live": ("""t."live" = $2::boolean""", "'f'"),
    "d.price IS NULL": ("""t."price" IS NULL""", None),
    "d.live IS NOT NULL": ("""t."live" IS NOT NULL""", None),
}


@pytest.mark.parametrize("test", PUSHED)
def test_a_predicate_reaches_postgres_as_a_parameter(items: Watched, database: Database, test: str) -> None:
    text, value = PUSHED[test]
    query = f"SELECT s.n, d.id FROM s JOIN {{}} d ON d.id = s.k AND ({test})"
    for table in ("item", "keeping"):
        database.execute(f"CREATE MATERIALIZED VIEW by_{table} AS {query.format(table)}")
    wanted = items.rows(query.format("item") + " ORDER BY 1")
    assert 0 < len(wanted) < 80
    for table in ("item", "keeping"):
        eventually(database, f"SELECT * FROM by_{table} ORDER BY n", wanted.__eq__)
    pushing, keeping = _split(items, text)
    assert pushing
    for where, values in pushing:
        assert where == f't."id" = ANY($1::integer[]) AND {text}'
        assert values[1:] == (() if value is None else (value,))
    assert all(where == 't."id" = ANY($1::integer[])' and len(values) == 1 for where, values in keeping)
    ((received, kept),) = rows(
        database, "SELECT rows_received, rows_kept FROM constellation.lookups WHERE name = 'item'"
    )
    assert received == kept == len(wanted)
    assert items.sent("item") == len(wanted) + 80
    (all_of_them,) = rows(database, "SELECT rows_received, rows_kept FROM constellation.lookups WHERE name = 'keeping'")
    assert all_of_them == (80, len(wanted))


def _split(items: Watched, text: str) -> tuple[list[tuple[str, tuple[str, ...]]], list[tuple[str, tuple[str, ...]]]]:
    """(WHERE, parameters) of the questions that have the pushed text, and of the others."""
    asked = [(question.where, question.values) for question in items.asked("item")]
    return [each for each in asked if text in each[0]], [each for each in asked if text not in each[0]]


@pytest.mark.parametrize(
    ("join", "where", "asked"),
    [
        ("JOIN", "d.price > s.w", 't."id" = ANY($1::integer[])'),
        ("JOIN", "d.tier = 'tier 1' OR s.w = 3", 't."id" = ANY($1::integer[])'),
        ("JOIN", "upper(d.tier) = 'TIER 1'", 't."id" = ANY($1::integer[])'),
        ("JOIN", "d.price * 2 > 10", 't."id" = ANY($1::integer[])'),
        ("LEFT JOIN", "d.tier = 'tier 1' OR d.tier IS NULL", 't."id" = ANY($1::integer[])'),
        ("LEFT JOIN", "d.price IS NULL", 't."id" = ANY($1::integer[])'),
        ("JOIN", "s.w = 3 AND d.live = true", 't."id" = ANY($1::integer[]) AND t."live" = $2::boolean'),
    ],
)
def test_what_cannot_be_pushed_is_answered_here(
    items: Watched, database: Database, join: str, where: str, asked: str
) -> None:
    query = f"SELECT s.n, d.id, d.tier FROM s {join} item d ON d.id = s.k WHERE {where}"
    database.execute(f"CREATE MATERIALIZED VIEW v AS {query}")
    wanted = items.rows(query + " ORDER BY 1")
    assert wanted
    eventually(database, "SELECT * FROM v ORDER BY n", wanted.__eq__)
    assert {question.where for question in items.asked("item")} == {asked}


def test_a_filter_on_the_stream_asks_for_fewer_keys(items: Watched, database: Database) -> None:
    database.execute("CREATE MATERIALIZED VIEW v AS SELECT s.n FROM s JOIN item d ON d.id = s.k WHERE s.w = 3")
    eventually(database, "SELECT n FROM v ORDER BY n", lambda found: len(found) == 8)
    assert sorted(int(key) for question in items.asked("item") for key in question.keys) == list(range(3, 100, 10))


def test_only_the_columns_that_are_read_are_fetched(items: Watched, database: Database) -> None:
    database.execute(
        "CREATE MATERIALIZED VIEW v AS SELECT s.n, d.tier FROM s JOIN item d ON d.id = s.k AND d.price > 1"
    )
    eventually(database, "SELECT n FROM v", bool)
    assert {question.text.partition(" FROM ")[0] for question in items.asked("item")} == {'SELECT t."id", t."tier"'}


def test_null_keys_ask_nothing_and_null_values_stay_null(items: Watched, database: Database) -> None:
    database.execute("CREATE TABLE r (n int PRIMARY KEY, k int)")
    database.execute("CREATE MATERIALIZED VIEW l AS SELECT r.n, d.tier, d.price FROM r LEFT JOIN item d ON d.id = r.k")
    database.execute("CREATE MATERIALIZED VIEW j AS SELECT r.n FROM r JOIN item d ON d.id = r.k")
    database.execute("INSERT INTO r VALUES (1, NULL), (2, NULL)")
    assert rows(database, "SELECT * FROM l ORDER BY n") == [(1, None, None), (2, None, None)]
    assert rows(database, "SELECT * FROM j") == []
    assert items.asked("item") == []
    database.execute("INSERT INTO r VALUES (3, 35), (4, 1000), (5, 70)")
    wanted = items.rows(
        "SELECT n, d.tier, d.price FROM (VALUES (1, NULL), (2, NULL), (3, 35), (4, 1000), (5, 70)) r(n, k)"
        " LEFT JOIN item d ON d.id = r.k ORDER BY n"
    )
    assert wanted[2:] == [(3, None, None), (4, None, None), (5, None, None)]
    eventually(database, "SELECT * FROM l ORDER BY n", wanted.__eq__)
    eventually(database, "SELECT * FROM j ORDER BY n", [(3,), (5,)].__eq__)
    assert [sorted(question.keys) for question in items.asked("item")] == [["1000", "35", "70"]] * 2


def test_keys_of_several_columns_go_as_rows(server: Watched, database: Database) -> None:
    server.run(
        "DROP TABLE IF EXISTS pair; CREATE TABLE pair (a bigint, b varchar(9), c date, v text, PRIMARY KEY (a, b, c));"
        "INSERT INTO pair SELECT a, 'b' || b, date '2024-01-01' + c, a || '-' || b || '-' || c"
        " FROM generate_series(1, 4) g(a), generate_series(1, 4) h(b), generate_series(0, 3) i(c)"
    )
    columns = "(a bigint, b text, c date, v text, PRIMARY KEY (a, b, c))"
    database.execute(f"CREATE LOOKUP TABLE pair {columns} {server.options('pair')}")
    database.execute("CREATE TABLE r (n int PRIMARY KEY, a int, b text, c date)")
    database.execute(
        "CREATE MATERIALIZED VIEW v AS SELECT r.n, p.v FROM r LEFT JOIN pair p ON p.b = r.b AND p.c = r.c AND r.a = p.a"
    )
    database.execute(
        "INSERT INTO r VALUES (1, 1, 'b2', '2024-01-03'), (2, 2, 'b1', '2024-01-03'), (3, 1, 'b2', '2024-01-03'),"
        " (4, NULL, 'b2', '2024-01-03'), (5, 1, 'b9', '2024-01-03'), (6, 1, 'b2', NULL), (7, 2, 'b1', '2024-01-01')"
    )
    wanted = [(1, "1-2-2"), (2, "2-1-2"), (3, "1-2-2"), (4, None), (5, None), (6, None), (7, "2-1-0")]
    eventually(database, "SELECT * FROM v ORDER BY n", wanted.__eq__)
    (question,) = server.asked("pair")
    assert "JOIN unnest($1::bigint[], $2::text[], $3::date[]) AS k(k0, k1, k2)" in question.text
    assert len(question.keys) == 4  # 1 and 3 are one, and a NULL asks nothing


LONG = "12345678901234567890123456789012345.67"
KEYS = {  # the type of the key there and its values, the type of the stream's and its values
    "smallint": ("smallint", ["1", "-3"], "int", ["1", "-3", "65537", "7"]),
    "bigint": ("bigint", ["1", "9007199254740993"], "numeric(38,2)", ["1.00", "9007199254740993", "1.5", "1e30"]),
    "numeric": ("numeric(38,3)", ["1.500", LONG + "8"], "numeric(38,3)", ["1.5", LONG + "8", LONG + "9"]),
    "narrow": ("numeric(6,2)", ["1.50", "-9999.99"], "numeric(20,4)", ["1.5000", "-9999.99", "1.501", "10001.5"]),
    "double": (
        "double precision", ["'NaN'", "0", "0.1", "'-Infinity'"],
        "double precision", ["'NaN'", "'-0'", "0.1", "'-Infinity'", "0.3"],
    ),
    "real": ("real", ["0.5", "'NaN'"], "double precision", ["0.5", "'NaN'", "0.1", "1e300"]),
    "boolean": ("boolean", ["true"], "boolean", ["true", "false"]),
    "text": (
        "text", ["'a'", "''", "'{,\"}'", "'NULL'", "'é\\'"],
        "text", ["'a'", "''", "'{,\"}'", "'NULL'", "'é\\'", "'A'"],
    ),
    "date": ("date", ["'2024-02-29'"], "timestamp", ["'2024-02-29'", "'2024-02-29 00:00:00.000001'"]),
    "timestamp": (
        "timestamp", ["'2024-02-29 01:02:03.000004'", "'1969-12-31 23:59'"],
        "timestamp", ["'2024-02-29 01:02:03.000004'", "'1969-12-31 23:59'", "'2024-02-29 01:02:03'"],
    ),
    "timestamptz": (
        "timestamptz", ["'2024-02-29 01:02:03+02'"],
        "timestamptz", ["'2024-02-28 23:02:03+00'", "'2024-02-29 01:02:03+00'"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", KEYS)
def test_keys_of_every_type_find_what_they_find_in_postgres(server: Watched, database: Database, kind: str) -> None:
    there, theirs, here, ours = KEYS[kind]
    server.run(f"DROP TABLE IF EXISTS kinds; CREATE TABLE kinds (k {there} PRIMARY KEY, v int)")
    server.run("INSERT INTO kinds VALUES " + ", ".join(f"({key}, {n})" for n, key in enumerate(theirs)))
    stream = ", ".join(f"({n}, {key})" for n, key in enumerate(ours)) + f", ({len(ours)}, NULL)"
    database.execute(f"CREATE LOOKUP TABLE kinds (k {there} PRIMARY KEY, v int) {server.options('kinds')}")
    database.execute(f"CREATE TABLE r (n int PRIMARY KEY, k {here})")
    database.execute("CREATE MATERIALIZED VIEW v AS SELECT r.n, d.v FROM r LEFT JOIN kinds d ON d.k = r.k")
    server.run(f"DROP TABLE IF EXISTS r; CREATE TABLE r (n int, k {here}); INSERT INTO r VALUES {stream}")
    database.insert("r", server.rows("SELECT n, k FROM r"))
    wanted = server.rows("SELECT r.n, d.v FROM r LEFT JOIN kinds d ON d.k = r.k ORDER BY r.n")
    assert sum(v is not None for _, v in wanted) == len(theirs)
    eventually(database, "SELECT * FROM v ORDER BY n", wanted.__eq__)
    assert rows(database, "SELECT error FROM constellation.lookups") == [(None,)]


def test_a_numeric_of_38_digits_is_compared_with_all_of_them(server: Watched, database: Database) -> None:
    server.run("DROP TABLE IF EXISTS exact; CREATE TABLE exact (k int PRIMARY KEY, n numeric(38,3))")
    server.run(f"INSERT INTO exact VALUES (1, {LONG}8), (2, {LONG}9), (3, {LONG}7)")
    database.execute(f"CREATE LOOKUP TABLE exact (k int PRIMARY KEY, n numeric(38,3)) {server.options('exact')}")
    database.execute("CREATE TABLE r (k int)")
    database.execute(
        f"CREATE MATERIALIZED VIEW v AS SELECT d.k, d.n FROM r JOIN exact d ON d.k = r.k AND d.n > {LONG}8"
    )
    database.execute("INSERT INTO r VALUES (1), (2), (3)")
    found = eventually(database, "SELECT * FROM v", bool)
    assert [(k, str(n)) for k, n in found] == [(2, LONG + "9")]
    (question,) = server.asked("exact")
    assert question.values[1] == f"'{LONG}8'"
    assert rows(database, "SELECT rows_received FROM constellation.lookups") == [(1,)]


def test_lookups_chain_and_share_nothing(server: Watched, database: Database) -> None:
    server.run(
        "DROP TABLE IF EXISTS leaf, branch; CREATE TABLE leaf (k int PRIMARY KEY, b text);"
        "CREATE TABLE branch (b text PRIMARY KEY, v int);"
        "INSERT INTO leaf VALUES (1, 'x'), (2, 'y'), (3, NULL), (4, 'z');"
        "INSERT INTO branch VALUES ('x', 10), ('y', 20)"
    )
    database.execute(f"CREATE LOOKUP TABLE leaf (k int PRIMARY KEY, b text) {server.options('leaf')}")
    database.execute(f"CREATE LOOKUP TABLE branch (b text PRIMARY KEY, v int) {server.options('branch')}")
    database.execute("CREATE TABLE r (k int PRIMARY KEY)")
    database.execute(
        "CREATE MATERIALIZED VIEW v AS SELECT r.k, leaf.b, branch.v FROM r LEFT JOIN leaf ON leaf.k = r.k"
        " LEFT JOIN branch ON branch.b = leaf.b"
    )
    database.execute("INSERT INTO r SELECT n FROM generate_series(1, 5) AS g(n)")
    wanted: Rows = [(1, "x", 10), (2, "y", 20), (3, None, None), (4, "z", None), (5, None, None)]
    eventually(database, "SELECT * FROM v ORDER BY k", wanted.__eq__)
    database.execute("DELETE FROM r")
    assert rows(database, "SELECT * FROM v") == []


# -- how often it is asked -------------------------------------------------------------------------


def test_a_key_is_asked_once_in_batches_of_at_most_max_keys(server: Watched, database: Database) -> None:
    server.run(ITEMS)
    database.execute(f"CREATE LOOKUP TABLE item {COLUMNS} {server.options('item', max_keys='50', pool_size='2')}")
    database.execute("CREATE SOURCE e (n int, k int)")
    database.execute("CREATE MATERIALIZED VIEW v AS SELECT e.n, d.tier FROM e LEFT JOIN item d ON d.id = e.k")
    for start in range(0, 4000, 400):
        database.execute(f"INSERT INTO e SELECT n, n % 320 FROM generate_series({start}, {start + 399}) AS g(n)")
    eventually(database, "SELECT count(*) FROM v", [(4000,)].__eq__)
    asked = server.asked("item")
    keys = [int(key) for question in asked for key in question.keys]
    assert sorted(keys) == list(range(320))
    assert max(len(question.keys) for question in asked) == 50
    assert len(asked) <= 320 / 50 + 10  # each of the ten statements may leave one batch that is not full
    ((connections,),) = server.rows("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'constellation'")
    assert connections <= 2
    database.execute("INSERT INTO e VALUES (-1, 5), (-2, 319)")
    eventually(database, "SELECT count(*) FROM v", [(4002,)].__eq__)
    assert len(server.asked("item")) == len(asked)


def test_an_answer_is_good_for_its_time_and_then_asked_for_again(server: Watched) -> None:
    server.run("DROP TABLE IF EXISTS fresh; CREATE TABLE fresh (k int PRIMARY KEY, v text)")
    server.run("INSERT INTO fresh VALUES (1, 'old')")
    clock = ManualClock(1_700_000_000_000_000)
    with Engine(clock=clock) as engine:
        database = Database(LocalLink(engine))
        options = server.options("fresh", cache__ttl="10 minutes")
        database.execute(f"CREATE LOOKUP TABLE fresh (k int PRIMARY KEY, v text) {options}")
        database.execute("CREATE TABLE r (n int PRIMARY KEY, k int)")
        database.execute("CREATE MATERIALIZED VIEW j AS SELECT r.n, d.v FROM r LEFT JOIN fresh d ON d.k = r.k")
        database.execute("INSERT INTO r VALUES (1, 1), (2, 2)")
        eventually(database, "SELECT * FROM j ORDER BY n", [(1, "old"), (2, None)].__eq__)
        server.run("UPDATE fresh SET v = 'new'; INSERT INTO fresh VALUES (2, 'come')")
        clock.advance(600)
        database.execute("INSERT INTO r VALUES (3, 1), (4, 2)")
        assert rows(database, "SELECT * FROM j WHERE n > 2 ORDER BY n") == [(3, "old"), (4, None)]
        assert len(server.asked("fresh")) == 1
        clock.advance(1)
        database.execute("INSERT INTO r VALUES (5, 1), (6, 2)")
        eventually(database, "SELECT * FROM j WHERE n > 4 ORDER BY n", [(5, "new"), (6, "come")].__eq__)
        assert [sorted(question.keys) for question in server.asked("fresh")] == [["1", "2"]] * 2
        database.execute("DELETE FROM r")
        assert rows(database, "SELECT * FROM j") == []


def test_a_bounded_cache_asks_again_for_what_it_forgot(server: Watched, database: Database) -> None:
    server.run(ITEMS)
    database.execute(f"CREATE LOOKUP TABLE item {COLUMNS} {server.options('item', cache__max_rows='8')}")
    database.execute("CREATE TABLE r (n int PRIMARY KEY, k int)")
    database.execute("CREATE MATERIALIZED VIEW v AS SELECT r.n, d.id FROM r JOIN item d ON d.id = r.k")
    for turn in range(3):
        first = turn * 20
        database.execute(f"INSERT INTO r SELECT {first} + n, n FROM generate_series(0, 19) AS g(n)")
        eventually(database, "SELECT count(*) FROM v", [(first + 20,)].__eq__)
    keys = [int(key) for question in server.asked("item") for key in question.keys]
    assert set(keys) == set(range(20))
    assert 3 * 12 <= len(keys) <= 60
    database.execute("DELETE FROM r")
    assert rows(database, "SELECT * FROM v") == []
