"""PREPARE, EXECUTE, DEALLOCATE; the extended protocol's named statements are in the same book, as in Postgres."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from constellationdb.catalog.text import text_encoder
from constellationdb.catalog.types import SqlType, by_oid, field_of, of_field
from constellationdb.engine import assignment
from constellationdb.engine.reads import execute as run
from constellationdb.engine.result import Prepared, Result
from constellationdb.errors import (
    ConstellationError,
    DatatypeMismatch,
    DuplicateStatement,
    LimitExceeded,
    SqlSyntaxError,
    UndefinedStatement,
)
from constellationdb.planner import statements as st
from constellationdb.planner.analysis.kinds import UNKNOWN, Kind
from constellationdb.planner.snapshot import SnapshotPlan, SnapshotPlanner

if TYPE_CHECKING:
    from constellationdb.engine.session import Session

LIMIT = 10_000
_UNTYPED = (0, 705)


@dataclass(frozen=True)
class Entry:
    """``text``: all of PREPARE when it was said in SQL, else what Parse was sent."""

    prepared: Prepared
    text: str
    made_us: int
    from_sql: bool


class PreparedStatements:
    """By name; the empty name is the extended protocol's unnamed statement, which DEALLOCATE does not see."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}

    def check_free(self, name: str) -> None:
        if name and name in self._entries:
            raise DuplicateStatement(f'prepared statement "{name}" already exists')
        if len(self._entries) >= LIMIT:
            raise LimitExceeded(f"more than {LIMIT} prepared statements", hint="close the ones no longer needed")

    def add(self, name: str, prepared: Prepared, *, made_us: int = 0, text: str | None = None) -> None:
        """``text``: of a PREPARE."""
        self._entries[name] = Entry(prepared, text or prepared.sql, made_us, text is not None)

    def find(self, name: str) -> Prepared | None:
        found = self._entries.get(name)
        return None if found is None else found.prepared

    def get(self, name: str) -> Prepared:
        found = self.find(name)
        if found is None:
            named = f'prepared statement "{name}"' if name else "unnamed prepared statement"
            raise UndefinedStatement(f"{named} does not exist")
        return found

    def remove(self, name: str) -> None:
        """Removing what does not exist is no error."""
        self._entries.pop(name, None)

    def clear(self) -> None:
        self._entries = {name: entry for name, entry in self._entries.items() if not name}

    def rows(self) -> list[dict[str, object]]:
        """What ``pg_prepared_statements`` shows; ``parameter_types`` are oids."""
        return [
            {
                "name": name,
                "statement": entry.text,
                "prepare_time": entry.made_us,
                "parameter_types": list(entry.prepared.parameters),
                "from_sql": entry.from_sql,
            }
            for name, entry in self._entries.items()
            if name
        ]


def prepare(session: Session, statement: st.Prepare) -> Result:
    session.statements.check_free(statement.name)
    try:
        prepared = session.prepare(statement.body, statement.types)
    except ConstellationError as error:
        if error.position is not None:
            error.position += statement.body_offset
        raise
    session.statements.add(statement.name, prepared, made_us=session.engine.clock.now_us(), text=statement.text)
    return Result("PREPARE")


def deallocate(session: Session, statement: st.Deallocate) -> Result:
    if statement.name is None:
        session.statements.clear()
        return Result("DEALLOCATE ALL")
    session.statements.get(statement.name)
    session.statements.remove(statement.name)
    return Result("DEALLOCATE")


def execute(session: Session, statement: st.ExecutePrepared) -> Result:
    prepared = session.statements.get(statement.name)
    wanted, given = len(prepared.parameters), len(statement.arguments)
    if wanted != given:
        raise SqlSyntaxError(
            f'wrong number of parameters for prepared statement "{statement.name}"',
            detail=f"Expected {wanted} parameters but got {given}.",
        )
    values = tuple(
        _value(session, number, argument, oid)
        for number, (argument, oid) in enumerate(zip(statement.arguments, prepared.parameters, strict=True), 1)
    )
    return session.run_prepared(prepared, values)


def _value(session: Session, number: int, argument: tuple[str, int], oid: int) -> str | None:
    """An argument as the text of a parameter of type ``oid``."""
    text, offset = argument
    planned = _planned(session, text, offset)
    kind, target = planned.kinds[0] if planned.kinds else None, by_oid(oid)
    try:
        if target is not None and oid not in _UNTYPED:
            _check_type(number, kind, target, offset)
            planned = _planned(session, f"CAST({text} AS {target.name})", offset - len("CAST("))
        column = run(planned, {}).column(0).combine_chunks()
    except ConstellationError as error:
        raise (error.at(offset + 1) if kind == UNKNOWN else error) from None
    if column.null_count:
        return None
    return str(text_encoder(column.type, of_field(planned.schema.field(0)))(column)[0].as_py().decode())


def _planned(session: Session, expression: str, offset: int) -> SnapshotPlan:
    """Positions count from the argument: what stands before it is ours."""
    query = st.Query(f"SELECT {expression}", offset - len("SELECT "), zone=session.zone)
    return SnapshotPlanner({}, functions=session.functions).plan(query)


def _check_type(number: int, kind: Kind, target: SqlType, offset: int) -> None:
    try:
        assignment.check_assignable(kind, field_of("", target))
    except DatatypeMismatch:
        raise DatatypeMismatch(
            f"parameter ${number} of type {kind} cannot be coerced to the expected type {target.name}",
            hint="You will need to rewrite or cast the expression.",
            position=offset + 1,
        ) from None
