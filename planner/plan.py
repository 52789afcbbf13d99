"""The lowered plan: a tree of incremental operators, versioned and serialisable.

    MATERIALIZE v (carrier, bigint)
    └─ Aggregate keys=[c0] count(c1)           one node, one operator per worker
       └─ Fragment                             Substrait over one input slot
          └─ Scan flights                      reads the relation's log

A node knows its output schema (columns are named ``c0, c1, …``; users' names
return at the root), whether its rows are only ever added, which columns close
with the watermark, and a stable id that state and EXPLAIN refer to. The
catalog stores ``encode(plan)``; a restart decodes it and never plans again.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Literal, TypeAlias

import msgspec
import pyarrow as pa

from constellationdb.planner.frame import Frame

VERSION = 1

JoinType: TypeAlias = Literal["inner", "left", "right", "full", "semi", "anti", "mark"]
MeasureKind: TypeAlias = Literal[
    "count", "sum", "avg", "min", "max", "bool_and", "bool_or", "bit_and", "bit_or", "bit_xor",
    "var_samp", "var_pop", "stddev_samp", "stddev_pop", "covar_pop", "covar_samp", "corr", "regr_count", "regr_avgx",
    "regr_avgy", "regr_sxx", "regr_syy", "regr_sxy", "regr_r2", "regr_slope", "regr_intercept", "python",
]  # fmt: skip


class Column(msgspec.Struct, frozen=True):
    """A column that the watermark closes: its row is final when ``value + offset_us <= watermark``."""

    index: int
    offset_us: int


class Node(msgspec.Struct, frozen=True, kw_only=True, tag_field="node"):
    """What every node states about its output."""

    id: int
    schema_ipc: bytes
    append_only: bool
    times: tuple[int, ...] = ()  # event-time columns: no row arrives below the watermark but a late one
    closing: tuple[Column, ...] = ()
    shifted: tuple[Column, ...] = ()  # as times, of columns computed from one: what is added to compare them with it

    @property
    def schema(self) -> pa.Schema:
        return decode_schema(self.schema_ipc)

    @property
    def children(self) -> tuple[AnyNode, ...]:
        return ()

    @property
    def clocks(self) -> tuple[AnyNode, ...]:
        """The children whose watermarks hold back this node's: all but those that time does not pass through."""
        return self.children


class OneInput(Node, frozen=True, kw_only=True):
    """A node over one other."""

    input: AnyNode

    @property
    def children(self) -> tuple[AnyNode, ...]:
        return (self.input,)


class Scan(Node, frozen=True, kw_only=True, tag="scan"):
    """The changes of a relation, projected to ``columns`` of it."""

    relation: str
    columns: tuple[int, ...]


class Constant(Node, frozen=True, kw_only=True, tag="constant"):
    """Rows that exist from the beginning: VALUES, SELECT without FROM. ``rows`` is an IPC stream."""

    rows: bytes


class Fragment(OneInput, frozen=True, kw_only=True, tag="fragment"):
    """A chain of filters and projections as one Substrait plan over table ``slot0``.

    ``passthrough[j]`` is the input column that output ``j`` merely repeats, or -1.
    ``weighted``: the plan reads and hands on the weight as its last column.
    """

    substrait: bytes
    weighted: bool
    passthrough: tuple[int, ...]
    shows: str


class Union(Node, frozen=True, kw_only=True, tag="union"):
    """UNION ALL: the sum of its inputs."""

    inputs: tuple[AnyNode, ...]

    @property
    def children(self) -> tuple[AnyNode, ...]:
        return self.inputs


class WindowAssign(OneInput, frozen=True, kw_only=True, tag="window"):
    """TUMBLE, HOP and CUMULATE: each row once per window it lies in, plus ``window_start, window_end``.

    Windows are ``[start, start + size)``, aligned to the epoch plus offset; ``cumulative`` ones begin at multiples
    of the size and end after one slide, two, … up to the size. With a watermark, a row whose window had closed (by
    more than the lateness) at the end of the previous epoch is late: it leaves by the side output instead.
    """

    time_column: int
    slide_us: int
    size_us: int
    offset_us: int
    watermarked: bool
    lateness_us: int = 0
    cumulative: bool = False


class Changelog(OneInput, frozen=True, kw_only=True, tag="changelog"):
    """The changes of its input as rows that only come: ``_epoch, _diff``, then its columns."""


class SessionAssign(OneInput, frozen=True, kw_only=True, tag="session"):
    """SESSION: each row plus the ``window_start, window_end`` of its session, which other rows can change.

    Per ``partition``, rows in order of time are one session as long as each is at most ``gap`` behind the one
    before; it ends a gap behind its last row. With a watermark, a row is late when a session of its own had
    closed at the end of the previous epoch, or when it would belong to one that had.
    """

    time_column: int
    partition: tuple[int, ...]
    gap_us: int
    watermarked: bool
    lateness_us: int = 0


class Measure(msgspec.Struct, frozen=True):
    """One aggregate over input column ``argument`` (-1: count(*)), of rows where column ``filter`` is true.

    ``distinct``: over the different values of a group; min and max too, where rows can be taken back.
    ``more``: the other arguments, of an aggregate of pairs, or the other fields of a row that is counted.
    """

    kind: MeasureKind
    argument: int
    filter: int = -1
    distinct: bool = False
    more: tuple[int, ...] = ()
    function: str = ""  # of kind "python": what plans call the user's aggregate


class Aggregate(OneInput, frozen=True, kw_only=True, tag="aggregate"):
    """GROUP BY with accumulators: output is the keys, then the measures. No keys: always one row."""

    keys: tuple[int, ...]
    measures: tuple[Measure, ...]
    lateness_us: int = 0
    emit_on_close: bool = False


class PartialAggregate(OneInput, frozen=True, kw_only=True, tag="partial_aggregate"):
    """The first of two phases of the ``Aggregate`` above: each worker adds up what it has of an epoch's rows.

    Output is the input's columns and one more: of groups of many rows their accumulators, else NULL beside a row as
    it came. ``result_ipc``: the schema of the aggregate.
    """

    keys: tuple[int, ...]
    measures: tuple[Measure, ...]
    result_ipc: bytes


class ClockBound(msgspec.Struct, frozen=True):
    """column OPERATOR now() + offset_us."""

    column: int
    operator: Literal[">", ">=", "<", "<="]
    offset_us: int


class TemporalFilter(OneInput, frozen=True, kw_only=True, tag="temporal_filter"):
    """The rows that stand to the clock as ``bounds`` say: they enter and leave as it goes on."""

    bounds: tuple[ClockBound, ...]


class SessionAggregate(OneInput, frozen=True, kw_only=True, tag="session_aggregate"):
    """GROUP BY a session of rows that only come: output is the keys, ``window_start, window_end``, then the measures.

    What ``Aggregate`` over ``SessionAssign`` by its partition and window would give; accumulators of sessions that
    meet are added up.
    """

    time_column: int
    keys: tuple[int, ...]
    gap_us: int
    measures: tuple[Measure, ...]
    watermarked: bool
    lateness_us: int = 0
    emit_on_close: bool = False


class PaneAggregate(OneInput, frozen=True, kw_only=True, tag="pane_aggregate"):
    """GROUP BY a hopping window of rows that only come: output is the keys, ``window_start, window_end``, the measures.

    What ``Aggregate`` over ``WindowAssign`` would give. A row goes into one pane, of the length of a slide, and an
    epoch's panes into the windows that are made of them: ``size_us`` is a multiple of ``slide_us``.
    """

    time_column: int
    keys: tuple[int, ...]
    slide_us: int
    size_us: int
    offset_us: int
    measures: tuple[Measure, ...]
    watermarked: bool
    lateness_us: int = 0
    emit_on_close: bool = False


class Order(msgspec.Struct, frozen=True):
    """One term of ORDER BY."""

    column: int
    descending: bool = False
    nulls_first: bool = False


class FrameCall(msgspec.Struct, frozen=True):
    """A function of ``columns`` over a frame: the value at a place of it (for nth_value the second column says
    which), or an aggregate, number ``place`` of the set's measures or of its generic ones."""

    name: str
    kind: Literal["value", "measure", "generic"]
    columns: tuple[int, ...]
    place: int = 0


class FrameSet(msgspec.Struct, frozen=True):
    """Functions over one frame, of the rows of each of ``keys`` by ``order``; their values are columns ``outputs``.

    ``value``: the column that the offsets of RANGE are of, or -1. An aggregate sees each row with all rows of its
    frame: columns ``reads`` of them. ``measures`` are accumulators over these; ``generic`` is Substrait over slot0,
    the number of the row and what it sees, grouped by the former.
    """

    keys: tuple[int, ...]
    order: tuple[Order, ...]
    ties: tuple[Order, ...]
    value: int
    frame: Frame
    calls: tuple[FrameCall, ...]
    outputs: tuple[int, ...]
    reads: tuple[int, ...]
    measures: Aggregate | None
    generic: bytes | None
    zeros: tuple[int, ...] = ()  # generic ones that are 0 of nothing, not NULL


class Recompute(Node, frozen=True, kw_only=True, tag="recompute"):
    """RecomputeAffected: for the keys an epoch touches, run the plan over their rows and subtract the last output.

    The plan reads ``slot0, slot1, …``. ``keys[i]`` are input ``i``'s key columns, ``out_keys`` the output's;
    an output key made of several columns is the first that is not NULL (the two sides of an outer join).
    ``ordered``: the answer depends on row order, so rows are fed in the order of their encoding.
    ``single``: it puts out at most one row a key. ``generic``: the output columns for which there is no accumulator.
    ``join``: it is one, of this kind, of two inputs, and ``condition`` (Substrait over slot0) says of a pair of rows
    with equal keys whether they match. Plans that are made now have a ``Join`` for it; stored ones may be older.
    ``frames``: instead of a plan it computes these behind the columns of its one input. ``expiry``: of its one
    input, the key or the time in the order of all frames by which rows come late and are freed. Rows in whose frames
    are others ``behind_us`` earlier and ``ahead_us`` later are final when the latter can come no more.
    """

    inputs: tuple[AnyNode, ...]
    keys: tuple[tuple[int, ...], ...]
    out_keys: tuple[tuple[int, ...], ...]
    substrait: bytes
    reusable: bool
    ordered: bool
    shows: str
    join: JoinType | None = None
    condition: bytes | None = None
    single: bool = False
    generic: tuple[int, ...] = ()
    frames: tuple[FrameSet, ...] = ()
    expiry: Column | None = None
    behind_us: int = 0
    ahead_us: int = 0

    @property
    def children(self) -> tuple[AnyNode, ...]:
        return self.inputs


RankKind: TypeAlias = Literal["row_number", "rank", "dense_rank"]


class TopN(OneInput, frozen=True, kw_only=True, tag="top_n"):
    """Of each key the rows whose ``rank`` by ``order`` is above ``offset`` and at most ``offset + limit``.

    Rows that tie stand in the order of ``ties``, which tells all different rows apart. ``numbered``: the rank is
    one more column of the output. ``expiry``: the key by which rows come late, and keys are freed.
    """

    keys: tuple[int, ...]
    order: tuple[Order, ...]
    ties: tuple[Order, ...]
    rank: RankKind
    offset: int
    limit: int
    numbered: bool
    expiry: Column | None = None


Carry: TypeAlias = Literal["none", "add", "least", "greatest", "keep"]


MovingFunction: TypeAlias = Literal["sum", "count", "least", "greatest", "first", "last", "value"]


class Moving(msgspec.Struct, frozen=True):
    """A function of a column (-1: of rows) in the frame from ``first`` to ``last``, counted from the row itself.

    ``value``: the one row of the frame; in other frames the rows beyond the partition are left out. ``running``: the
    frame begins at the beginning; ``tied``: it ends with the row's last peer.
    """

    function: MovingFunction
    column: int
    first: int
    last: int
    running: bool = False
    tied: bool = False


class Over(OneInput, frozen=True, kw_only=True, tag="over"):
    """Window functions whose frames reach ``before`` rows back and ``after`` on, or from the beginning to here.

    ``substrait`` computes, of rows in order, the place and then the functions: over slot0, the input's columns, the
    number of the stretch, the place and the number of the peers. ``carries``: how a function that begins at the
    beginning goes on from its value before the stretch. ``tied``: such frames end with the last peer. ``moving``: all
    the functions, where they follow from running sums and places, which is faster. ``frames``: instead of the plan it
    computes these, of the same columns. ``expiry``: the column by which rows come late: a key, which is freed as a
    whole, or the first of the order, so that rows go which no frame can reach any more.
    """

    keys: tuple[int, ...]
    order: tuple[Order, ...]
    ties: tuple[Order, ...]
    substrait: bytes
    before: int
    after: int
    running: bool
    tied: bool
    carries: tuple[Carry, ...]
    shows: str
    moving: tuple[Moving, ...] = ()
    frames: tuple[FrameSet, ...] = ()
    expiry: Column | None = None


class Join(Node, frozen=True, kw_only=True, tag="join"):
    """A join by deltas: dL ⋈ R + L' ⋈ dR, and the rows that match nothing, by count.

    ``residual``: a boolean per combined row (Substrait over slot0). ``expiry``: of each side, the column by which its
    rows go where no key closes on both sides. ``late``: of each side, the time by which a row comes too late to find
    all it matches (when ``value + offset_us`` is at or below the watermark of the epoch before).
    """

    left: AnyNode
    right: AnyNode
    left_keys: tuple[int, ...]
    right_keys: tuple[int, ...]
    null_safe: tuple[bool, ...]
    residual: bytes | None
    shows: str
    kind: JoinType = "inner"
    expiry: tuple[Column | None, Column | None] = (None, None)
    late: tuple[Column | None, Column | None] = (None, None)

    @property
    def children(self) -> tuple[AnyNode, ...]:
        return (self.left, self.right)


AsofDirection: TypeAlias = Literal["backward", "forward", "nearest"]


class AsofMatch(msgspec.Struct, frozen=True):
    """Which row of the right an ASOF join gives a row of the left: of those with its keys the closest in time.

    ``backward``: the latest that is not later (without ``inclusive``: that is earlier); ``forward``: the earliest that
    is not earlier; ``nearest``: the closest either way, the earlier of two. Times are of one type.
    """

    left_keys: tuple[int, ...]
    right_keys: tuple[int, ...]
    null_safe: tuple[bool, ...]
    left_time: int
    right_time: int
    direction: AsofDirection
    inclusive: bool
    join_type: Literal["inner", "left"]


class Asof(Node, frozen=True, kw_only=True, tag="asof"):
    """ASOF JOIN: output is the left's columns, then the right's of the one row that matches.

    ``expires``: both sides are append-only and their times have watermarks, so that rows which can meet nothing new
    are freed, and those that come too late for that are left out and counted.
    """

    left: AnyNode
    right: AnyNode
    match: AsofMatch
    expires: bool

    @property
    def children(self) -> tuple[AnyNode, ...]:
        return (self.left, self.right)


class PushedPredicate(msgspec.Struct, frozen=True):
    """column OP values, evaluated by the lookup source or, where it can't, by the engine on what it fetched."""

    column: str
    op: str
    values_ipc: bytes  # one-column batch of the values


class LookupJoin(OneInput, frozen=True, kw_only=True, tag="lookup"):
    """Enrich each row by key from a lookup table; output is the input's columns, then ``columns`` of the table."""

    table: str
    join_type: Literal["inner", "left"]
    input_keys: tuple[int, ...]
    table_keys: tuple[str, ...]
    columns: tuple[str, ...]
    predicates: tuple[PushedPredicate, ...]
    right_filter: bytes | None  # lookup-only conjuncts no source can be asked: a boolean per fetched row
    residual: bytes | None  # conjuncts over both sides: a boolean per row of input columns + columns
    shows: str


class ReplicatedLookup(Node, frozen=True, kw_only=True, tag="replicated_lookup"):
    """A lookup join with a table that is kept here as a copy: each row meets it as it stands at the end of the epoch.

    ``side`` brings the copy's changes: ``width`` columns to add, then keys computed from them. A change of the copy
    alone puts out nothing. ``fixed``: it never changes, so what a row met once it would meet again.
    """

    input: AnyNode
    side: AnyNode
    table: str
    join_type: Literal["inner", "left"]
    input_keys: tuple[int, ...]
    side_keys: tuple[int, ...]
    width: int
    residual: bytes | None  # conjuncts over both sides: a boolean per row of input columns + added columns
    fixed: bool
    shows: str

    @property
    def children(self) -> tuple[AnyNode, ...]:
        return (self.side, self.input)

    @property
    def clocks(self) -> tuple[AnyNode, ...]:
        return (self.input,)


class Unnest(OneInput, frozen=True, kw_only=True, tag="unnest"):
    """Each row once for each element of its arrays: ``count`` columns as they are, then one array a column.

    Shorter arrays go on with NULLs while the longest has elements; a row of empty arrays is gone.
    """

    count: int


class Recursion(Node, frozen=True, kw_only=True, tag="recursion"):
    """WITH RECURSIVE: the rows of ``base``, and those that ``step`` makes of them, and of these again, to the end.

    Column ``iteration`` of both says after how many steps a row was found; the output is without it. The step scans
    the rows found so far as the relation ``working``; ``reads`` bring the changes of all else it scans.
    ``distinct``: UNION, a row counts where it was found first; else UNION ALL. Rows found after ``limit`` steps are
    errors, not answers.
    """

    base: AnyNode
    reads: tuple[Scan, ...]
    step: AnyNode
    working: str
    iteration: int
    distinct: bool
    limit: int = 1000

    @property
    def children(self) -> tuple[AnyNode, ...]:
        return (self.base, *self.reads)


class OnClose(OneInput, frozen=True, kw_only=True, tag="on_close"):
    """EMIT ON WINDOW CLOSE: hold rows until the watermark passes their window's end.

    ``holds_nulls``: those without one until nothing more can come.
    """

    column: Column
    holds_nulls: bool = False


AnyNode: TypeAlias = (
    Scan
    | Constant
    | Fragment
    | Union
    | WindowAssign
    | Changelog
    | TemporalFilter
    | SessionAssign
    | Aggregate
    | PartialAggregate
    | SessionAggregate
    | PaneAggregate
    | Recompute
    | TopN
    | Over
    | Join
    | Asof
    | LookupJoin
    | ReplicatedLookup
    | OnClose
    | Unnest
    | Recursion
)


# The nodes that put rows into windows, and so tell late ones from others.
Windowing: TypeAlias = WindowAssign | SessionAssign | SessionAggregate | PaneAggregate


class Plan(msgspec.Struct, frozen=True):
    """A whole query: the root node, and the names and types its columns have for the user."""

    version: int
    root: AnyNode
    names: tuple[str, ...]
    output_ipc: bytes
    late_to: str | None = None

    @property
    def output(self) -> pa.Schema:
        return decode_schema(self.output_ipc)


def encode(plan: Plan) -> bytes:
    return msgspec.msgpack.encode(plan)


def decode(data: bytes) -> Plan:
    return msgspec.msgpack.decode(data, type=Plan)


def encode_schema(schema: pa.Schema) -> bytes:
    return bytes(schema.serialize())


@cache
def decode_schema(data: bytes) -> pa.Schema:
    """Operators ask for the same few in every epoch."""
    return pa.ipc.read_schema(pa.py_buffer(data))


def walk(node: AnyNode) -> Iterator[AnyNode]:
    """Every node, children before parents: the order in which an epoch runs them."""
    for child in node.children:
        yield from walk(child)
    yield node


def unique_key(node: AnyNode) -> tuple[int, ...] | None:
    """Columns in which no two rows of the output agree at any epoch; None where none are known."""
    match node:
        case Aggregate() if not node.append_only:
            return tuple(range(len(node.keys)))
        case TopN() if node.rank == "row_number" and node.keys and (node.numbered or node.limit == 1):
            return (*node.keys, len(node.schema) - 1) if node.numbered else node.keys
        case Recompute() if node.single:
            return tuple(key for (key,) in node.out_keys)
        case SessionAggregate() | PaneAggregate() if not node.append_only:
            return tuple(range(len(node.keys) + 1))
        case Fragment():
            return _found_again(unique_key(node.input), node.passthrough)
        case _:
            return None


def _found_again(key: tuple[int, ...] | None, passthrough: tuple[int, ...]) -> tuple[int, ...] | None:
    if key is None or not set(key) <= set(passthrough):
        return None
    return tuple(passthrough.index(column) for column in key)


def is_netted(node: AnyNode) -> bool:
    """Whether the operator's own change of an epoch never holds a row twice, or one that cancels another."""
    match node:
        case SessionAssign() | SessionAggregate() | PaneAggregate():
            return True
        case Aggregate():
            return bool(node.keys)  # without keys the first answer and its change come together
        case Fragment():
            whole = set(node.passthrough) == set(range(len(node.input.schema)))
            return whole and is_netted(node.input)
        case _:
            return False


def expiry(node: Join) -> tuple[Column | None, Column | None]:
    """The column by which each side's rows go: a key that the watermark closes on both, else as planned."""
    left = {c.index: c for c in node.left.closing}
    right = {c.index: c for c in node.right.closing}
    for a, b in zip(node.left_keys, node.right_keys, strict=True):
        if a in left and b in right:
            offset_us = max(left[a].offset_us, right[b].offset_us)
            return Column(a, offset_us), Column(b, offset_us)
    return node.expiry


def late_by(node: Over | TopN | Recompute) -> Column | None:
    """The time by which rows come too late for what is freed; None: its input brings none that do."""
    closing = {column.index for column in node.children[0].closing}
    return None if node.expiry is None or node.expiry.index in closing else node.expiry


def relations_of(node: AnyNode) -> list[str]:
    """The relations scanned, each once: copies of lookup tables first, for a row must find them complete."""
    copies = copies_of(node)
    scanned = dict.fromkeys(n.relation for n in walk(node) if isinstance(n, Scan))
    return [*copies, *(name for name in scanned if name not in copies)]


def reads_clock(node: AnyNode) -> bool:
    """Whether the answer changes by itself as time goes on."""
    return any(isinstance(n, TemporalFilter) for n in walk(node))


def copies_of(node: AnyNode) -> list[str]:
    """The lookup tables among them."""
    return list(dict.fromkeys(n.table for n in walk(node) if isinstance(n, ReplicatedLookup)))
