"""Whatever a source can evaluate itself, the answer is the same; how much travels is not."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from constellationdb.connectors.api import CompareOp, LookupCapabilities, LookupPredicate, LookupSource
from constellationdb.connectors.file_lookup import ParquetLookup
from constellationdb.connectors.memory_lookup import MemoryLookup
from constellationdb.connectors.postgres_lookup import PostgresLookup
from constellationdb.connectors.predicates import evaluate
from constellationdb.connectors.pushdown import PushdownAdapter
from constellationdb.connectors.registry import open_lookup
from tests.unit.connectors import lookup_cases as cases


class Limited:
    """A source that can do less than the one it stands before, and objects when asked for more."""

    def __init__(self, source: LookupSource, capabilities: LookupCapabilities) -> None:
        self._source = source
        self.schema = source.schema
        self.capabilities = capabilities
        self.pushed = 0

    def fetch(self, keys: pa.RecordBatch, columns: Sequence[str], predicates: Sequence[LookupPredicate]) -> pa.Table:
        assert 0 < keys.num_rows <= self.capabilities.max_keys
        assert all(each.op in self.capabilities.predicates for each in predicates)
        if not self.capabilities.projection:
            assert {*keys.schema.names, *columns} == set(self.schema.names)
        self.pushed += len(predicates)
        return self._source.fetch(keys, columns, predicates)

    def describe(self, columns: Sequence[str], predicates: Sequence[LookupPredicate]) -> str:
        return self._source.describe(columns, predicates)

    def close(self) -> None: ...


@pytest.fixture(scope="module")
def parquet(tmp_path_factory: pytest.TempPathFactory) -> ParquetLookup:
    path = tmp_path_factory.mktemp("parquet") / "parts.parquet"
    pq.write_table(cases.table(), path, row_group_size=8)
    lookup = open_lookup("file", cases.SCHEMA, ["id", "part"], {"path": str(path)})
    assert isinstance(lookup, ParquetLookup)
    return lookup


@pytest.fixture(scope="module")
def memory() -> MemoryLookup:
    return MemoryLookup(cases.table(), ["id", "part"], "test")


def reference(
    table: pa.Table, keys: pa.RecordBatch, columns: Sequence[str], predicates: Sequence[LookupPredicate]
) -> list[str]:
    wanted = {tuple(row.values()) for row in keys.to_pylist()}
    names = keys.schema.names
    mask = [tuple(row[name] for name in names) in wanted for row in table.to_pylist()]
    kept = evaluate(table.filter(pa.array(mask, pa.bool_())), predicates)
    return cases.bag(kept.select(list(dict.fromkeys([*names, *columns]))))


capabilities = st.builds(
    LookupCapabilities,
    predicates=st.one_of(
        st.just(frozenset(cases.OPS)), st.just(frozenset[CompareOp]()), st.frozensets(st.sampled_from(cases.OPS))
    ),
    projection=st.booleans(),
    max_keys=st.integers(1, 30),
)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(question=cases.questions, can=capabilities, push=st.booleans())
def test_the_answer_does_not_depend_on_what_the_source_can(
    case_table: pa.Table,
    memory: MemoryLookup,
    parquet: ParquetLookup,
    parts: PostgresLookup,
    question: tuple[pa.RecordBatch, list[str], list[LookupPredicate]],
    can: LookupCapabilities,
    push: bool,
) -> None:
    keys, columns, predicates = question
    expected = reference(case_table, keys, columns, predicates)
    for source in (memory, parquet, parts):
        limited = Limited(source, can) if source is not parts else source
        answer = PushdownAdapter(limited, push=push).fetch(keys, columns, predicates)
        assert answer.column_names == list(dict.fromkeys([*keys.schema.names, *columns]))
        assert cases.bag(answer) == expected, type(source).__name__
        if not push and isinstance(limited, Limited):
            assert limited.pushed == 0


def test_pushing_makes_fewer_rows_travel(parts_dsn: str) -> None:
    from tests.unit.connectors.conftest import OPTIONS

    source = open_lookup("postgres", cases.SCHEMA, ["id"], {"dsn": parts_dsn, **OPTIONS})
    assert isinstance(source, PostgresLookup)
    predicates = [LookupPredicate("part", "=", (pa.scalar("p1"),))]
    keys = cases.single_keys(*range(60))
    pushing, keeping = PushdownAdapter(source), PushdownAdapter(source, push=False)
    before = source.stats
    assert pushing.fetch(keys, ["qty"], predicates).num_rows == 20
    between = source.stats
    assert keeping.fetch(keys, ["qty"], predicates).num_rows == 20
    after = source.stats
    assert (pushing.stats.rows, pushing.stats.kept, keeping.stats.rows, keeping.stats.kept) == (20, 20, 60, 20)
    assert after.rows - between.rows == 60
    assert between.rows - before.rows < 60
    source.close()


def test_what_stays_here_is_said(memory: MemoryLookup) -> None:
    predicates = [LookupPredicate("qty", ">", (pa.scalar(1),)), LookupPredicate("name", "is null")]
    some = Limited(memory, LookupCapabilities(frozenset({">"}), projection=True))
    assert PushdownAdapter(some).describe(["price"], predicates) == (
        "test by (id, part) for (price, name) where qty > 1; then here: name is null"
    )


def test_groups_that_cannot_match_are_not_read(parquet: ParquetLookup) -> None:
    def groups(keys: pa.RecordBatch, *predicates: LookupPredicate) -> int:
        before = parquet.groups_read
        parquet.fetch(keys, ["qty"], predicates)
        after = parquet.groups_read
        assert after[0] + after[1] - before[0] - before[1] == 8
        return after[0] - before[0]

    assert groups(cases.single_keys(3)) == 1
    assert groups(cases.single_keys(3, 5, 59)) == 2
    assert groups(cases.single_keys(-1, 100)) == 0
    assert groups(cases.pair_keys([(3, "p0"), (9, "q")])) == 2
    assert groups(cases.pair_keys([(3, "q")])) == 0
    everything = cases.single_keys(*range(60))
    assert groups(everything, LookupPredicate("id", ">=", (pa.scalar(40),))) == 3
    assert groups(everything, LookupPredicate("id", "is null")) == 0
    assert groups(everything, LookupPredicate("ratio", ">", (pa.scalar(float("inf")),))) == 8  # a NaN may hide there


def test_only_wanted_columns_are_read(tmp_path: Path) -> None:
    path = tmp_path / "wide.parquet"
    pq.write_table(cases.table(), path)
    lookup = open_lookup("file", cases.SCHEMA, ["id"], {"path": str(path)})
    answer = lookup.fetch(cases.single_keys(1), ["qty"], [LookupPredicate("name", "=", (pa.scalar("B"),))])
    assert answer.to_pylist() == [{"id": 1, "qty": -1}]
