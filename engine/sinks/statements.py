"""CREATE, ALTER and SHOW CREATE SINK for a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from constellationdb.catalog.model import Alter, Command, Create, Drop, Relation
from constellationdb.connectors.sink_options import FIXED, ID, INTO
from constellationdb.engine import answers, definitions
from constellationdb.engine.backfills import with_rate
from constellationdb.engine.naming import Place
from constellationdb.engine.result import Notice, Result
from constellationdb.engine.sinks.definitions import SinkDefiner, altered, followed, text_of
from constellationdb.engine.stopped import refuse_stopped
from constellationdb.errors import FeatureNotSupported, InvalidParameter, UndefinedRelation, WrongObjectType
from constellationdb.planner import statements as st
from constellationdb.planner.references import split
from constellationdb.planner.syntax.edits import identifier

if TYPE_CHECKING:
    from constellationdb.engine.session import Session

TITLES = ("Sink", "Create Sink")


def create_sink(session: Session, statement: st.CreateSink) -> Result:
    place = session.names.place(statement.name, statement.name_position + 1)
    before = place.existing
    if before is not None and statement.if_not_exists:
        return Result(
            "CREATE SINK", notices=[Notice(f'relation "{place.label}" already exists, skipping', sqlstate="42P07")]
        )
    if before is None or not statement.or_replace:
        definitions.refuse_existing(session.catalog, place)
    elif before.kind != "sink":
        raise WrongObjectType(f'"{place.label}" is not a sink', position=statement.name_position + 1)
    _refuse_without_target(statement)
    made = _made(session, statement, place)
    commands: list[Command] = [made]
    if before is not None and _goes_on(before, made.relations[-1]):
        commands = [Alter(made.relations)]
    elif before is not None:
        commands = [Drop(session.catalog.to_drop([_of_its_own(before)], cascade=False)), made]
    with session.together() as transaction:
        for command in commands:
            transaction.define(session.engine, command)
    return Result("CREATE SINK")


def _refuse_without_target(statement: st.CreateSink) -> None:
    if statement.into is None and "connector" not in statement.options:
        raise InvalidParameter(
            "a sink needs a connector or a table",
            hint="write WITH (connector = '…'), or INTO and the table's name",
            position=statement.name_position + 1,
        )


def _of_its_own(sink: Relation) -> str:
    """What goes when the sink is dropped: the view of its query, and the sink with it."""
    return sink.owner or sink.name


def _goes_on(before: Relation, after: Relation) -> bool:
    """Whether the target has of one what it shall have of the other, up to its marker."""
    names = {*FIXED, INTO} - {"snapshot"}
    same = all(before.options.get(name) == after.options.get(name) for name in names)
    return same and before.owner is None is after.owner and before.depends_on == after.depends_on


def _made(session: Session, statement: st.CreateSink, place: Place) -> Create:
    """The sink, behind the view of its query, if it has one."""
    own: Create | None = None
    catalog = session.catalog
    if statement.query is not None:
        own = _own_view(session, statement, place)
        names = {relation.name for relation in own.relations}
        without = Drop(tuple(name for name in catalog.relations if name in names))
        catalog = (catalog.apply(without) if without.names else catalog).apply(own)
        follows = catalog.get(own.relations[-1].name)
        over = f"AS {statement.query_text}"
    else:
        assert statement.relation is not None
        position = statement.relation_position + 1
        follows = followed(session.names.relation(statement.relation, position), position)
        over = f"FROM {_said(statement.relation)}"
        with session.engine.lock:
            state = session.engine.states.get(follows.name)
            refuse_stopped(session.engine, [] if state is None else [state])
    table = None
    if statement.into is not None:
        table = session.names.relation(statement.into, statement.into_position + 1)
    into = None if statement.into is None else _said(statement.into)
    sql = text_of(_said(statement.name), into, over, statement.options)
    definer = SinkDefiner(catalog, place, follows, statement.name_position + 1)
    sink = replace(definer.define(statement.options, table, sql), owner=None if own is None else follows.name)
    if place.existing is not None and _goes_on(place.existing, sink):
        sink = replace(sink, options={**sink.options, ID: place.existing.options[ID]})
    definer.check(sink, table)
    return Create((sink,) if own is None else (*own.relations, sink))


def _said(name: str) -> str:
    schema, label = split(name)
    return identifier(label) if schema is None else f"{identifier(schema)}.{identifier(label)}"


def _own_view(session: Session, statement: st.CreateSink, place: Place) -> Create:
    """``s_query``, a materialized view like any other; it goes with the sink."""
    assert statement.query is not None
    at = session.names.beside(place.namespace, f"{place.label}_query")
    if at.existing is not None and (place.existing is None or place.existing.owner != at.name):
        definitions.refuse_existing(session.catalog, at)
    if statement.query.emit is not None and statement.query.emit.late_to is not None:
        raise FeatureNotSupported("LATE DATA TO in a sink is not supported", hint="give it a materialized view")
    view = st.CreateView(
        text=f"CREATE MATERIALIZED VIEW {identifier(at.label)} AS {statement.query_text}",
        offset=statement.offset,
        name=at.name,
        query=statement.query,
        materialized=True,
        name_position=statement.name_position,
    )
    made = definitions.view(session.catalog, session.relations, session.functions, view)
    return with_rate(definitions.placed(made, [at]), session.settings)


def alter_sink(session: Session, statement: st.AlterSink) -> Result:
    sink = session.catalog.relations.get(session.names.find(statement.name))
    if sink is None:
        if not statement.if_exists:
            raise UndefinedRelation(f'sink "{statement.name}" does not exist', position=statement.name_position + 1)
        return Result("ALTER SINK", notices=[Notice(f'sink "{statement.name}" does not exist, skipping')])
    _check_kind(sink, statement.name_position + 1)
    with session.together() as transaction:
        transaction.define(session.engine, Alter((altered(sink, statement.options),)))
    return Result("ALTER SINK")


def show_create_sink(session: Session, statement: st.ShowCreateSink) -> Result:
    sink = session.names.relation(statement.name, statement.name_position + 1)
    _check_kind(sink, statement.name_position + 1)
    return answers.text_rows(TITLES, [(sink.shown, sink.sql)], "SHOW")


def _check_kind(relation: Relation, position: int) -> None:
    if relation.kind != "sink":
        raise WrongObjectType(f'"{relation.shown}" is not a sink', position=position)
