"""The extended protocol's memory: prepared statements and portals, and what Parse … Close do with them.

A statement lives until it is closed or replaced (the unnamed one by the next
Parse or Query). A portal lives until it is closed, replaced, or its
transaction ends. Describe only looks; nothing runs before Execute.
"""

from __future__ import annotations

from dataclasses import dataclass

from constellationdb.engine.result import Prepared, ResultColumn, SessionProtocol
from constellationdb.errors import (
    DuplicateCursor,
    DuplicateStatement,
    FeatureNotSupported,
    InvalidTextRepresentation,
    LimitExceeded,
    ProtocolViolation,
    UndefinedCursor,
    UndefinedStatement,
)
from constellationdb.wire import replies
from constellationdb.wire.answer import Peer, RowStream, send_rows, style_for
from constellationdb.wire.binary import parameter_text
from constellationdb.wire.binary_columns import check_binary
from constellationdb.wire.messages import Bind, Close, Describe, Execute, Parse

NAME_LIMIT = 10_000


@dataclass
class Portal:
    """A bound statement. ``stream`` is None until the first Execute, then holds what is left of the rows."""

    name: str
    prepared: Prepared
    parameters: tuple[str | None, ...]
    formats: tuple[int, ...]
    stream: RowStream | None = None

    def close(self) -> None:
        if self.stream is not None:
            self.stream.close()


class ExtendedQuery:
    """The statements and portals of one connection."""

    def __init__(self, peer: Peer, session: SessionProtocol) -> None:
        self._peer = peer
        self._session = session
        self._statements: dict[str, Prepared] = {}
        self._portals: dict[str, Portal] = {}

    def parse(self, message: Parse) -> None:
        if message.name and message.name in self._statements:
            raise DuplicateStatement(f'prepared statement "{message.name}" already exists')
        if len(self._statements) >= NAME_LIMIT:
            raise LimitExceeded(f"more than {NAME_LIMIT} prepared statements", hint="close the ones no longer needed")
        self._statements.pop("", None)
        self._statements[message.name] = self._session.prepare(message.sql, message.parameter_oids)
        self._peer.send(replies.PARSE_COMPLETE)

    def bind(self, message: Bind) -> None:
        if message.portal and message.portal in self._portals:
            raise DuplicateCursor(f'portal "{message.portal}" already exists')
        if len(self._portals) >= NAME_LIMIT:
            raise LimitExceeded(f"more than {NAME_LIMIT} portals", hint="close the ones no longer needed")
        prepared = self._statement(message.statement)
        self._drop_portal("")
        formats = result_formats(message.result_formats, prepared.columns or ())
        parameters = parameters_of(message, prepared)
        self._portals[message.portal] = Portal(message.portal, prepared, parameters, formats)
        self._peer.send(replies.BIND_COMPLETE)

    def describe(self, message: Describe) -> None:
        if message.kind == "S":
            prepared = self._statement(message.name)
            self._peer.send(replies.parameter_description(prepared.parameters))
            self._describe_rows(prepared.columns, (0,) * len(prepared.columns or ()))
        else:
            portal = self._portal(message.name)
            self._describe_rows(portal.prepared.columns, portal.formats)

    def _describe_rows(self, columns: tuple[ResultColumn, ...] | None, formats: tuple[int, ...]) -> None:
        self._peer.send(replies.described(columns, formats))

    def execute(self, message: Execute) -> str:
        """Runs the portal, or goes on with it; the command it ran."""
        portal = self._portal(message.portal)
        if portal.stream is None:
            more = not self._alone(portal.prepared)
            result = self._session.execute_prepared(portal.prepared, portal.parameters, more=more)
            if result.columns != portal.prepared.columns and portal.prepared.columns is not None:
                raise FeatureNotSupported("cached plan must not change result type", hint="prepare the statement again")
            portal.stream = RowStream(result, style_for(self._session))
        elif portal.stream.result.columns is None or portal.stream.result.copy_out is not None:
            raise ProtocolViolation(f'portal "{portal.name}" cannot be run anymore', hint="bind the statement again")
        send_rows(self._peer, portal.stream, portal.formats, message.max_rows)
        return portal.stream.result.command

    def _alone(self, prepared: Prepared) -> bool:
        """Whether this is the only statement before Sync, and so needs no transaction around it.

        A client that has sent Execute expects nothing before its Sync or Flush,
        so there is one to wait for, except when it is asked for COPY data.
        """
        return prepared.sql.lstrip()[:4].lower() != "copy" and self._peer.alone()

    def close(self, message: Close) -> None:
        """Closing what does not exist is no error."""
        if message.kind == "S":
            self._statements.pop(message.name, None)
        else:
            self._drop_portal(message.name)
        self._peer.send(replies.CLOSE_COMPLETE)

    def known(self, name: str) -> Prepared | None:
        """The statement with this name, if there is one."""
        return self._statements.get(name)

    def keep_unnamed(self, prepared: Prepared) -> None:
        """What Parse leaves behind, where somebody else answered it."""
        self._statements[""] = prepared

    def forget_unnamed(self) -> None:
        """A simple Query replaces the unnamed statement and portal."""
        self._statements.pop("", None)
        self._drop_portal("")

    def forget_portals(self) -> None:
        """Their transaction is over."""
        for name in list(self._portals):
            self._drop_portal(name)

    def _drop_portal(self, name: str) -> None:
        portal = self._portals.pop(name, None)
        if portal is not None:
            portal.close()

    def _statement(self, name: str) -> Prepared:
        if name not in self._statements:
            named = f'prepared statement "{name}"' if name else "unnamed prepared statement"
            raise UndefinedStatement(f"{named} does not exist")
        return self._statements[name]

    def _portal(self, name: str) -> Portal:
        if name not in self._portals:
            raise UndefinedCursor(f'portal "{name}" does not exist')
        return self._portals[name]


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
    given, wanted = len(message.parameters), len(prepared.parameters)
    if given != wanted:
        raise ProtocolViolation(f"bind message supplies {given} parameters, but the statement requires {wanted}")
    formats = message.parameter_formats
    if len(formats) <= 1:
        formats = (formats[0] if formats else 0,) * given
    return tuple(map(_parameter, message.parameters, formats, prepared.parameters))


def _parameter(value: bytes | None, code: int, oid: int) -> str | None:
    if value is None:
        return None
    if code:
        return parameter_text(value, oid)
    try:
        return value.decode()
    except UnicodeDecodeError as problem:
        raise InvalidTextRepresentation('invalid byte sequence for encoding "UTF8" in a parameter') from problem
