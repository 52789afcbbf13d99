"""pandas through SQLAlchemy: tables written and read back, in every way ``to_sql`` has; the same on Postgres."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

from tests.clients.conftest import Served

FRAME = pd.DataFrame(
    {
        "k": [1, 2, 3],
        "f": [0.5, None, -1e300],
        "t": ["a", "it's é", None],
        "y": [True, False, True],
        "ts": pd.to_datetime(["2024-02-29 01:02:03.000004", None, "1999-12-31 00:00:00.0"]).astype("datetime64[us]"),
    }
)


@pytest.fixture
def database(either: Served) -> Iterator[Any]:
    engine = sa.create_engine(either.url("postgresql+psycopg"))
    try:
        yield engine
    finally:
        with engine.begin() as connection:
            connection.execute(sa.text("DROP TABLE IF EXISTS panda"))
        engine.dispose()


@pytest.mark.parametrize("options", [{}, {"method": "multi"}, {"chunksize": 2}], ids=str)
def test_a_frame_comes_back(database: Any, options: dict[str, Any]) -> None:
    FRAME.to_sql("panda", database, index=False, **options)
    found = pd.read_sql_table("panda", database).sort_values("k", ignore_index=True)
    assert found["ts"].tolist()[0] == FRAME["ts"].tolist()[0]
    pd.testing.assert_frame_equal(found, FRAME, check_dtype=False)


def test_append_replace_and_fail(database: Any) -> None:
    FRAME.to_sql("panda", database, index_label="row")
    FRAME.to_sql("panda", database, index_label="row", if_exists="append", method="multi")
    assert len(pd.read_sql("SELECT * FROM panda", database)) == 6
    with pytest.raises(ValueError, match="already exists"):
        FRAME.to_sql("panda", database)
    FRAME.head(1).to_sql("panda", database, if_exists="replace", index=False)
    assert pd.read_sql_table("panda", database, columns=["k", "t"]).to_dict("records") == [{"k": 1, "t": "a"}]


def test_a_query_with_parameters_and_in_chunks(database: Any) -> None:
    pd.DataFrame({"n": range(1000)}).to_sql("panda", database, index=False)
    query = sa.text("SELECT n, n * 2 AS twice FROM panda WHERE n >= :low ORDER BY n")
    found = pd.read_sql_query(query, database, params={"low": 990}, index_col="n")
    assert found["twice"].tolist() == [n * 2 for n in range(990, 1000)]
    with database.connect().execution_options(stream_results=True) as connection:
        chunks = pd.read_sql("SELECT n FROM panda ORDER BY n", connection, chunksize=300)
        assert [len(chunk) for chunk in chunks] == [300, 300, 300, 100]


def test_an_error_leaves_the_engine_usable(database: Any) -> None:
    with pytest.raises(pd.errors.DatabaseError, match="panda_nowhere"):
        pd.read_sql("SELECT * FROM panda_nowhere", database)
    assert pd.read_sql("SELECT 1 AS one", database)["one"].tolist() == [1]
