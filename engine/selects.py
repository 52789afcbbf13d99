"""SELECT for a session: a snapshot when it reads what is stored, continuous when it reads a stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import pyarrow as pa

from constellationdb.engine import analyses, answers, explains
from constellationdb.engine.copy_options import copy_options
from constellationdb.engine.origins import with_origins
from constellationdb.engine.pg_catalog.registered import with_names
from constellationdb.engine.python import with_names_of_functions
from constellationdb.engine.reads import execute, relations_of
from constellationdb.engine.result import Result, ResultColumn
from constellationdb.engine.streams import Stream
from constellationdb.engine.time_travel import epoch_at, epoch_of_query, instant
from constellationdb.engine.visible import visible
from constellationdb.errors import FeatureNotSupported, InvalidColumnReference, UndefinedColumn, WrongObjectType
from constellationdb.planner import plan
from constellationdb.planner import statements as st
from constellationdb.planner.continuous import ContinuousPlanner, is_continuous
from constellationdb.planner.references import split
from constellationdb.planner.relations import PlannedRelation
from constellationdb.planner.rewrite.limits import split_limit
from constellationdb.planner.snapshot import SnapshotPlan

if TYPE_CHECKING:
    from constellationdb.engine.session import Session

BATCH_ROWS = 8192


def _tag(rows: int) -> str:
    return f"SELECT {rows}"


def select(session: Session, query: st.Query) -> Result:
    found = session.shortcuts.look(query)  # first: it takes less than to see whether the query is continuous
    if found is not None:
        return answer(*with_names(session, *found))
    relations = session.relations
    if is_continuous(query, relations):
        return _continuous(session, query, relations)
    rows = snapshot(session, query)
    columns = with_origins(session, query, answers.columns_of(rows.schema))
    return answer(*with_names(session, columns, _batches(rows)))


def answer(columns: tuple[ResultColumn, ...], batches: list[pa.RecordBatch]) -> Result:
    """Rows that are there."""
    return Result("SELECT", columns, iter(batches), _tag)


def _batches(rows: pa.Table) -> list[pa.RecordBatch]:
    found: list[pa.RecordBatch] = rows.to_batches(max_chunksize=BATCH_ROWS)
    return found


def snapshot(session: Session, query: st.Query) -> pa.Table:
    """The rows of a SELECT over tables, views and system tables, at one epoch."""
    return _computation(session, query)[1]()


def later(session: Session, query: st.Query) -> tuple[tuple[ResultColumn, ...], Callable[[], pa.Table]]:
    """The same for a cursor: the columns now, the rows when they are asked for, as of now."""
    planned, rows = _computation(session, query)
    return answers.columns_of(planned.schema), rows


def planned_schema(session: Session, query: st.Query) -> pa.Schema:
    """What the rows will look like."""
    return session.engine.snapshot_plans.plan(session, query).schema


def _computation(session: Session, query: st.Query) -> tuple[SnapshotPlan, Callable[[], pa.Table]]:
    planned = session.engine.snapshot_plans.plan(session, query)
    tables = visible(session, relations_of(planned), epoch_of_query(session, query, planned), query.at_least_epoch)

    def rows() -> pa.Table:
        with session.cancelled.interruptible():
            return execute(planned, tables)

    return planned, rows


# -- continuous queries -------------------------------------------------------------------------


def plan_continuous(query: st.Query, relations: Mapping[str, PlannedRelation]) -> tuple[plan.Plan, int | None]:
    """The plan, and the LIMIT that ends the stream (a LIMIT without ORDER BY over rows that only grow)."""
    bare, limit = split_limit(query)
    if limit is not None:
        lowered = ContinuousPlanner(relations).plan(bare)
        if lowered.root.append_only:
            return lowered, limit
        bare = query
    return ContinuousPlanner(relations).plan(bare), None


def _continuous(session: Session, query: st.Query, relations: Mapping[str, PlannedRelation]) -> Result:
    _refuse_past(query)
    lowered, limit = plan_continuous(query, relations)
    _check_growing(query, lowered)
    schema = _shown(query, lowered)
    result = Result("SELECT", answers.columns_of(schema), tag_of=_tag, streaming=True)
    final = lowered.root.append_only and not _shows_changes(query)
    result.batches = _lazily(
        lambda: _opened(session, lowered, schema, _least(limit, result.at_most if final else None))
    )
    return result


def _least(limit: int | None, other: int | None) -> int | None:
    return limit if other is None else other if limit is None else min(limit, other)


def open_query(session: Session, query: st.Query) -> Stream:
    """A continuous query's rows, for a cursor."""
    _refuse_past(query)
    lowered, limit = plan_continuous(query, session.relations)
    _check_growing(query, lowered)
    return _opened(session, lowered, _shown(query, lowered), limit)


def _check_growing(query: st.Query, lowered: plan.Plan) -> None:
    if not lowered.root.append_only and not _shows_changes(query):
        raise FeatureNotSupported(
            "the result of this continuous query changes",
            hint="add EMIT CHANGES to receive changes, EMIT ON WINDOW CLOSE to receive final windows,"
            " or CREATE MATERIALIZED VIEW and SELECT from it",
            position=query.offset + 1,
        )


def _refuse_past(query: st.Query) -> None:
    if query.looks_back:
        raise FeatureNotSupported(
            "AS OF in a continuous query is not supported",
            hint="SUBSCRIBE to a table or a materialized view AS OF EPOCH n",
            position=query.offset + 1,
        )


def _shows_changes(query: st.Query) -> bool:
    return query.emit is not None and query.emit.explicit and query.emit.mode == "changes"


def _shown(query: st.Query, lowered: plan.Plan) -> pa.Schema:
    return changes_schema(lowered.output) if _shows_changes(query) else lowered.output


def changes_schema(schema: pa.Schema) -> pa.Schema:
    return pa.schema([("_epoch", pa.int64()), ("_diff", pa.int64()), *schema])


def _opened(session: Session, lowered: plan.Plan, schema: pa.Schema, limit: int | None) -> Stream:
    """The rows of a transient job until it ends, its limit is reached or the statement is cancelled."""
    if session.transaction is not None:
        session.transaction.check_reads(session.catalog, plan.relations_of(lowered.root), changes=True)
    job, subscription = session.engine.transient(lowered, session.cancelled, enough=limit)
    return Stream(session.engine, subscription, schema, job=job, limit=limit)


def _lazily(opened: Callable[[], Stream]) -> Iterator[pa.RecordBatch]:
    """Nothing runs before the first row is asked for."""
    yield from opened()


# -- SUBSCRIBE and COPY … TO ---------------------------------------------------------------------


def subscribe(session: Session, statement: st.Subscribe) -> Result:
    if statement.query is not None:
        return _subscribe_query(session, statement)
    stream = _open(session, statement)
    columns = answers.columns_of(stream.schema)
    return Result("SUBSCRIBE", columns, iter(stream), _subscribed, streaming=True, subscription=stream.subscription)


def open_subscribe(session: Session, statement: st.Subscribe) -> Stream:
    """The same for a cursor."""
    if statement.query is None:
        return _open(session, statement)
    lowered = ContinuousPlanner(session.relations).plan(statement.query)
    return _opened(session, lowered, changes_schema(lowered.output), None)


def _subscribed(rows: int) -> str:
    return f"SUBSCRIBE {rows}"


_SUBSCRIBE_HINTS = {
    "view": "SUBSCRIBE (SELECT …)",
    "subscription": "DECLARE … SUBSCRIPTION CURSOR FOR it, and FETCH",
}


def _open(session: Session, statement: st.Subscribe) -> Stream:
    assert statement.relation is not None
    relation = session.names.relation(statement.relation, statement.name_position + 1)
    if session.transaction is not None:
        session.transaction.check_reads(session.catalog, [relation.name], changes=True)
    if relation.kind in ("lookup table", "view", "subscription"):
        raise WrongObjectType(
            f'"{relation.shown}" is a {relation.kind}: it has no changes of its own',
            hint=_SUBSCRIBE_HINTS.get(relation.kind),
            position=statement.name_position + 1,
        )
    subscription = session.engine.subscribe(
        relation.name,
        snapshot=statement.snapshot,
        progress=statement.progress,
        as_of=_start_of(session, statement, relation.name),
        at_least=statement.at_least,
        cancelled=session.cancelled,
    )
    return Stream(session.engine, subscription, subscription.schema)


def _start_of(session: Session, statement: st.Subscribe, name: str) -> int | None:
    if statement.as_of_time is None:
        return statement.as_of
    return epoch_at(session, instant(session, statement.as_of_time), [name])


def _subscribe_query(session: Session, statement: st.Subscribe) -> Result:
    assert statement.query is not None
    lowered = ContinuousPlanner(session.relations).plan(statement.query)
    schema = changes_schema(lowered.output)
    rows = _lazily(lambda: _opened(session, lowered, schema, None))
    return Result("SUBSCRIBE", answers.columns_of(schema), rows, _subscribed, streaming=True)


def copy_out(session: Session, statement: st.Copy) -> Result:
    options = copy_options(statement.options, "out")
    source = statement.source
    if source is None:
        assert statement.table is not None
        from constellationdb.planner.syntax.edits import identifier

        columns = ", ".join(identifier(c) for c in statement.columns) or "*"
        table = ".".join(identifier(part) for part in split(statement.table) if part is not None)
        query = st.Query(
            f"SELECT {columns} FROM {table}", names=((statement.table, session.names.find(statement.table)),)
        )
        source = st.Select(statement.text, statement.offset, query)
    result = subscribe(session, source) if isinstance(source, st.Subscribe) else select(session, source.query)
    result.command, result.copy_out = "COPY", options
    _check_forced(session, statement, options.force_quote, result.columns or ())
    result.tag_of = lambda rows: f"COPY {rows}"
    return result


def _check_forced(
    session: Session, statement: st.Copy, names: tuple[str, ...], columns: tuple[ResultColumn, ...]
) -> None:
    """FORCE_QUOTE names columns that are copied."""
    copied = {column.name for column in columns}
    for name in names:
        if name in copied or name == "*":
            continue
        if statement.table is None:
            raise UndefinedColumn(f'column "{name}" does not exist')
        relation = session.names.relation(statement.table)
        if name not in relation.schema.names:
            raise UndefinedColumn(f'column "{name}" of relation "{relation.shown}" does not exist')
        raise InvalidColumnReference(f'FORCE_QUOTE column "{name}" not referenced by COPY')


# -- describing ----------------------------------------------------------------------------------


def describe(session: Session, query: st.Query) -> tuple[ResultColumn, ...]:
    relations = session.relations
    if not is_continuous(query, relations):
        schema = session.engine.snapshot_plans.plan(session, query).schema
        return with_origins(session, query, answers.columns_of(schema))
    lowered, _ = plan_continuous(query, relations)
    return answers.columns_of(_shown(query, lowered))


def describe_subscribe(session: Session, statement: st.Subscribe) -> tuple[ResultColumn, ...]:
    if statement.query is not None:
        schema = ContinuousPlanner(session.relations).plan(statement.query).output
    else:
        schema = session.names.relation(statement.relation or "", statement.name_position + 1).schema
    return answers.columns_of(changes_schema(schema))


def explain(session: Session, statement: st.Explain) -> Result:
    found = _analyzed(session, statement.statement) if statement.analyze else _explained(session, statement)
    lines = [with_names_of_functions(session.catalog, line) for line in found]
    return answers.text_rows(("QUERY PLAN",), [(line,) for line in lines], "EXPLAIN")


def _analyzed(session: Session, statement: st.Statement) -> list[str]:
    match statement:
        case st.NamedView():
            return analyses.view(session, statement, analyze=True)
        case st.Select(query=query) if is_continuous(query, session.relations):
            return analyses.continuous(session, *plan_continuous(query, session.relations))
        case st.Select(query=query):
            return analyses.snapshot(session, query)
        case st.Subscribe(query=query) if query is not None:
            return analyses.continuous(session, ContinuousPlanner(session.relations).plan(query))
        case st.Subscribe():
            return explains.subscription(session, statement)
        case _:
            raise FeatureNotSupported(
                "EXPLAIN ANALYZE of a statement that changes something is not supported",
                hint="EXPLAIN shows its plan; EXPLAIN ANALYZE MATERIALIZED VIEW measures a view that is there",
                position=statement.offset + 1,
            )


def _explained(session: Session, statement: st.Explain) -> list[str]:
    match inner := statement.statement:
        case st.Select():
            return _explained_query(session, inner.query)
        case st.NamedView():
            return analyses.view(session, inner, analyze=False)
        case st.CreateView(materialized=True):
            return explains.view(session, inner)
        case st.CreateSink():
            return explains.sink(session, inner)
        case st.CreateView():
            title = f"View {inner.name}: keeps nothing, its query is planned as part of each that reads it"
            return [title, *(f"  {line}" for line in _explained_query(session, inner.query))]
        case st.CreateTableAs():
            return explains.snapshot(session, inner.query, f"Snapshot query for the rows of table {inner.name}")
        case st.Subscribe(query=None):
            return explains.subscription(session, inner)
        case st.Subscribe(query=query) if query is not None:
            return explains.continuous(session, ContinuousPlanner(session.relations).plan(query))
        case st.Insert() | st.Update() | st.Delete():
            return explains.change(session, inner)
        case _:
            raise FeatureNotSupported("EXPLAIN of this statement is not supported", position=inner.offset + 1)


def _explained_query(session: Session, query: st.Query) -> list[str]:
    if is_continuous(query, session.relations):
        return explains.continuous(session, *plan_continuous(query, session.relations))
    return explains.point_read(session, query) or explains.snapshot(session, query)
