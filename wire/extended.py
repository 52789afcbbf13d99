"""The extended protocol's memory: prepared statements and portals, and what Parse … Close do with them.

A statement lives until it is closed or replaced (the unnamed one by the next
Parse or Query). A portal lives until it is closed, replaced, or its
transaction ends. Describe only looks; nothing runs before Execute.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from constellationdb.engine import portals
from constellationdb.engine.result import Prepared, ResultColumn, SessionProtocol
from constellationdb.errors import (
    FeatureNotSupported,
    ProtocolViolation,
    RelationUnusable,
    ScrollRefused,
)
from constellationdb.planner.statements import Fetch
from constellationdb.wire import replies
from constellationdb.wire.answer import Peer, RowStream, send_rows, style_for
from constellationdb.wire.binary_columns import check_binary
from constellationdb.wire.messages import Bind, Close, Describe, Execute, Parse
from constellationdb.wire.parameters import parameter_text


@dataclass
class Portal:
    """A bound statement. ``stream`` is None until the first Execute, then holds what is left of the rows."""

    name: str
    prepared: Prepared
    parameters: tuple[str | None, ...]
    formats: tuple[int, ...]
    stream: RowStream | None = None
    hold = False
    binary = False

    @property
    def columns(self) -> tuple[ResultColumn, ...] | None:
        return self.prepared.columns

    def fetch(self, move: Fetch) -> list[pa.RecordBatch]:
        """FETCH, said in SQL, of a portal that Execute has begun: only onward."""
        if self.stream is None:
            raise RelationUnusable(f'portal "{self.name}" cannot be run', hint="begin it with an Execute message")
        if move.direction != "forward" or (move.count or 1) < 0:
            raise ScrollRefused("cursor can only scan forward")
        found: list[pa.RecordBatch] = []
        left = move.count
        while left != 0 and (chunk := self.stream.next_chunk(left or 0)) is not None:
            found.append(chunk)
            left = None if left is None else left - chunk.num_rows
        return found

    def persist(self) -> None:
        """It ends with its transaction."""

    def close(self) -> None:
        if self.stream is not None:
            self.stream.close()


class ExtendedQuery:
    """The statements and portals of one connection, which are its session's."""

    def __init__(self, peer: Peer, session: SessionProtocol) -> None:
        self._peer = peer
        self._session = session
        self._statements = session.statements
        self._portals = session.portals

    def parse(self, message: Parse) -> None:
        self._statements.check_free(message.name)
        self._statements.remove("")
        prepared = self._session.prepare(message.sql, message.parameter_oids)
        self._statements.add(message.name, prepared)
        self._peer.send(replies.PARSE_COMPLETE)

    def bind(self, message: Bind) -> None:
        prepared = self._statements.get(message.statement)
        formats = result_formats(message.result_formats, prepared.columns or ())
        parameters = parameters_of(message, prepared)
        self._portals.add(message.portal, Portal(message.portal, prepared, parameters, formats))
        self._peer.send(replies.BIND_COMPLETE)

    def describe(self, message: Describe) -> None:
        if message.kind == "S":
            prepared = self._statements.get(message.name)
            self._peer.send(replies.parameter_description(prepared.parameters))
            self._describe_rows(prepared.columns, (0,) * len(prepared.columns or ()))
        else:
            portal = self._portals.get(message.name, "portal")
            self._describe_rows(portal.columns, _formats(portal))

    def _describe_rows(self, columns: tuple[ResultColumn, ...] | None, formats: tuple[int, ...]) -> None:
        self._peer.send(replies.described(columns, formats))

    def execute(self, message: Execute) -> str:
        """Runs the portal, or goes on with it; the command it ran."""
        portal = self._portals.get(message.portal, "portal")
        if not isinstance(portal, Portal):
            return self._execute_cursor(message, portal)
        if portal.stream is None:
            alone, outside = self._alone(portal.prepared), self._session.transaction_status == "I"
            result = self._session.execute_prepared(portal.prepared, portal.parameters, more=not alone)
            if alone and outside and message.max_rows:  # its Sync ends the portal: nobody asks for the other rows
                result.at_most = message.max_rows
            if portal.prepared.columns is not None and _shape(result.columns) != _shape(portal.prepared.columns):
                raise FeatureNotSupported("cached plan must not change result type", hint="prepare the statement again")
            portal.stream = RowStream(result, style_for(self._session))
        elif portal.stream.result.columns is None or portal.stream.result.copy_out is not None:
            raise RelationUnusable(f'portal "{portal.name}" cannot be run', hint="bind the statement again")
        send_rows(self._peer, portal.stream, portal.formats, message.max_rows)
        return portal.stream.result.command

    def _execute_cursor(self, message: Execute, cursor: portals.Portal) -> str:
        """A cursor that SQL declared goes on like any other portal."""
        result = self._session.fetch_portal(message.portal, message.max_rows)
        send_rows(self._peer, RowStream(result), _formats(cursor), message.max_rows)
        return result.command

    def _alone(self, prepared: Prepared) -> bool:
        """Whether this is the only statement before Sync, and so needs no transaction around it.

        A client that has sent Execute expects nothing before its Sync or Flush,
        so there is one to wait for, except when it is asked for COPY data.
        """
        return prepared.sql.lstrip()[:4].lower() != "copy" and self._peer.alone()

    def close(self, message: Close) -> None:
        """Closing what does not exist is no error."""
        if message.kind == "S":
            self._statements.remove(message.name)
        else:
            self._portals.close(message.name)
        self._peer.send(replies.CLOSE_COMPLETE)

    def known(self, name: str) -> Prepared | None:
        """The statement with this name, if there is one."""
        return self._statements.find(name)

    def keep_unnamed(self, prepared: Prepared) -> None:
        """What Parse leaves behind, where somebody else answered it."""
        self._statements.add("", prepared)

    def forget_unnamed(self) -> None:
        """A simple Query replaces the unnamed statement and portal."""
        self._statements.remove("")
        self._portals.close("")

    def forget_portals(self) -> None:
        """Their transaction is over."""
        self._portals.end_transaction(committed=True)


def _formats(portal: portals.Portal) -> tuple[int, ...]:
    """The formats of a portal's columns: as Bind said, or as DECLARE did."""
    if isinstance(portal, Portal):
        return portal.formats
    return (1 if portal.binary else 0,) * len(portal.columns or ())


def _shape(columns: tuple[ResultColumn, ...] | None) -> list[tuple[str, int]]:
    """Names and types; how many digits a numeric has may depend on the parameters."""
    return [(column.name, column.type.oid) for column in columns or ()]


def result_formats(codes: tuple[int, ...], columns: tuple[ResultColumn, ...]) -> tuple[int, ...]:
    """One code a column; 0A000 now rather than in the middle of the rows where a column cannot be binary."""
    if len(codes) <= 1:
        codes = (codes[0] if codes else 0,) * len(columns)
    if len(codes) != len(columns):
        raise ProtocolViolation(f"bind message has {len(codes)} result formats but query has {len(columns)} columns")
    for code, column in zip(codes, columns, strict=True):
        if code:
            check_binary(column.type)
    return codes


def parameters_of(message: Bind, prepared: Prepared) -> tuple[str | None, ...]:
    parts = zip(message.parameters, parameter_formats(message, prepared), prepared.parameters, strict=True)
    return tuple(
        None if value is None else parameter_text(value, code, oid, number)
        for number, (value, code, oid) in enumerate(parts, 1)
    )


def parameter_formats(message: Bind, prepared: Prepared) -> tuple[int, ...]:
    """One code a parameter, of which there must be as many as the statement has."""
    given, wanted = len(message.parameters), len(prepared.parameters)
    if given != wanted:
        raise ProtocolViolation(
            f'bind message supplies {given} parameters, but prepared statement "{message.statement}" requires {wanted}'
        )
    formats = message.parameter_formats
    if len(formats) <= 1:
        formats = (formats[0] if formats else 0,) * given
    if len(formats) != given:
        raise ProtocolViolation(f"bind message has {len(formats)} parameter formats but {given} parameters")
    return formats
