"""Tables that are altered under views, open transactions, checkpoints and crashes."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from constellationdb import connect
from constellationdb.engine.engine import Engine
from constellationdb.engine.session import Session
from constellationdb.errors import (
    CheckViolation,
    ConstellationError,
    RelationUnusable,
    SerializationFailure,
    UniqueViolation,
)
from tests.unit.engine.statements import run

_BEGIN = (
    "CREATE TABLE t (id int PRIMARY KEY, k int, v int)",
    "CREATE TABLE u (k int, w text)",
    "CREATE MATERIALIZED VIEW sums AS SELECT k, sum(v) AS v, count(*) AS n FROM t GROUP BY k",
    "CREATE MATERIALIZED VIEW joined AS SELECT t.id, u.w FROM t LEFT JOIN u ON u.k = t.k",
    "CREATE MATERIALIZED VIEW over AS SELECT n, count(*) AS c FROM sums GROUP BY n",
    "CREATE VIEW plain AS SELECT * FROM t",
    "INSERT INTO u VALUES (1, 'one'), (2, 'two'), (2, 'zwei')",
)


def _check(session: Session, table: str, k: str) -> None:
    """The views hold what their queries give over the tables as they are now."""
    run(session, "FLUSH")
    for view, query in (
        ("SELECT * FROM sums", f"SELECT {k}, sum(v), count(*) FROM {table} GROUP BY {k}"),
        ("SELECT * FROM joined", f"SELECT t.id, u.w FROM {table} t LEFT JOIN u ON u.k = t.{k}"),
        (
            "SELECT * FROM over",
            f"SELECT n, count(*) FROM (SELECT count(*) AS n FROM {table} GROUP BY {k}) q GROUP BY n",
        ),
        ("SELECT * FROM plain", f"SELECT id, {k}, v FROM {table}"),
    ):
        assert sorted(run(session, view), key=repr) == sorted(run(session, query), key=repr)


def _session(engine: Engine, schema: str) -> Session:
    session = engine.session()
    run(session, f"SET search_path = {schema}")
    return session


@pytest.mark.parametrize(("seed", "schema"), [(0, "public"), (1, "s"), (2, "s")])
def test_views_go_on_over_a_table_that_is_altered(tmp_path: Path, seed: int, schema: str) -> None:
    random = Random(seed)
    folder, table, k, extra, number = tmp_path / "0", "t", "k", 0, 0
    with Engine(folder) as engine:
        run(engine.session(), "CREATE SCHEMA s")
        run(_session(engine, schema), *_BEGIN)
    for life in range(1, 4):
        with Engine(folder) as engine:
            session = _session(engine, schema)
            _check(session, table, k)
            for _ in range(8):
                number += 1
                match random.randrange(8):
                    case 0:
                        extra += 1
                        default = random.choice(("", " DEFAULT 5", " DEFAULT random()", " NOT NULL DEFAULT 7"))
                        run(session, f"ALTER TABLE {table} ADD COLUMN e{extra} double precision{default}")
                    case 1 if extra:
                        run(session, f"ALTER TABLE {table} DROP COLUMN IF EXISTS e{random.randint(1, extra)}")
                    case 2:
                        k, old = random.choice(("k", "kk", "k_k")), k
                        if old != k:
                            run(session, f"ALTER TABLE {table} RENAME COLUMN {old} TO {k}")
                    case 3:
                        table, old = random.choice(("t", "tt", "t_t")), table
                        if old != table:
                            run(session, f"ALTER TABLE {old} RENAME TO {table}")
                    case 4:
                        run(session, "CHECKPOINT")
                    case 5 if extra:
                        _retype(session, table, random)
                    case _:
                        rows = ", ".join(f"({number * 10 + i}, {random.randint(1, 3)}, {i})" for i in range(3))
                        run(session, f"INSERT INTO {table} (id, {k}, v) VALUES {rows}")
                        run(session, f"UPDATE {table} SET v = v + 1 WHERE {k} = {random.randint(1, 3)}")
                        run(session, f"DELETE FROM {table} WHERE id % 7 = {random.randint(0, 6)}")
                _check(session, table, k)
            before = sorted(run(session, f"SELECT * FROM {table}"), key=repr)
            folder = Path(shutil.copytree(folder, tmp_path / str(life)))  # as a crash leaves it
        with Engine(folder) as engine:
            _check(_session(engine, schema), table, k)
            assert sorted(run(_session(engine, schema), f"SELECT * FROM {table}"), key=repr) == before


def _retype(session: Session, table: str, random: Random) -> None:
    """One of the columns that no view knows gets another type, and values that tell what it was."""
    names = "SELECT column_name FROM information_schema.columns WHERE table_name = $table$ AND column_name LIKE 'e%'"
    extras = sorted(str(name) for (name,) in run(session, names.replace("$table$", f"'{table}'")))
    if extras:
        name, kind = random.choice(extras), random.choice(("text", "double precision", "bigint"))
        run(session, f"ALTER TABLE {table} ALTER COLUMN {name} TYPE {kind} USING length({name}::text)::{kind}")


@pytest.mark.parametrize("checkpoint", [False, True])
def test_a_key_of_another_type_is_there_after_a_crash(tmp_path: Path, *, checkpoint: bool) -> None:
    with Engine(tmp_path / "db") as engine:
        session = engine.session()
        run(session, "CREATE TABLE t (a int PRIMARY KEY, b int UNIQUE, c text)")
        run(session, "CREATE MATERIALIZED VIEW v AS SELECT c, count(*) AS n FROM t GROUP BY c", "CREATE INDEX ON t (b)")
        run(session, "INSERT INTO t SELECT i, i * 2, 'c' || i % 2 FROM generate_series(1, 5) AS i")
        if checkpoint:
            run(session, "FLUSH", "CHECKPOINT")
        run(session, "ALTER TABLE t ALTER a TYPE text USING 'k' || a, ALTER b TYPE bigint USING b + 5000000000")
        run(session, "UPDATE t SET c = 'c9' WHERE a = 'k3'", "DELETE FROM t WHERE b = 5000000002")
        copy = Path(shutil.copytree(tmp_path / "db", tmp_path / "crashed"))
    for folder in (copy, tmp_path / "db"):
        with Engine(folder) as engine:
            session = engine.session()
            found = [("k2", 5000000004), ("k3", 5000000006), ("k4", 5000000008), ("k5", 5000000010)]
            assert run(session, "SELECT a, b FROM t ORDER BY a") == found
            assert run(session, "SELECT a FROM t WHERE b = 5000000006") == [("k3",)]
            assert run(session, "SELECT c, n FROM v ORDER BY c") == [("c0", 2), ("c1", 1), ("c9", 1)]
            for values in ("('k2', 1)", "('k9', 5000000004)"):
                with pytest.raises(UniqueViolation):
                    run(session, f"INSERT INTO t (a, b) VALUES {values}")


def test_another_type_and_a_row_at_the_same_time() -> None:
    with Engine() as engine:
        one, other = engine.session(), engine.session()
        run(one, "CREATE TABLE t (a int)", "INSERT INTO t VALUES (1)", "BEGIN", "ALTER TABLE t ALTER a TYPE text")
        run(other, "INSERT INTO t VALUES (2)")
        with pytest.raises(SerializationFailure):
            run(one, "COMMIT")
        assert run(other, "SELECT a FROM t ORDER BY a") == [(1,), (2,)]


@pytest.mark.parametrize("checkpoint", [False, True])
def test_what_is_kept_of_a_view_over_an_altered_table_is_kept_over_a_restart(
    tmp_path: Path, *, checkpoint: bool
) -> None:
    with Engine(tmp_path / "db") as engine:
        session = engine.session()
        run(session, "CREATE TABLE t (a int PRIMARY KEY, b int) WITH (retain_history = '1 day')")
        run(session, "CREATE TABLE u (a int) WITH (retain_history = '1 day')")
        run(session, "CREATE MATERIALIZED VIEW v WITH (retain_history = '1 day') AS SELECT sum(b) AS b FROM t")
        epochs: dict[int, list[tuple[object, ...]]] = {}

        def more(*texts: str) -> None:
            run(session, *texts, "FLUSH")
            epochs[engine.epoch] = run(session, "SELECT * FROM v")
            if checkpoint:
                run(session, "CHECKPOINT")

        more("INSERT INTO t VALUES (1, 1)")
        more("INSERT INTO t VALUES (2, 2); INSERT INTO u VALUES (1)")
        more("ALTER TABLE t ADD COLUMN c int DEFAULT 3")
        more("INSERT INTO t VALUES (3, 3, 3)")
        more("ALTER TABLE t ADD COLUMN d text")
        more("INSERT INTO t VALUES (4, 4, 4, 'd')")
        kept = {epoch: _told(session, f"SELECT * FROM v AS OF EPOCH {epoch}") for epoch in epochs}
        tables = {epoch: _told(session, f"SELECT * FROM t AS OF EPOCH {epoch}") for epoch in epochs}
        others = {epoch: _told(session, f"SELECT * FROM u AS OF EPOCH {epoch}") for epoch in epochs}
    assert list(kept.values())[-2:] == list(epochs.values())[-2:]
    for _ in range(2):
        with Engine(tmp_path / "db") as engine:
            session = engine.session()
            for epoch in epochs:
                assert _told(session, f"SELECT * FROM v AS OF EPOCH {epoch}") == kept[epoch], epoch
                assert _told(session, f"SELECT * FROM t AS OF EPOCH {epoch}") == tables[epoch], epoch
                assert _told(session, f"SELECT * FROM u AS OF EPOCH {epoch}") == others[epoch], epoch
            run(session, "FLUSH", "CHECKPOINT")


def test_a_token_from_before_an_alteration_resumes_after_a_restart(tmp_path: Path) -> None:
    with connect(tmp_path / "db") as database:
        database.execute("CREATE TABLE t (a int PRIMARY KEY, b int)")
        database.execute("CREATE MATERIALIZED VIEW v WITH (retain_history = '1 day') AS SELECT sum(b) AS b FROM t")
        database.execute("INSERT INTO t VALUES (1, 1)")
        with database.subscribe("v") as changes:
            while (found := changes.next(10)) is not None and (1, (1,)) not in list(found):
                pass
            token = changes.resume_token
        database.execute("FLUSH; CHECKPOINT")
        database.execute("INSERT INTO t VALUES (2, 2)")
        database.execute("FLUSH; CHECKPOINT")
        database.execute("ALTER TABLE t ADD COLUMN c int DEFAULT 3")
        database.execute("INSERT INTO t VALUES (3, 3, 3)")
        database.execute("FLUSH; CHECKPOINT")
    with connect(tmp_path / "db") as database, database.subscribe("v", resume=token) as changes:
        seen: Counter[tuple[object, ...]] = Counter({(1,): 1})
        while seen != {(6,): 1}:
            found = changes.next(10)
            assert found is not None, f"only {seen}"
            for weight, row in found:
                seen[row] += weight
            seen = +seen


def _told(session: Session, text: str) -> object:
    """The rows, or the error that there are none."""
    try:
        return sorted(run(session, text))
    except ConstellationError as error:
        return error.message


def test_constraints_hold_after_a_crash(tmp_path: Path) -> None:
    with Engine(tmp_path / "db") as engine:
        session = engine.session()
        run(session, "CREATE TABLE t (a int CHECK (a > 0), b int UNIQUE, c int GENERATED ALWAYS AS (a + b) STORED)")
        run(session, "INSERT INTO t VALUES (1, 1)", "ALTER TABLE t ADD CONSTRAINT few CHECK (b < 10)")
        copy = Path(shutil.copytree(tmp_path / "db", tmp_path / "crashed"))
    with Engine(copy) as engine:
        session = engine.session()
        for values, error in (("(0, 2)", CheckViolation), ("(5, 1)", UniqueViolation), ("(5, 10)", CheckViolation)):
            with pytest.raises(error):
                run(session, f"INSERT INTO t VALUES {values}")
        assert run(session, "INSERT INTO t VALUES (5, 2) RETURNING c") == [(7,)]


def test_a_view_that_came_between_two_alterations_is_there_after_a_crash(tmp_path: Path) -> None:
    with Engine(tmp_path / "db") as engine:
        session = engine.session()
        run(session, "CREATE TABLE t (a int)", "INSERT INTO t VALUES (1)", "BEGIN", "ALTER TABLE t ADD COLUMN b int")
        run(session, "CREATE MATERIALIZED VIEW v AS SELECT a, b FROM t", "INSERT INTO t VALUES (2, 2)")
        run(session, "ALTER TABLE t RENAME TO u", "COMMIT")
        copy = Path(shutil.copytree(tmp_path / "db", tmp_path / "crashed"))
    with Engine(copy) as engine:
        assert run(engine.session(), "SELECT * FROM v ORDER BY a") == [(1, None), (2, 2)]


def test_names_and_what_they_mean_are_there_after_a_crash(tmp_path: Path) -> None:
    with Engine(tmp_path / "db") as engine:
        session = engine.session()
        run(session, "CREATE SCHEMA s", "CREATE TABLE s.t (id serial, a int UNIQUE)", "INSERT INTO s.t (a) VALUES (1)")
        run(session, "CREATE MATERIALIZED VIEW s.v AS SELECT s.t.a FROM s.t", "CREATE VIEW w AS SELECT * FROM s.v")
        run(session, "COMMENT ON COLUMN s.t.a IS 'a comment'", "ALTER TABLE s.t RENAME TO u", "CHECKPOINT")
        run(session, "CREATE TABLE s.t (b text)", "INSERT INTO s.t VALUES ('other')")
        run(session, "ALTER TABLE s.u RENAME COLUMN a TO aa", "ALTER SCHEMA s RENAME TO r")
        copy = Path(shutil.copytree(tmp_path / "db", tmp_path / "crashed"))
    with Engine(copy) as engine:
        session = engine.session()
        run(session, "INSERT INTO r.u (aa) VALUES (2)", "FLUSH")
        assert run(session, "SELECT * FROM w ORDER BY a") == [(1,), (2,)]
        assert run(session, "SELECT b FROM r.t") == [("other",)]
        assert run(session, "SELECT pg_get_serial_sequence('r.u', 'id')") == [("r.t_id_seq",)]
        assert run(session, "SELECT col_description('r.u'::regclass, 2)") == [("a comment",)]
        with pytest.raises(UniqueViolation) as caught:
            run(session, "INSERT INTO r.u (aa) VALUES (2)")
        assert (caught.value.schema, caught.value.table, caught.value.constraint) == ("r", "u", "t_a_key")
        run(session, "ALTER TABLE r.u ADD COLUMN c int DEFAULT 5", "FLUSH")
        assert run(session, "SELECT * FROM w ORDER BY a") == [(1,), (2,)]


def test_an_open_transaction_meets_a_new_rule() -> None:
    with Engine() as engine:
        one, other = engine.session(), engine.session()
        run(one, "CREATE TABLE t (a int)", "BEGIN", "INSERT INTO t VALUES (-1)")
        run(other, "ALTER TABLE t ADD CHECK (a > 0)")
        with pytest.raises(ConstellationError):
            run(one, "COMMIT")
        assert run(other, "SELECT count(*) FROM t") == [(0,)]


def test_an_open_transaction_meets_other_columns() -> None:
    with Engine() as engine:
        one, other = engine.session(), engine.session()
        run(one, "CREATE TABLE t (a int)", "BEGIN", "INSERT INTO t VALUES (1)")
        run(other, "ALTER TABLE t ADD COLUMN b int")
        with pytest.raises(SerializationFailure):
            run(one, "COMMIT")
        one.fail()
        assert run(other, "SELECT * FROM t") == []


def test_a_rule_and_a_row_against_it_at_the_same_time() -> None:
    with Engine() as engine:
        one, other = engine.session(), engine.session()
        run(one, "CREATE TABLE t (a int)", "INSERT INTO t VALUES (1)", "BEGIN", "ALTER TABLE t ADD UNIQUE (a)")
        run(other, "INSERT INTO t VALUES (1)")
        with pytest.raises(UniqueViolation, match='could not create unique index "t_a_key"'):
            run(one, "COMMIT")
        run(other, "INSERT INTO t VALUES (1)")


def test_a_generated_column_and_a_row_at_the_same_time() -> None:
    with Engine() as engine:
        one, other = engine.session(), engine.session()
        run(one, "CREATE TABLE t (a int)", "BEGIN")
        run(one, "ALTER TABLE t ADD COLUMN b int GENERATED ALWAYS AS (a * 2) STORED")
        run(other, "INSERT INTO t VALUES (1)")
        with pytest.raises(SerializationFailure):
            run(one, "COMMIT")
        one.fail()
        run(one, "ALTER TABLE t ADD COLUMN b int GENERATED ALWAYS AS (a * 2) STORED")
        assert run(other, "SELECT * FROM t") == [(1, 2)]


def test_a_subscriber_is_told_that_its_table_is_another() -> None:
    with Engine() as engine:
        session = engine.session()
        run(session, "CREATE TABLE t (a int)", "INSERT INTO t VALUES (1)")
        subscription = engine.subscribe("t")
        assert subscription.next(timeout=5) is not None
        run(session, "ALTER TABLE t ADD COLUMN b int")
        with pytest.raises(RelationUnusable, match='"t" has other columns now') as caught:
            list(iter(lambda: subscription.next(timeout=5), None))
        epoch = int(re.search(r"AS OF EPOCH (\d+) ", caught.value.hint or "")[1])  # type: ignore[index]
        run(session, "INSERT INTO t VALUES (2, 3)")
        following = engine.subscribe("t", as_of=epoch)
        rows = [row for _ in range(2) if (batch := following.next(timeout=5)) for row in batch.to_pylist()]
        assert [(row["_diff"], row["a"], row["b"]) for row in rows] == [(1, 1, None), (1, 2, 3)]


def test_a_push_source_gets_a_column() -> None:
    with Engine() as engine:
        session = engine.session()
        run(
            session,
            "CREATE SOURCE s (a int)",
            "CREATE MATERIALIZED VIEW v AS SELECT a, count(*) AS n FROM s GROUP BY a",
        )
        run(session, "INSERT INTO s VALUES (1)", "ALTER SOURCE s ADD COLUMN b text", "INSERT INTO s VALUES (1, 'x')")
        run(session, "CREATE MATERIALIZED VIEW w AS SELECT b FROM s", "ALTER SOURCE s RENAME TO r")
        run(session, "INSERT INTO r VALUES (2, 'y')")
        assert run(session, "SELECT * FROM v ORDER BY a") == [(1, 2), (2, 1)]
        assert run(session, "SELECT * FROM w") == [("y",)]
        assert "FROM r AS s" in str(run(session, "SELECT pg_get_viewdef('w'::regclass)"))
