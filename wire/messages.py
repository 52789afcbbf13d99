"""What a client can say, one frozen value a message.

``FrontendMessage`` is the closed sum that ``parser`` yields and
``conversation`` matches on. Text was decoded from UTF-8; parameter values stay
bytes, since only Bind's format codes tell what they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class EncryptionRequest:
    """SSLRequest or GSSENCRequest: answered ``N``, after which the client starts again."""

    kind: Literal["ssl", "gss"]


@dataclass(frozen=True)
class CancelRequest:
    process: int
    secret: bytes


@dataclass(frozen=True)
class Startup:
    """``minor`` is of protocol 3; ``options`` are the ``_pq_.*`` names, none of which is known here."""

    minor: int
    parameters: Mapping[str, str]
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Query:
    sql: str


@dataclass(frozen=True)
class Parse:
    name: str
    sql: str
    parameter_oids: tuple[int, ...] = ()


@dataclass(frozen=True)
class Bind:
    """``parameter_formats`` and ``result_formats`` as sent: none, one for all, or one each; 0 text, 1 binary."""

    portal: str
    statement: str
    parameter_formats: tuple[int, ...] = ()
    parameters: tuple[bytes | None, ...] = ()
    result_formats: tuple[int, ...] = ()


@dataclass(frozen=True)
class Describe:
    kind: Literal["S", "P"]
    name: str


@dataclass(frozen=True)
class Execute:
    """``max_rows`` 0: all of them."""

    portal: str
    max_rows: int = 0


@dataclass(frozen=True)
class Close:
    kind: Literal["S", "P"]
    name: str


@dataclass(frozen=True)
class Flush:
    pass


@dataclass(frozen=True)
class Sync:
    pass


@dataclass(frozen=True)
class Terminate:
    pass


@dataclass(frozen=True)
class CopyData:
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class CopyDone:
    pass


@dataclass(frozen=True)
class CopyFail:
    message: str


@dataclass(frozen=True)
class FunctionCall:
    """The old way to call a function by its oid, which is refused."""


@dataclass(frozen=True)
class Garbled:
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
