"""SELECT for a session: a snapshot when it reads what is stored, continuous when it reads a stream."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import pyarrow as pa

from constellationdb.engine import answers, explains
from constellationdb.engine.copy_options import copy_options
from constellationdb.engine.reads import execute, relations_of
from constellationdb.engine.result import Result, ResultColumn
from constellationdb.engine.subscription import Subscription
from constellationdb.engine.visible import visible
from constellationdb.errors import FeatureNotSupported, InvalidColumnReference, UndefinedColumn, WrongObjectType
from constellationdb.planner import plan
from constellationdb.planner import statements as st
from constellationdb.planner.continuous import ContinuousPlanner
from constellationdb.planner.prepare import relation_names
from constellationdb.planner.relations import PlannedRelation
from constellationdb.planner.rewrite.limits import split_limit
from constellationdb.planner.snapshot import SnapshotPlanner

if TYPE_CHECKING:
    from constellationdb.engine.session import Session

_BATCH_ROWS = 8192


def _tag(rows: int) -> str:
    return f"SELECT {rows}"


def is_continuous(query: st.Query, relations: Mapping[str, PlannedRelation]) -> bool:
    """Whether a query reads an unbounded relation, itself or through a plain view."""
    if query.emit is not None:
        return True
    for name in relation_names(query):
        relation = relations.get(name)
        if relation is None:
            continue
        if relation.kind == "source":
            return True
        if relation.kind == "view" and relation.query is not None and is_continuous(relation.query, relations):
            return True
    return False


def select(session: Session, query: st.Query) -> Result:
    relations = session.relations
    if is_continuous(query, relations):
        return _continuous(session, query, relations)
    rows = snapshot(session, query)
    return answer(answers.columns_of(rows.schema), _batches(rows))


def answer(columns: tuple[ResultColumn, ...], batches: list[pa.RecordBatch]) -> Result:
    """Rows that are there."""
    return Result("SELECT", columns, iter(batches), _tag)


def _batches(rows: pa.Table) -> list[pa.RecordBatch]:
    found: list[pa.RecordBatch] = rows.to_batches(max_chunksize=_BATCH_ROWS)
    return found


def snapshot(session: Session, query: st.Query) -> pa.Table:
    """The rows of a SELECT over tables, views and system tables, at one epoch."""
    planned = SnapshotPlanner(session.relations).plan(query)
    tables = visible(session, relations_of(planned), query.as_of_epoch)
    with session.cancelled.interruptible():
        return execute(planned, tables)


# -- continuous queries -------------------------------------------------------------------------


def plan_continuous(query: st.Query, relations: Mapping[str, PlannedRelation]) -> tuple[plan.Plan, int | None]:
    """The plan, and the LIMIT that ends the stream (a LIMIT without ORDER BY over rows that only grow)."""
    bare, limit = split_limit(query)
    if limit is not None:
        lowered = ContinuousPlanner(relations).plan(bare)
        if lowered.root.append_only:
            return lowered, limit
    return ContinuousPlanner(relations).plan(query), None


def _continuous(session: Session, query: st.Query, relations: Mapping[str, PlannedRelation]) -> Result:
    lowered, limit = plan_continuous(query, relations)
    emit = query.emit
    if not lowered.root.append_only and (emit is None or emit.mode != "changes" or not emit.explicit):
        raise FeatureNotSupported(
            "the result of this continuous query changes",
            hint="add EMIT CHANGES to receive changes, EMIT ON WINDOW CLOSE to receive final windows,"
            " or CREATE MATERIALIZED VIEW and SELECT from it",
            position=query.offset + 1,
        )
    changes = emit is not None and emit.explicit and emit.mode == "changes"
    schema = lowered.output
    if changes:
        schema = pa.schema([("_epoch", pa.int64()), ("_diff", pa.int64()), *schema])
    rows = _stream(session, lowered, limit, plain=not changes)
    return Result("SELECT", answers.columns_of(schema), rows, _tag, streaming=True)


def _stream(session: Session, lowered: plan.Plan, limit: int | None, *, plain: bool) -> Iterator[pa.RecordBatch]:
    """The rows of a transient job until it ends, its limit is reached or the statement is cancelled."""
    if session.transaction is not None:
        session.transaction.check_reads(session.catalog, plan.relations_of(lowered.root), changes=True)
    if limit == 0:
        return
    job, subscription = session.engine.transient(lowered, session.cancelled)
    try:
        left = limit
        while (batch := subscription.next()) is not None:
            rows = pa.RecordBatch.from_arrays(batch.columns[2:], schema=lowered.output) if plain else batch
            if left is not None:
                rows = rows.slice(0, left)
                left -= rows.num_rows
            yield rows
            if left == 0:
                return
    finally:
        session.engine.drop_transient(job)


# -- SUBSCRIBE and COPY … TO ---------------------------------------------------------------------


def subscribe(session: Session, statement: st.Subscribe) -> Result:
    if statement.query is not None:
        return _subscribe_query(session, statement)
    subscription = _open(session, statement)
    columns = answers.columns_of(subscription.schema)
    return Result("SUBSCRIBE", columns, _changes(subscription), lambda n: f"SUBSCRIBE {n}", streaming=True)


def _open(session: Session, statement: st.Subscribe) -> Subscription:
    assert statement.relation is not None
    relation = session.catalog.get(statement.relation, statement.name_position + 1)
    if session.transaction is not None:
        session.transaction.check_reads(session.catalog, [relation.name], changes=True)
    if relation.kind in ("lookup table", "view"):
        raise WrongObjectType(
            f'"{relation.name}" is a {relation.kind}: it has no changes of its own',
            hint="SUBSCRIBE (SELECT …)" if relation.kind == "view" else None,
            position=statement.name_position + 1,
        )
    return session.engine.subscribe(
        relation.name,
        snapshot=statement.snapshot,
        progress=statement.progress,
        as_of=statement.as_of,
        cancelled=session.cancelled,
    )


def _changes(subscription: Subscription) -> Iterator[pa.RecordBatch]:
    while (batch := subscription.next()) is not None:
        yield batch


def _subscribe_query(session: Session, statement: st.Subscribe) -> Result:
    assert statement.query is not None
    lowered = ContinuousPlanner(session.relations).plan(statement.query)
    schema = pa.schema([("_epoch", pa.int64()), ("_diff", pa.int64()), *lowered.output])
    rows = _stream(session, lowered, None, plain=False)
    return Result("SUBSCRIBE", answers.columns_of(schema), rows, lambda n: f"SUBSCRIBE {n}", streaming=True)


def copy_out(session: Session, statement: st.Copy) -> Result:
    options = copy_options(statement.options, "out")
    source = statement.source
    if source is None:
        assert statement.table is not None
        from constellationdb.planner.syntax.edits import identifier

        columns = ", ".join(identifier(c) for c in statement.columns) or "*"
        source = st.Select(
            statement.text, statement.offset, st.Query(f"SELECT {columns} FROM {identifier(statement.table)}")
        )
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
        if name not in session.catalog.get(statement.table).schema.names:
            raise UndefinedColumn(f'column "{name}" of relation "{statement.table}" does not exist')
        raise InvalidColumnReference(f'FORCE_QUOTE column "{name}" not referenced by COPY')


# -- describing ----------------------------------------------------------------------------------


def describe(session: Session, query: st.Query) -> tuple[ResultColumn, ...]:
    relations = session.relations
    if not is_continuous(query, relations):
        return answers.columns_of(SnapshotPlanner(relations).plan(query).schema)
    lowered, _ = plan_continuous(query, relations)
    emit = query.emit
    if emit is not None and emit.explicit and emit.mode == "changes":
        return answers.columns_of(pa.schema([("_epoch", pa.int64()), ("_diff", pa.int64()), *lowered.output]))
    return answers.columns_of(lowered.output)


def describe_subscribe(session: Session, statement: st.Subscribe) -> tuple[ResultColumn, ...]:
    if statement.query is not None:
        schema = ContinuousPlanner(session.relations).plan(statement.query).output
    else:
        schema = session.catalog.get(statement.relation or "", statement.name_position + 1).schema
    return answers.columns_of(pa.schema([("_epoch", pa.int64()), ("_diff", pa.int64()), *schema]))


def explain(session: Session, statement: st.Explain) -> Result:
    return answers.text_rows(("QUERY PLAN",), [(line,) for line in _explained(session, statement)], "EXPLAIN")


def _explained(session: Session, statement: st.Explain) -> list[str]:
    match inner := statement.statement:
        case st.Select():
            return _explained_query(session, inner.query)
        case st.CreateView(materialized=True):
            return explains.view(session, inner)
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
    return explains.snapshot(session, query)
