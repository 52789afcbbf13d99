"""A Result on its way to the client: rows in pieces, then the command tag.

``RowStream`` reads a result's batches, cut into chunks that are encoded at
once, and remembers where it stopped, so a portal can go on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa

from constellationdb.catalog.text import PLAIN, STYLE_SETTINGS, Style, style_of
from constellationdb.catalog.types import SqlType
from constellationdb.engine.result import CopySink, Result, ResultColumn, SessionProtocol
from constellationdb.errors import ConstellationError, ProtocolViolation, QueryCanceled
from constellationdb.wire import replies
from constellationdb.wire.binary_columns import check_binary
from constellationdb.wire.columns import ColumnEncoder, column_encoder
from constellationdb.wire.copy_out import CopyWriter
from constellationdb.wire.messages import CopyData, CopyDone, CopyFail, Flush, FrontendMessage, Sync
from constellationdb.wire.registered import numbered
from constellationdb.wire.rows import Bytes, chunk_rows, data_rows

if TYPE_CHECKING:  # a client that writes rows as text needs no engine
    from constellationdb.engine.subscription import Subscription


class Peer(Protocol):
    """The client as the conversation sees it. Every method may raise Disconnected."""

    def check(self) -> None:
        """Raise Disconnected when the connection is to end: nothing more is worth saying."""
        ...

    def send(self, data: bytes | memoryview) -> None:
        """Queue bytes; they leave with the next flush, at the latest when the conversation waits for a message."""
        ...

    def flush(self) -> None:
        """Let the queued bytes go, and wait while the client does not keep up."""
        ...

    def flush_if_large(self) -> None:
        """Flush once enough is queued to be worth a write."""
        ...

    def hang_up(self, data: bytes) -> None:
        """Send the last words, without waiting; never raises."""
        ...

    def follow(self, subscription: Subscription, group: Hashable, encode: Callable[[pa.RecordBatch], Bytes]) -> int:
        """Be sent what comes in ``subscription``, encoded once for all of the group: how many rows that were.

        Returns when the subscription is cancelled or over, when the client does not keep up, or at once if it
        cannot be done; the subscription goes on from where it then is.
        """
        ...

    def receive(self, cancelable: bool = False) -> FrontendMessage:
        """The next message, waited for. ``cancelable``: a CancelRequest meanwhile raises QueryCanceled."""
        ...

    def waiting(self, most: int) -> list[FrontendMessage]:
        """The messages that have come and were not received yet: they stay."""
        ...

    def skip(self, count: int) -> None:
        """Receive so many of those."""
        ...

    def alone(self) -> bool:
        """Whether a Sync comes next. Waits for the next message, whatever it is, and leaves it there."""
        ...


class Disconnected(Exception):
    """The conversation is over. ``reason`` is what the client is told, None when it is gone already."""

    def __init__(self, reason: ConstellationError | None = None) -> None:
        super().__init__(reason)
        self.reason = reason


class RowStream:
    """The unread rows of one result, how they are printed, and how many were read."""

    def __init__(self, result: Result, style: Style = PLAIN) -> None:
        self.result = result
        self.style = style
        self.rows = 0
        self.done = False
        self._batch: pa.RecordBatch | None = None
        self._offset = 0
        self._chunk = 0  # rows to encode at a time

    @property
    def drained(self) -> bool:
        """Whether nothing is left of the last batch."""
        return self._batch is None or self._offset >= self._batch.num_rows

    def next_chunk(self, limit: int = 0) -> pa.RecordBatch | None:
        """At most ``limit`` rows (0: as many as are encoded at once); None at the end, for good."""
        if self.done or not self._fill():
            self.done = True
            return None
        assert self._batch is not None
        size = min(self._chunk, limit or self._chunk, self._batch.num_rows - self._offset)
        chunk = self._batch.slice(self._offset, size)
        self._offset += size
        self.rows += size
        return chunk

    def _fill(self) -> bool:
        """Move to a batch with rows left."""
        while self._batch is None or self._offset >= self._batch.num_rows:
            self._batch = next(self.result.batches, None)
            self._offset = 0
            if self._batch is None:
                return False
            self._chunk = chunk_rows(self._batch)
        return True

    def close(self) -> None:
        self.done = True
        self._batch = None
        close = getattr(self.result.batches, "close", None)
        if close is not None:
            close()


def style_for(session: SessionProtocol) -> Style:
    """How the session wants its values printed now."""
    timezone, float_digits, bytea_output = map(session.setting, STYLE_SETTINGS)
    return style_of(timezone, float_digits, bytea_output)


def send_result(peer: Peer, result: Result, style: Style = PLAIN) -> None:
    """The whole answer to one statement of a simple Query."""
    formats = (1 if result.binary else 0,) * len(result.columns or ())
    if result.columns is not None and result.copy_out is None and result.copy_in is None:
        peer.send(replies.row_description(result.columns, formats))
    stream = RowStream(result, style)
    try:
        send_rows(peer, stream, formats, 0)
    finally:
        stream.close()


def send_rows(peer: Peer, stream: RowStream, formats: Sequence[int], max_rows: int) -> None:
    """What Execute answers: rows and CommandComplete, or PortalSuspended after ``max_rows``."""
    result = stream.result
    _send_notices(peer, result)
    if result.empty_query:
        peer.send(replies.EMPTY_QUERY)
        return
    if result.copy_in is not None:
        tag = _copy_in(peer, result.copy_in)
    elif result.copy_out is not None:
        tag = _copy_out(peer, stream)
    else:
        before = stream.rows
        if _send_data_rows(peer, stream, formats, max_rows):
            peer.send(replies.PORTAL_SUSPENDED)
            return
        tag = result.tag(stream.rows - before)
    _send_notices(peer, result)
    peer.send(replies.command_complete(tag))


def _send_notices(peer: Peer, result: Result) -> None:
    while result.notices:
        peer.send(replies.notice(result.notices.pop(0)))


def _send_data_rows(peer: Peer, stream: RowStream, formats: Sequence[int], max_rows: int) -> bool:
    """True when it stopped at the limit: like Postgres, without looking whether another row follows."""
    encoders = Encoders(stream.result.columns or (), formats, stream.style)
    end = stream.rows + max_rows
    if stream.result.streaming:
        _start(stream.result)
        peer.flush()
    kinds = tuple(formats)
    while True:
        if not max_rows:
            _follow(
                peer, stream, ("rows", kinds, stream.style), lambda: _rows_encoder(stream.result, kinds, stream.style)
            )
        chunk = stream.next_chunk(end - stream.rows if max_rows else 0)
        if chunk is None:
            return False
        if stream.result.columns is not None:
            chunk = numbered(chunk, stream.result.columns, formats)
            peer.send(data_rows(chunk, encoders.of(chunk)))
            _pace(peer, stream.result)
        if max_rows and stream.rows == end:
            return True


def _rows_encoder(result: Result, formats: tuple[int, ...], style: Style) -> Callable[[pa.RecordBatch], Bytes]:
    columns = result.columns or ()
    encoders = Encoders(columns, formats, style)

    def encode(batch: pa.RecordBatch) -> Bytes:
        chunk = numbered(batch, columns, formats)
        return data_rows(chunk, encoders.of(chunk))

    return encode


def _start(result: Result) -> None:
    """A client that has seen the head of the answer may count on the changes that follow."""
    if result.subscription is not None:
        result.subscription.start(None)


def _follow(
    peer: Peer, stream: RowStream, group: Hashable, encoder: Callable[[], Callable[[pa.RecordBatch], Bytes]]
) -> None:
    """Leave the rows of a SUBSCRIBE that has caught up to the event loop, for as long as the client keeps up."""
    subscription = stream.result.subscription
    if subscription is not None and stream.drained and subscription.start(None) and subscription.shareable:
        stream.rows += peer.follow(subscription, group, encoder())


def _pace(peer: Peer, result: Result) -> None:
    if result.streaming:
        peer.flush()
    else:
        peer.flush_if_large()


class Encoders:
    """One encoder a column, chosen again only when a batch's Arrow types differ from the last one's."""

    def __init__(self, columns: Sequence[ResultColumn], formats: Sequence[int], style: Style) -> None:
        self._style = style
        self._columns: list[tuple[SqlType, int]] = [
            (column.type, code) for column, code in zip(columns, formats or (0,) * len(columns), strict=True)
        ]
        self._schema: pa.Schema | None = None
        self._encoders: list[ColumnEncoder] = []

    def of(self, batch: pa.RecordBatch) -> list[ColumnEncoder]:
        if self._schema is None or not batch.schema.equals(self._schema):
            self._schema = batch.schema
            self._encoders = [
                column_encoder(field.type, kind, code, self._style)
                for field, (kind, code) in zip(batch.schema, self._columns, strict=True)
            ]
        return self._encoders


def _copy_out(peer: Peer, stream: RowStream) -> str:
    result = stream.result
    columns = result.columns or ()
    options = result.copy_out
    assert options is not None
    writer = CopyWriter([column.name for column in columns], options)
    if options.binary:
        for column in columns:
            check_binary(column.type)
    peer.send(replies.copy_out(len(columns), options.binary))
    peer.send(writer.header())
    if result.streaming:
        _start(result)
        peer.flush()
    formats = (int(options.binary),) * len(columns)
    encoders = Encoders(columns, formats, stream.style)
    while True:
        if not options.binary:  # whose first message is another
            _follow(peer, stream, ("copy", options, stream.style), lambda: _copy_encoder(result, stream.style))
        chunk = stream.next_chunk()
        if chunk is None:
            break
        chunk = numbered(chunk, columns, formats)
        peer.send(writer.rows(chunk, encoders.of(chunk)))
        _pace(peer, result)
    peer.send(writer.end() + replies.COPY_DONE)
    return result.tag(stream.rows)


def _copy_encoder(result: Result, style: Style) -> Callable[[pa.RecordBatch], Bytes]:
    columns = result.columns or ()
    assert result.copy_out is not None
    writer = CopyWriter([column.name for column in columns], result.copy_out)
    encoders = Encoders(columns, (0,) * len(columns), style)

    def encode(batch: pa.RecordBatch) -> Bytes:
        return writer.rows(batch, encoders.of(batch))

    return encode


def _copy_in(peer: Peer, sink: CopySink) -> str:
    """Nothing is inserted unless the client said CopyDone."""
    peer.send(replies.copy_in(sink.columns, sink.binary))
    peer.flush()
    try:
        while (message := peer.receive(cancelable=True)) != CopyDone():
            _take_copy_message(sink, message)
    except BaseException:
        sink.fail()
        raise
    return sink.finish()


def _take_copy_message(sink: CopySink, message: FrontendMessage) -> None:
    match message:
        case CopyData(data):
            sink.write(data)
        case CopyFail(reason):
            raise QueryCanceled(f"COPY from stdin failed: {reason}")
        case Flush() | Sync():
            # A client of the extended protocol cannot know whether its Execute starts a COPY; these are ignored.
            pass
        case other:
            raise ProtocolViolation(f"unexpected message {type(other).__name__} during COPY from stdin")
