"""A recovery gives the same outputs again, epoch by epoch, whatever its inputs would say by then.

What changes from one moment to the next is of the epoch it was asked for: the clock, values of defaults and of
volatile functions in statements, sequences, and what lookups answered. What is volatile in a query itself is refused.
"""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from constellationdb import function
from constellationdb.clock import ManualClock
from constellationdb.embedded.functions import registered
from constellationdb.engine.engine import Engine
from constellationdb.engine.functions import register
from constellationdb.engine.python import PythonFunctions
from constellationdb.engine.session import Session
from constellationdb.errors import ConstellationError, FeatureNotSupported
from tests.unit.engine.statements import run

_START_US = 1_700_000_000_000_000
_VIEWS = ("recent", "drawn", "priced")


def _setup(session: Session, prices: Path) -> None:
    run(
        session,
        "CREATE SEQUENCE numbers",
        """CREATE TABLE t (id int PRIMARY KEY, ts timestamptz, at timestamptz DEFAULT clock_timestamp(),
           r double precision DEFAULT random(), u uuid DEFAULT gen_random_uuid(),
           n bigint DEFAULT nextval('numbers'), d double precision)""",
        "CREATE MATERIALIZED VIEW recent AS SELECT id, ts FROM t WHERE ts > now() - INTERVAL '10 seconds'",
        """CREATE MATERIALIZED VIEW drawn AS
           SELECT u, max(r) AS r, max(at) AS at, sum(n) AS n, sum(d) AS d FROM t GROUP BY u""",
        f"""CREATE LOOKUP TABLE price (id int PRIMARY KEY, p int) WITH (
            connector = 'file', path = '{prices}', format = 'csv', strategy = 'on-demand', "cache.ttl" = '1ms')""",
        "CREATE MATERIALIZED VIEW priced AS SELECT t.id, price.p FROM t JOIN price ON price.id = t.id",
    )


def _changes(engine: Engine, name: str) -> list[tuple[object, ...]]:
    """All that were kept, each with its epoch."""
    found: list[tuple[object, ...]] = []
    with engine.lock:
        state = engine.states[name]
        changes = state.log.all_after(0, state.frontier)
    for change in changes:
        if change.delta is not None:
            rows = change.delta.to_pylist()
            found += sorted(((change.epoch, *row.values()) for row in rows), key=repr)
    return found


@pytest.mark.parametrize("checkpoint", [False, True])
def test_a_recovery_repeats_what_was_seen(tmp_path: Path, *, checkpoint: bool) -> None:
    dice = registered(function("dice() RETURNS double precision", deterministic=False)(lambda: random.random()))
    prices, clock = tmp_path / "prices.csv", ManualClock(_START_US)
    prices.write_text("id,p\n" + "".join(f"{key},{key}\n" for key in range(100)))
    with Engine(tmp_path / "data", clock=clock, python=PythonFunctions([dice])) as engine:
        session = engine.session()
        register(session, dice)
        _setup(session, prices)
        for step in range(12):
            if step % 4 == 2:
                prices.write_text("id,p\n" + "".join(f"{key},{key + step * 100}\n" for key in range(100)))
            now, rows = clock.now_us() // 1_000_000, f"generate_series({3 * step}, {3 * step + 2}) AS i"
            run(session, f"INSERT INTO t (id, ts, d) SELECT i, to_timestamp({now}), random() + dice() FROM {rows}")
            run(session, "FLUSH")
            if checkpoint and step == 5:
                run(session, "CHECKPOINT")
            clock.advance(2.5)
        run(session, "INSERT INTO t (id) VALUES (99)", "FLUSH")
        seen = {name: _changes(engine, name) for name in _VIEWS}
        last = engine.epoch
        shutil.copytree(tmp_path / "data", tmp_path / "killed")
    assert all(len(changes) > 30 for changes in seen.values())
    assert any(-1 in row for row in seen["recent"])  # the clock alone has taken rows away
    assert len({str(row[2])[:-2] for row in seen["priced"]}) > 1
    prices.unlink()
    clock.advance(10_000)
    with Engine(tmp_path / "killed", clock=clock, python=PythonFunctions([dice])) as engine:
        for name, changes in seen.items():
            assert [row for row in _changes(engine, name) if int(str(row[0])) <= last] == changes, name


@pytest.mark.parametrize(
    "query",
    [
        "SELECT random() AS x FROM t",
        "SELECT id FROM t WHERE random() < 0.5",
        "SELECT count(*) AS n FROM t HAVING count(*) > random()",
        "SELECT now() AS x FROM t",
        "SELECT CURRENT_DATE AS x FROM t",
        "SELECT gen_random_uuid() AS x FROM t",
        "SELECT clock_timestamp() AS x FROM t",
        "SELECT nextval('numbers') AS x FROM t",
        "SELECT pg_backend_pid() AS x FROM t",
        "SELECT (SELECT max(r) FROM hiding) AS x FROM t",
        "SELECT hidden() AS x FROM t",
        "SELECT current_setting('timezone') AS x FROM t",
    ],
)
def test_what_nothing_could_repeat_is_refused(query: str, tmp_path: Path) -> None:
    """So a sink cannot have delivered what is no longer so."""
    with Engine() as engine:
        session = engine.session()
        run(
            session,
            "CREATE TABLE t (id int PRIMARY KEY)",
            "CREATE SEQUENCE numbers",
            "CREATE VIEW hiding AS SELECT id, random() AS r FROM t",
            "CREATE FUNCTION hidden() RETURNS double precision LANGUAGE sql RETURN random()",
        )
        told: list[str] = []
        for statement in (
            f"CREATE MATERIALIZED VIEW v AS {query}",
            f"CREATE SINK s AS {query} WITH (connector = 'file', path = '{tmp_path}/out', type = 'debezium')",
        ):
            with pytest.raises(FeatureNotSupported, match="is not supported in a continuous query") as refused:
                run(session, statement)
            told.append(refused.value.message)
        assert told[0] == told[1]
        with pytest.raises(ConstellationError):
            run(session, "SELECT * FROM v")
