"""CREATE and DROP for a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from constellationdb.catalog.model import Create
from constellationdb.engine import definitions
from constellationdb.engine.result import Notice, Result
from constellationdb.engine.sources import SourceState
from constellationdb.errors import FeatureNotSupported, InternalError, UndefinedRelation
from constellationdb.planner import statements as st

if TYPE_CHECKING:
    from constellationdb.engine.sequencer import Epoch
    from constellationdb.engine.session import Session


class Definer:
    def __init__(self, session: Session) -> None:
        self._session = session
        self._engine = session.engine

    def define(self, statement: st.Statement) -> Result:
        match statement:
            case st.CreateTable():
                return self._create(statement, "CREATE TABLE", lambda: definitions.table(statement))
            case st.CreateSource():
                return self._create(statement, "CREATE SOURCE", lambda: definitions.source(self._engine, statement))
            case st.CreateLookupTable():
                return self._create(statement, "CREATE LOOKUP TABLE", lambda: definitions.lookup_table(statement))
            case st.CreateView():
                return self._view(statement)
            case st.CreateTableAs():
                return self._table_as(statement)
            case st.Drop():
                return self._drop(statement)
            case _:
                raise FeatureNotSupported(f"{type(statement).__name__} is not supported", position=statement.offset + 1)

    def _create(
        self, statement: st.CreateTable | st.CreateSource | st.CreateLookupTable | st.CreateView, tag: str, make: object
    ) -> Result:
        exists = statement.name in self._engine.catalog.relations
        if exists and statement.if_not_exists:
            return Result(
                tag, notices=[Notice(f'relation "{statement.name}" already exists, skipping', sqlstate="42P07")]
            )
        replaced = exists and getattr(statement, "or_replace", False)
        if not replaced:
            definitions.refuse_existing(self._engine, statement.name, statement.name_position + 1)
        command: Create = make()  # type: ignore[operator]
        if replaced:
            self._replace(statement.name)
        self._submit(command)
        return Result(tag, notices=self._notices(command))

    def _replace(self, name: str) -> None:
        """CREATE OR REPLACE: drop the old one, which nothing may depend on."""
        names = self._engine.catalog.to_drop([name], cascade=False)
        from constellationdb.catalog.model import Drop

        self._submit(Drop(names))

    def _submit(self, command: object) -> None:
        def work(epoch: Epoch) -> int:
            self._engine.define(epoch, command)  # type: ignore[arg-type]
            return epoch.number

        epoch = self._engine.submit(work).result()
        self._session.wrote(epoch, set())
        self._engine._nudge()

    def _notices(self, command: Create) -> list[Notice]:
        reads = {n for relation in command.relations for n in relation.depends_on}
        pushed = [n for n in sorted(reads) if isinstance(s := self._engine.states.get(n), SourceState) and s.pushed]
        return [
            Notice(f'source "{name}" is read from now on: rows pushed before are not seen')
            for name in pushed
            if self._engine.states[name].rows  # type: ignore[attr-defined]
        ]

    def _view(self, statement: st.CreateView) -> Result:
        tag = "CREATE MATERIALIZED VIEW" if statement.materialized else "CREATE VIEW"
        result = self._create(statement, tag, lambda: definitions.view(self._engine, statement))
        if statement.materialized:
            self._wait_for(statement.name)
        return result

    def _wait_for(self, name: str) -> None:
        """Until the view has caught up with what there was when it was created."""
        engine = self._engine
        epoch = self._session.last_epoch

        def ready() -> bool:
            job = engine.jobs.get(name)
            if job is None or job.failure is not None:
                return True
            return job.backfill is None and job.position >= epoch

        engine.wait(ready, self._session.cancelled)
        job = engine.jobs.get(name)
        if job is not None and job.failure is not None:
            raise InternalError(
                f'the first answer of "{name}" could not be computed', detail=str(job.failure)
            ) from job.failure

    def _table_as(self, statement: st.CreateTableAs) -> Result:
        from constellationdb.catalog.model import ColumnDefinition, make_relation
        from constellationdb.catalog.types import of_arrow
        from constellationdb.engine import selects
        from constellationdb.engine.writes import insert_rows

        exists = statement.name in self._engine.catalog.relations
        if exists and statement.if_not_exists:
            return Result("CREATE TABLE AS", notices=[Notice(f'relation "{statement.name}" already exists, skipping')])
        definitions.refuse_existing(self._engine, statement.name, statement.name_position + 1)
        rows = selects.snapshot(self._session, statement.query)
        columns = tuple(ColumnDefinition(f.name, of_arrow(f.type).name) for f in rows.schema)
        self._submit(
            Create((make_relation(statement.name, "table", rows.schema, columns=columns, sql=statement.text),))
        )
        for batch in rows.to_batches():
            self._session.wrote(
                self._engine.submit(lambda e, b=batch: insert_rows(self._engine, e, statement.name, b)).result(),
                {statement.name},
            )
        return Result(f"SELECT {rows.num_rows}")

    def _drop(self, statement: st.Drop) -> Result:
        present, notices = [], []
        for name in statement.names:
            if name in self._engine.catalog.relations:
                present.append(name)
            elif statement.if_exists:
                notices.append(Notice(f'{statement.kind} "{name}" does not exist, skipping', sqlstate="00000"))
            else:
                raise UndefinedRelation(f'{statement.kind} "{name}" does not exist')
        if present:
            self._submit(definitions.drop(self._engine, statement, present))
        return Result(f"DROP {statement.kind.upper()}", notices=notices)
