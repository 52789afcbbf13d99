"""A panic of DataFusion ends the statement that met it, and nothing else."""

from __future__ import annotations

import pytest

from constellationdb.embedded.database import connect
from constellationdb.errors import InternalError

# The optimizer of DataFusion 55 loses a column of this; found by the hunt for wrong answers.
_PANICS = """
SELECT count(a.c0) FROM (
  SELECT bit_and(0) FILTER (WHERE m.c0 IS NOT DISTINCT FROM m.c0 AND m.c0 IS NOT DISTINCT FROM m.c0) AS c0,
         count(*) AS c1
  FROM (SELECT count(*) AS c0 FROM (VALUES (0, 'a')) AS v(n, w)
        HAVING count(*) IS NOT DISTINCT FROM count(*) AND count(*) IS NOT DISTINCT FROM count(*)) AS m) AS a
GROUP BY a.c1
"""


def test_a_panic_is_an_internal_error() -> None:
    with connect() as db:
        with pytest.raises(InternalError, match="DataFusion panicked") as raised:
            db.sql(_PANICS).fetchall()
        assert raised.value.sqlstate == "XX000"
        assert db.sql("SELECT 1").fetchall() == [(1,)]
