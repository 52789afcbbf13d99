"""Aggregates of pairs with DISTINCT: a pair with a NULL in it counts for nothing, one that comes twice counts once."""

from __future__ import annotations

import pytest

from constellationdb.engine.engine import Engine
from constellationdb.errors import FeatureNotSupported
from tests.unit.engine.statements import run

_CALLS = "regr_count(DISTINCT y, x) AS n, covar_pop(DISTINCT y, x) AS c, count(DISTINCT ROW(y, x)) AS r"


@pytest.mark.parametrize("workers", [1, 2])
def test_a_view_leaves_out_pairs_with_nulls(workers: int) -> None:
    with Engine(workers=workers) as engine:
        session = engine.session()
        run(session, "CREATE TABLE t (id int, y float8, x float8)")
        run(session, f"CREATE MATERIALIZED VIEW v AS SELECT {_CALLS} FROM t")
        run(session, "INSERT INTO t VALUES (1, 1, 2), (2, 1, 2), (3, NULL, 2), (4, 4, NULL), (5, 3, 6), (6, NULL, 2)")
        run(session, "FLUSH")
        assert run(session, "SELECT * FROM v") == [(2, 2.0, 4)]
        run(session, "DELETE FROM t WHERE id IN (1, 3, 4)", "FLUSH")
        assert run(session, "SELECT * FROM v") == [(2, 2.0, 3)]
        run(session, "DELETE FROM t WHERE id = 5", "FLUSH")
        assert run(session, "SELECT * FROM v") == [(1, 0.0, 2)]


def test_where_all_pairs_would_count_it_is_refused() -> None:
    with Engine() as engine:
        session = engine.session()
        run(session, "CREATE TABLE t (y float8, x float8)")
        with pytest.raises(FeatureNotSupported, match=r"^corr\(DISTINCT …\) of pairs is not supported here$"):
            run(session, "SELECT corr(DISTINCT y, x) FROM t")
        with pytest.raises(FeatureNotSupported, match=r"^corr\(DISTINCT …\) of pairs is not supported here$"):
            run(session, "CREATE MATERIALIZED VIEW v AS SELECT corr(DISTINCT y, x), string_agg(y::text, ',') FROM t")
