"""CREATE OR REPLACE MATERIALIZED VIEW for a session: begin the next version, and wait until it is the view."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from msgspec.structs import replace

from constellationdb.catalog.model import UPCOMING, Create, Drop, Relation
from constellationdb.engine import definitions
from constellationdb.engine.backfills import with_rate
from constellationdb.engine.result import Result
from constellationdb.engine.successors import views_over
from constellationdb.engine.writes import check_inputs
from constellationdb.errors import (
    ActiveTransaction,
    FeatureNotSupported,
    InternalError,
    InvalidDefinition,
    QueryCanceled,
    RelationUnusable,
    UndefinedRelation,
    WrongObjectType,
)
from constellationdb.planner import statements as st

if TYPE_CHECKING:
    from constellationdb.engine.sequencer import Epoch
    from constellationdb.engine.session import Session

_TAG = "CREATE MATERIALIZED VIEW"


def replace_view(session: Session, statement: st.CreateView, view: Relation) -> Result:
    """``view`` is what stands under the statement's name now."""
    engine = session.engine
    if session.transaction is not None:
        raise ActiveTransaction("CREATE OR REPLACE MATERIALIZED VIEW cannot run inside a transaction block")
    _check(session, statement, view)
    base = session.catalog
    made = _next_version(session, statement, view)
    views_over(engine, view, made.relations[-1])
    name = made.relations[-1].name

    def begin(epoch: Epoch) -> None:
        check_inputs(engine, base, made.relations)
        if engine.catalog.relations.get(view.name) is not view:
            raise UndefinedRelation(f'relation "{view.shown}" does not exist')
        if name in engine.catalog.relations:
            if engine.jobs[name].failure is None:
                raise RelationUnusable(f'"{view.shown}" is being replaced already')
            engine.define(epoch, Drop(engine.catalog.to_drop([name], cascade=True)))
        engine.define(epoch, made)

    engine.submit(begin, first=True).result()
    engine.nudge()
    if session.settings.get("background_ddl") == "off":
        _wait(session, view, name)
    return Result(_TAG)


def _check(session: Session, statement: st.CreateView, view: Relation) -> None:
    position = statement.name_position + 1
    if view.kind != "materialized view":
        raise WrongObjectType(f'"{view.shown}" is not a materialized view', position=position)
    job = session.engine.jobs.get(view.name)
    if job is not None and job.starting:
        raise RelationUnusable(f'"{view.shown}" cannot be replaced before it has its first answer')
    if statement.query.emit is not None and statement.query.emit.late_to is not None:
        raise FeatureNotSupported("CREATE OR REPLACE MATERIALIZED VIEW … LATE DATA TO is not supported")
    if job is not None and job.outputs.late is not None:
        raise FeatureNotSupported(f'"{view.shown}" cannot be replaced: it has LATE DATA TO', hint="drop it first")


def _next_version(session: Session, statement: st.CreateView, view: Relation) -> Create:
    catalog = session.catalog
    named = dataclasses.replace(statement, name=f"{view.name}#next")
    made = definitions.view(catalog, session.relations, session.functions, named)
    if any(view.name in catalog.bases_of(name) for name in made.relations[-1].depends_on):
        raise InvalidDefinition(f'"{view.shown}" cannot be defined over itself', position=statement.name_position + 1)
    *sides, relation = (replace(relation, namespace=UPCOMING) for relation in made.relations)
    return with_rate(Create((*sides, replace(relation, owner=view.name))), session.settings)


def _wait(session: Session, view: Relation, name: str) -> None:
    engine = session.engine

    def over() -> bool:
        job = engine.jobs.get(name)
        return job is None or job.failure is not None

    try:
        engine.wait(over, session.cancelled)
    except QueryCanceled:
        engine.submit(lambda epoch: _give_up(session, epoch, name), first=True).result()
        raise
    with engine.lock:
        job, now = engine.jobs.get(name), engine.catalog.relations.get(view.name)
    if job is not None and job.failure is not None:
        failure = job.failure
        engine.submit(lambda epoch: _give_up(session, epoch, name), first=True).result()
        raise InternalError(
            f'the new version of "{view.shown}" could not be computed', detail=str(failure)
        ) from failure
    if now is None or now.oid != view.oid:
        raise UndefinedRelation(f'"{view.shown}" was dropped')
    changed_over = engine.submit(lambda epoch: epoch.number - 1, first=True).result()  # that epoch, or a later one
    session.wrote(changed_over, {view.name})


def _give_up(session: Session, epoch: Epoch, name: str) -> None:
    catalog = session.engine.catalog
    if name in catalog.relations:
        session.engine.define(epoch, Drop(catalog.to_drop([name], cascade=True)))
