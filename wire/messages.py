"""What a client can say, one frozen value a message.

``FrontendMessage`` is the closed sum that ``parser`` yields and
``conversation`` matches on. Text was decoded from UTF-8; parameter values stay
bytes, since only Bind's format codes tell what they are. They are structs and
not dataclasses because one is made for every message: in a tenth of the time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct


class EncryptionRequest(Struct, frozen=True):
    """SSLRequest or GSSENCRequest: answered ``N``, after which the client starts again."""

    kind: Literal["ssl", "gss"]


class CancelRequest(Struct, frozen=True):
    process: int
    secret: bytes


class Startup(Struct, frozen=True):
    """``minor`` is of protocol 3; ``options`` are the ``_pq_.*`` names, none of which is known here."""

    minor: int
    parameters: Mapping[str, str]
    options: tuple[str, ...] = ()


class Query(Struct, frozen=True):
    sql: str


class Parse(Struct, frozen=True):
    name: str
    sql: str
    parameter_oids: tuple[int, ...] = ()


class Bind(Struct, frozen=True):
    """``parameter_formats`` and ``result_formats`` as sent: none, one for all, or one each; 0 text, 1 binary."""

    portal: str
    statement: str
    parameter_formats: tuple[int, ...] = ()
    parameters: tuple[bytes | None, ...] = ()
    result_formats: tuple[int, ...] = ()


class Describe(Struct, frozen=True):
    kind: Literal["S", "P"]
    name: str


class Execute(Struct, frozen=True):
    """``max_rows`` 0: all of them."""

    portal: str
    max_rows: int = 0


class Close(Struct, frozen=True):
    kind: Literal["S", "P"]
    name: str


class Flush(Struct, frozen=True):
    pass


class Sync(Struct, frozen=True):
    pass


class Terminate(Struct, frozen=True):
    pass


class CopyData(Struct, frozen=True):
    data: bytes

    def __repr__(self) -> str:
        return f"CopyData(<{len(self.data)} bytes>)"


class CopyDone(Struct, frozen=True):
    pass


class CopyFail(Struct, frozen=True):
    message: str


class FunctionCall(Struct, frozen=True):
    """The old way to call a function by its oid, which is refused."""


class Garbled(Struct, frozen=True):
    """A message with a text that is not UTF-8, and what is wrong with it. ``is_query``: a Query, else any other."""

    problem: str
    is_query: bool


FrontendMessage = (
    EncryptionRequest
    | CancelRequest
    | Startup
    | Query
    | Parse
    | Bind
    | Describe
    | Execute
    | Close
    | Flush
    | Sync
    | Terminate
    | CopyData
    | CopyDone
    | CopyFail
    | FunctionCall
    | Garbled
)
