"""EXPLAIN for a session: which plan a statement would run, without running it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from constellationdb.connectors.sink_options import SinkSettings
from constellationdb.engine.changes import plan_of_change
from constellationdb.engine.point_reads import index_of
from constellationdb.engine.point_reads import point_read as reading
from constellationdb.engine.side import errors_name
from constellationdb.planner import plan
from constellationdb.planner import statements as st
from constellationdb.planner.continuous import ContinuousPlanner
from constellationdb.planner.explain import Reading, Sink, aligned, explain_snapshot
from constellationdb.planner.explain import explain as explain_plan
from constellationdb.planner.point import point_query
from constellationdb.planner.relations import PlannedRelation
from constellationdb.planner.snapshot import SnapshotPlan, SnapshotPlanner

if TYPE_CHECKING:
    from constellationdb.engine.session import Session

_SHOWN = {"#target": "the rows there", "#excluded": "excluded", "#changed": "the rows changed"}
_CLAUSES = {"SELECT": "rows", "UPDATE": "rows and their new values", "RETURNING": "RETURNING"}


def view(session: Session, statement: st.CreateView) -> list[str]:
    lowered = ContinuousPlanner(session.relations).plan(statement.query, statement.column_names)
    return explain_plan(lowered, session.relations, Sink(statement.name, errors_name(statement.name)))


def sink(session: Session, statement: st.CreateSink) -> list[str]:
    """What it delivers and where to, and the plan of a query of its own."""
    settings, into = SinkSettings.of(statement.options), statement.into
    target = f"table {into}" if into is not None else f"connector {statement.options.get('connector', '')}"
    when = f"at most every {settings.interval_us / 1e6:g} s, up to {settings.rows} rows and more at a time"
    fields = [
        ("to", target),
        ("type", settings.type or "append, if rows are only added; else upsert"),
        ("commits", f"{when}, each with its epoch as marker"),
        ("state", "none of its own: the relation's log is kept up to the target's marker"),
    ]
    if statement.query is None:
        fields.insert(0, ("from", statement.relation or ""))
        return [f"Sink {statement.name}: no operator runs", *aligned(fields, "  ")]
    lowered = ContinuousPlanner(session.relations).plan(statement.query)
    view_name = f"{statement.name}_query"
    plan_lines = explain_plan(lowered, session.relations, Sink(view_name, errors_name(view_name)))
    return [f"Sink {statement.name}", *aligned(fields, "  "), *(f"  {line}" for line in plan_lines)]


def continuous(session: Session, lowered: plan.Plan, limit: int | None = None) -> list[str]:
    """A query whose rows go to the client."""
    return explain_plan(lowered, session.relations, Sink(limit=limit))


def snapshot(session: Session, query: st.Query, title: str = Reading.title) -> list[str]:
    planned = SnapshotPlanner(session.relations, functions=session.functions).plan(query)
    return explain_snapshot(planned, session.relations, Reading(title, _epoch(session, query)))


def point_read(session: Session, query: st.Query) -> list[str] | None:
    """A query that an index answers; None for any other."""
    asked = None if session.transaction is not None else point_query(query, session.relations)
    if asked is None:
        return None
    relation = session.catalog.get(asked.relation)
    places = tuple(place for place, _ in asked.equals)
    if reading(session.engine.state(asked.relation), asked, relation) is None:
        return None
    columns = ", ".join(relation.schema.names[place] for place in places)
    index = index_of(relation, places)
    by = f"index {index}" if index is not None else "the key of the view's rows"
    fields = [("epoch", Reading.epoch), ("reads", f"{relation.shown}: the rows of one value of {columns}, by {by}")]
    return ["Point read at one epoch: no plan is run", *aligned(fields, "  ")]


def _epoch(session: Session, query: st.Query) -> str:
    if query.as_of_time is not None:
        return f"the last one at {query.as_of_time} (AS OF TIMESTAMP)"
    if query.at_least_epoch:
        return f"the latest that all it reads has reached, and not before {query.at_least_epoch}"
    if query.as_of_epoch is not None:
        return f"{query.as_of_epoch}, when all it reads has reached it (AS OF EPOCH)"
    if session.transaction is not None and session.transaction.explicit:
        return "the one this transaction reads at, with its own changes"
    return Reading.epoch


def subscription(session: Session, statement: st.Subscribe) -> list[str]:
    """SUBSCRIBE to a relation runs no operator: its changes are there already."""
    relation = session.names.relation(statement.relation or "", statement.name_position + 1)
    start = f"the changes after epoch {statement.as_of}" if statement.as_of is not None else "changes from now on"
    if statement.snapshot and statement.as_of is None:
        start = f"the rows of the latest epoch, then {start}"
    fields = [
        ("columns", ", ".join(relation.schema.names)),
        ("state", "none of its own: the relation's log is read"),
        ("emits", f"every epoch: {start}"),
    ]
    return [f"Subscription to {relation.kind} {relation.name}: no operator runs", *aligned(fields, "  ")]


def change(session: Session, statement: st.Insert | st.Update | st.Delete) -> list[str]:
    """What DML reads to find the rows that go and come; nothing is read for constants."""
    command = type(statement).__name__
    target = session.names.relation(statement.table, statement.table_position + 1)
    fields = [("writes", "all rows in one epoch"), ("errors", "the statement fails, and changes nothing")]
    lines = [f"{command} {target.kind} {target.name}", *aligned(fields, "  ")]
    pieces = plan_of_change(session, statement)
    if not pieces:
        return [*lines, "  reads no relation: its rows are constants"]
    for clause, planned, relations in pieces:
        lines += [f"  {line}" for line in _piece(session, clause, planned, relations)]
    return lines


def _piece(session: Session, clause: str, planned: SnapshotPlan, relations: dict[str, PlannedRelation]) -> list[str]:
    title = f"Snapshot query for {_CLAUSES.get(clause, clause)}"
    explicit = session.transaction is not None and session.transaction.explicit
    epoch = (
        "the one this transaction reads at, with its own changes"
        if explicit
        else "the one it writes, as the statement before left it"
    )
    return explain_snapshot(planned, relations, Reading(title, epoch, _SHOWN))
