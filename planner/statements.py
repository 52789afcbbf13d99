"""What the parser hands to a session: one frozen value per kind of statement.

Positions are 0-based character offsets into the text the client sent; the
``position`` of an error is one more. ``Query.text`` is plain Postgres SQL of
the same length as what the user wrote: each streaming clause that Postgres'
grammar does not know is blanked out in place and stands beside it as a value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from constellationdb.catalog.types import SqlType

# What SET c.f = value calls in the place of c: a function that no client can name.
WITH_FIELD = "con_with_field"


@dataclass(frozen=True)
class ColumnDef:
    name: str
    type: SqlType
    not_null: bool = False
    default: str | None = None  # the expression's own text
    position: int = 0
    serial: bool = False  # its default is the next value of a sequence of its own
    identity: Literal["", "a", "d"] = ""  # GENERATED ALWAYS or BY DEFAULT AS IDENTITY
    generated: str | None = None  # the expression of GENERATED ALWAYS AS (…) STORED
    generated_position: int = 0
    default_position: int = 0
    sequence_options: Mapping[str, object] = field(default_factory=dict)  # of an identity column
    type_position: int = field(default=0, compare=False)


@dataclass(frozen=True)
class CheckDef:
    """CHECK (expression); ``position`` is the constraint's."""

    name: str | None
    expression: str
    position: int = 0
    expression_position: int = 0


@dataclass(frozen=True)
class UniqueDef:
    name: str | None
    columns: tuple[str, ...]
    position: int = 0


@dataclass(frozen=True)
class WatermarkDef:
    """WATERMARK FOR column AS column - INTERVAL …; delay in µs."""

    column: str
    delay_us: int
    position: int = 0


@dataclass(frozen=True)
class Emit:
    """EMIT CHANGES | EMIT ON WINDOW CLOSE [WITH DELAY], with ALLOW LATENESS (both µs) and LATE DATA TO."""

    mode: Literal["changes", "on_window_close"] = "changes"
    explicit: bool = False  # False when only ALLOW LATENESS or LATE DATA TO was said
    lateness_us: int = 0
    late_to: str | None = None
    position: int = 0
    delay_us: int = 0


@dataclass(frozen=True)
class TemporalClause:
    """One FOR SYSTEM_TIME AS OF … that was blanked out.

    ``relation_position`` is where the relation's name begins in ``Query.text``,
    the same offset as the RangeVar's ``location`` in its parse tree. ``as_of`` is
    None for PROCTIME()/NOW(), else the text of the event-time expression.
    ``position`` counts in the client's text, as everywhere.
    """

    relation_position: int
    as_of: str | None
    position: int
    as_of_position: int = field(default=0, compare=False)  # where ``as_of`` begins, in the client's text


@dataclass(frozen=True)
class AsofClause:
    """One ASOF JOIN, said as a plain join. ``condition_position`` is where its ON begins in ``Query.text``."""

    condition_position: int
    position: int  # of the word ASOF, in the client's text


@dataclass(frozen=True)
class Argument:
    """What a client binds to a $n: the text form of a value, None for NULL, and the oid of its type."""

    text: str | None
    oid: int


@dataclass(frozen=True)
class Query:
    """A SELECT, VALUES or WITH: valid Postgres text, plus what was masked out of it.

    ``text`` starts at ``offset`` of what the client sent, so a location in the
    parse tree of ``text`` plus ``offset`` is a position in the client's text.
    That of SUBSCRIBE … WHERE is a little below zero at most: its SELECT is ours.
    """

    text: str
    offset: int = 0
    emit: Emit | None = None
    temporal: tuple[TemporalClause, ...] = ()
    as_of_epoch: int | None = None  # SELECT … AS OF EPOCH n
    parameters: tuple[Argument, ...] = ()  # what its $1, $2, … are
    zone: str = "UTC"  # the time zone it computes in, by the name SHOW timezone prints
    asof: tuple[AsofClause, ...] = ()
    names: tuple[tuple[str, str], ...] = ()  # which relations its names mean: see planner.references
    as_of_time: str | None = None  # SELECT … AS OF TIMESTAMP expression
    at_least_epoch: int = 0  # SELECT … AS OF AT LEAST EPOCH n
    at_system_time: int = 0  # of how many relations as_of_time was said, as FOR SYSTEM_TIME; 0: of all

    @property
    def looks_back(self) -> bool:
        """Whether it says which epoch it is to read."""
        return self.as_of_epoch is not None or self.as_of_time is not None or self.at_least_epoch > 0


@dataclass(frozen=True)
class Statement:
    """The base: the statement's own text (unmasked) and where it begins."""

    text: str
    offset: int
    parameters: tuple[Argument, ...] = field(default=(), kw_only=True)  # of DML: what its $1, $2, … are
    meant: tuple[tuple[str, str], ...] = field(default=(), kw_only=True)  # of DML: as names are of a Query


@dataclass(frozen=True)
class Select(Statement):
    query: Query


# What COMMIT does with a temporary table.
OnCommit = Literal["preserve", "delete", "drop"]


@dataclass(frozen=True)
class CreateTable(Statement):
    """``temporary`` None: a table that stays."""

    name: str
    columns: tuple[ColumnDef, ...]
    primary_key: tuple[str, ...] = ()
    if_not_exists: bool = False
    options: Mapping[str, str] = field(default_factory=dict)
    name_position: int = 0
    temporary: OnCommit | None = None
    checks: tuple[CheckDef, ...] = ()
    uniques: tuple[UniqueDef, ...] = ()
    key_name: str = ""


@dataclass(frozen=True)
class CreateSequence(Statement):
    """``options``: those that were said, see ``syntax.sequences``."""

    name: str
    options: Mapping[str, object]
    if_not_exists: bool = False
    name_position: int = 0
    temporary: bool = False


@dataclass(frozen=True)
class AlterSequence(Statement):
    name: str
    options: Mapping[str, object]
    if_exists: bool = False
    name_position: int = 0


@dataclass(frozen=True)
class AddColumn:
    column: ColumnDef
    if_not_exists: bool = False


@dataclass(frozen=True)
class DropColumn:
    name: str
    if_exists: bool = False
    cascade: bool = False


@dataclass(frozen=True)
class SetDefault:
    """``default`` None: DROP DEFAULT."""

    name: str
    default: str | None
    position: int = 0


@dataclass(frozen=True)
class SetNotNull:
    name: str
    not_null: bool


@dataclass(frozen=True)
class SetType:
    """``using``: what becomes of the values, in words of the table as it was; None: the column itself."""

    name: str
    type: SqlType
    using: str | None = None
    position: int = 0


@dataclass(frozen=True)
class AddCheck:
    check: CheckDef


@dataclass(frozen=True)
class AddUnique:
    unique: UniqueDef


@dataclass(frozen=True)
class AddPrimaryKey:
    name: str
    columns: tuple[str, ...]
    position: int = 0


@dataclass(frozen=True)
class DropConstraint:
    name: str
    if_exists: bool = False
    cascade: bool = False


AlterAction = (
    AddColumn | DropColumn | SetDefault | SetNotNull | SetType | AddCheck | AddUnique | AddPrimaryKey | DropConstraint
)


@dataclass(frozen=True)
class AlterTable(Statement):
    kind: Literal["table", "source"]
    name: str
    actions: tuple[AlterAction, ...]
    if_exists: bool = False
    name_position: int = 0


@dataclass(frozen=True)
class Rename(Statement):
    """ALTER … RENAME: the relation ``name`` itself, or its column or constraint ``old``."""

    kind: str
    name: str
    what: Literal["relation", "column", "constraint"]
    old: str
    new: str
    if_exists: bool = False
    name_position: int = 0


@dataclass(frozen=True)
class DropIndex(Statement):
    names: tuple[str, ...]
    if_exists: bool = False


@dataclass(frozen=True)
class CreateIndex(Statement):
    name: str | None
    table: str
    columns: tuple[str, ...]
    if_not_exists: bool = False
    table_position: int = 0
    is_unique: bool = False


@dataclass(frozen=True)
class CreateSource(Statement):
    """``columns`` may be empty: the connector (a generator preset, a Parquet file) then knows them."""

    name: str
    columns: tuple[ColumnDef, ...]
    options: Mapping[str, str]  # keys lower-cased; FORMAT/ENCODE become option 'format'
    watermark: WatermarkDef | None = None
    if_not_exists: bool = False
    name_position: int = 0


@dataclass(frozen=True)
class CreateLookupTable(Statement):
    name: str
    columns: tuple[ColumnDef, ...]
    primary_key: tuple[str, ...]
    options: Mapping[str, str]
    if_not_exists: bool = False
    or_replace: bool = False
    name_position: int = 0


@dataclass(frozen=True)
class CreateView(Statement):
    name: str
    query: Query
    column_names: tuple[str, ...] = ()
    materialized: bool = False
    if_not_exists: bool = False
    or_replace: bool = False
    options: Mapping[str, str] = field(default_factory=dict)
    name_position: int = 0
    temporary: bool = False


@dataclass(frozen=True)
class CreateTableAs(Statement):
    """CREATE TABLE … AS and SELECT INTO. ``column_names`` take the place of the query's first ones."""

    name: str
    query: Query
    if_not_exists: bool = False
    name_position: int = 0
    column_names: tuple[str, ...] = ()
    with_data: bool = True
    temporary: OnCommit | None = None


@dataclass(frozen=True)
class CreateSink(Statement):
    """The rows of ``relation`` or of ``query``, into table ``into`` or to where the options say."""

    name: str
    relation: str | None
    query: Query | None
    into: str | None
    options: Mapping[str, str]
    if_not_exists: bool = False
    or_replace: bool = False
    name_position: int = 0
    relation_position: int = 0
    into_position: int = 0
    query_text: str = ""  # as it was written


@dataclass(frozen=True)
class AlterSink(Statement):
    """ALTER SINK … SET (…)."""

    name: str
    options: Mapping[str, str]
    if_exists: bool = False
    name_position: int = 0


@dataclass(frozen=True)
class ShowCreateSink(Statement):
    name: str
    name_position: int = 0


@dataclass(frozen=True)
class CreateSubscription(Statement):
    """CREATE SUBSCRIPTION name FROM relation WITH (…)."""

    name: str
    relation: str
    options: Mapping[str, str]
    if_not_exists: bool = False
    name_position: int = 0
    relation_position: int = 0


@dataclass(frozen=True)
class NamedSubscription(Statement):
    """What DECLARE … SUBSCRIPTION CURSOR is for."""

    name: str
    name_position: int = 0


RelationKind = Literal[
    "table", "source", "lookup table", "view", "materialized view", "sequence", "sink", "subscription"
]


@dataclass(frozen=True)
class Drop(Statement):
    kind: RelationKind
    names: tuple[str, ...]
    if_exists: bool = False
    cascade: bool = False


@dataclass(frozen=True)
class CreateType(Statement):
    """Of rows with ``fields``, or an enum of ``labels``."""

    name: str
    fields: tuple[ColumnDef, ...] = ()
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class DropType(Statement):
    names: tuple[str, ...]
    if_exists: bool = False
    cascade: bool = False


@dataclass(frozen=True)
class AlterType(Statement):
    """One change: ``rename``, ``add`` a field, or a ``label`` (``before`` or ``after`` another)."""

    name: str
    rename: str = ""
    add: ColumnDef | None = None
    label: str = ""
    beside: str = ""
    before: bool = False
    if_not_exists: bool = False


@dataclass(frozen=True)
class CreateSchema(Statement):
    """``role``: the one that AUTHORIZATION names."""

    name: str
    if_not_exists: bool = False
    role: str | None = None


@dataclass(frozen=True)
class DropSchema(Statement):
    names: tuple[str, ...]
    if_exists: bool = False
    cascade: bool = False


@dataclass(frozen=True)
class RenameSchema(Statement):
    name: str
    to: str


@dataclass(frozen=True)
class ParameterDef:
    """Of a function; ``default`` is the expression's text."""

    name: str
    type: SqlType
    default: str | None = None


@dataclass(frozen=True)
class CreateFunction(Statement):
    """``query``: the body of one in SQL. ``columns`` and ``rows``: it gives rows, of these or of ``returns`` alone."""

    name: str
    takes: tuple[ParameterDef, ...]
    returns: SqlType | None
    columns: tuple[ParameterDef, ...]
    rows: bool
    language: Literal["sql", "python"]
    source: str
    query: Query | None
    volatility: Literal["immutable", "stable", "volatile"] = "volatile"
    strict: bool = False
    or_replace: bool = False


@dataclass(frozen=True)
class DropFunction(Statement):
    """``functions``: names, each with the types of its parameters, or None where they are not said."""

    functions: tuple[tuple[str, tuple[str, ...] | None], ...]
    if_exists: bool = False
    cascade: bool = False
    what: str = "function"


CommentedKind = RelationKind | Literal["foreign table", "column", "constraint", "database", "index", "schema"]


@dataclass(frozen=True)
class Comment(Statement):
    """COMMENT ON: ``part`` is a column or constraint of the object. ``comment`` None takes the comment away."""

    kind: CommentedKind
    object: str
    part: str
    comment: str | None


@dataclass(frozen=True)
class Truncate(Statement):
    names: tuple[str, ...]
    restart_identity: bool = False


@dataclass(frozen=True)
class Insert(Statement):
    """Parsed further by the engine; ``query`` is the source of rows as text (VALUES … or SELECT …)."""

    table: str
    columns: tuple[str, ...]  # as listed; empty when not
    query: Query | None  # None for DEFAULT VALUES
    rows: tuple[tuple[object, ...], ...] | None  # constants, when every value is a literal, DEFAULT or a parameter
    on_conflict: OnConflict | None = None
    returning: str | None = None  # the target list's text
    table_position: int = 0
    overriding: Literal["", "system", "user"] = ""
    alias: str | None = None
    # Of a VALUES list that is more than constants: how many rows it has, and which (row, place) say DEFAULT.
    listed: int = 0
    defaulted: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class OnConflict:
    """DO NOTHING (``set`` empty) or DO UPDATE SET column = expression text [WHERE …]."""

    target: tuple[str, ...] = ()
    set: tuple[tuple[str, str], ...] = ()
    where: str | None = None
    constraint: str | None = None  # ON CONSTRAINT, in place of ``target``


@dataclass(frozen=True)
class Parameter:
    """$n in ``Insert.rows``; n from 1."""

    number: int


@dataclass(frozen=True)
class Default:
    """The word DEFAULT in ``Insert.rows``."""


@dataclass(frozen=True)
class Update(Statement):
    table: str
    alias: str | None
    set: tuple[tuple[str, str], ...]  # column, expression text
    from_clause: str | None = None
    where: str | None = None
    returning: str | None = None
    table_position: int = 0
    with_clause: str = ""  # the WITH list before it


@dataclass(frozen=True)
class Delete(Statement):
    table: str
    alias: str | None
    using: str | None = None
    where: str | None = None
    returning: str | None = None
    table_position: int = 0
    with_clause: str = ""  # the WITH list before it


@dataclass(frozen=True)
class ChangingWith(Statement):
    """WITH name AS (change RETURNING …) rest: ``rest`` reads what was returned as the relation ``stand_in``."""

    name: str
    stand_in: str
    change: Insert | Update | Delete
    rest: Statement
    is_read: bool  # whether anything reads it


@dataclass(frozen=True)
class MergeAction:
    """WHEN [NOT] MATCHED [AND condition] THEN …; ``values`` None is INSERT DEFAULT VALUES."""

    matched: bool
    condition: str | None
    kind: Literal["update", "delete", "insert", "nothing"]
    set: tuple[tuple[str, str], ...] = ()
    columns: tuple[str, ...] = ()
    values: tuple[str, ...] | None = None
    overriding: Literal["", "system", "user"] = ""


@dataclass(frozen=True)
class Merge(Statement):
    """``source`` and ``condition`` are the client's text."""

    table: str
    alias: str | None
    source: str
    source_alias: str
    condition: str
    actions: tuple[MergeAction, ...]
    table_position: int = 0
    returning: str | None = None  # there is none
    with_clause: str = ""  # the WITH list before it


@dataclass(frozen=True)
class Subscribe(Statement):
    """SUBSCRIBE [TO] name | (query) [WITH (snapshot, progress)] [AS OF EPOCH n] [WHERE p]."""

    relation: str | None
    query: Query | None
    snapshot: bool = True
    progress: bool = False
    as_of: int | None = None
    name_position: int = 0
    as_of_time: str | None = None  # AS OF TIMESTAMP expression
    at_least: bool = False  # AS OF AT LEAST: from what is kept, when that begins later


@dataclass(frozen=True)
class Copy(Statement):
    """COPY t [(columns)] FROM STDIN | COPY t|(query)|(SUBSCRIBE …) TO STDOUT, with its options lower-cased."""

    direction: Literal["in", "out"]
    table: str | None = None
    columns: tuple[str, ...] = ()
    source: Select | Subscribe | None = None
    options: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)  # the lists are of column names


@dataclass(frozen=True)
class NamedView(Statement):
    """MATERIALIZED VIEW name, behind EXPLAIN: the one that runs."""

    name: str
    name_position: int = 0


@dataclass(frozen=True)
class Explain(Statement):
    statement: Statement
    analyze: bool = False


@dataclass(frozen=True)
class Transaction(Statement):
    """``modes`` are settings: ``transaction_isolation``, ``transaction_read_only``, ``transaction_deferrable``."""

    action: Literal["begin", "commit", "rollback", "savepoint", "release", "rollback_to"]
    savepoint: str | None = None
    modes: Mapping[str, str] = field(default_factory=dict)
    chain: bool = False


@dataclass(frozen=True)
class SetVariable(Statement):
    """SET [LOCAL] name = values; ``values`` None is SET … TO DEFAULT or RESET name; name 'all' is RESET ALL."""

    name: str
    values: tuple[str, ...] | None
    local: bool = False
    reset: bool = False


@dataclass(frozen=True)
class SetTransaction(Statement):
    """SET TRANSACTION, or SET SESSION CHARACTERISTICS for those to come; ``modes`` as in Transaction."""

    modes: Mapping[str, str]
    session: bool = False


@dataclass(frozen=True)
class Discard(Statement):
    what: Literal["all", "plans", "sequences", "temp"]


@dataclass(frozen=True)
class Show(Statement):
    name: str


@dataclass(frozen=True)
class Prepare(Statement):
    """PREPARE name (types) AS statement; ``body`` begins at ``body_offset`` of what the client sent."""

    name: str
    types: tuple[int, ...]  # oids; 0 where the type is ``unknown``
    body: str
    body_offset: int


@dataclass(frozen=True)
class ExecutePrepared(Statement):
    """EXECUTE name (arguments): each argument's text and where it begins."""

    name: str
    arguments: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Deallocate(Statement):
    name: str | None  # None: ALL


@dataclass(frozen=True)
class DeclareCursor(Statement):
    """``scroll`` None when neither SCROLL nor NO SCROLL was said."""

    name: str
    source: Select | Subscribe | NamedSubscription
    binary: bool = False
    scroll: bool | None = None
    hold: bool = False


Direction = Literal["forward", "backward", "absolute", "relative"]


@dataclass(frozen=True)
class Fetch(Statement):
    """FETCH, or MOVE when ``moves``; ``count`` None is ALL. ``timeout_us`` is of a cursor over a stream."""

    cursor: str
    direction: Direction = "forward"
    count: int | None = 1
    moves: bool = False
    timeout_us: int | None = None


@dataclass(frozen=True)
class CloseCursor(Statement):
    name: str | None  # None: ALL


@dataclass(frozen=True)
class Flush(Statement):
    """FLUSH: wait until every view has reached this session's last epoch."""


@dataclass(frozen=True)
class Wait(Statement):
    """WAIT: until no view is being built."""


@dataclass(frozen=True)
class Checkpoint(Statement):
    """CHECKPOINT: write the state down now, and shorten the log."""


@dataclass(frozen=True)
class NamedSavepoint(Statement):
    """CREATE, RESTORE or DROP SAVEPOINT, a checkpoint that is kept. ``lenient``: IF [NOT] EXISTS."""

    action: Literal["create", "restore", "drop"]
    name: str
    lenient: bool

    @property
    def command(self) -> str:
        return f"{self.action.upper()} SAVEPOINT"


@dataclass(frozen=True)
class Accepted(Statement):
    """Accepted and without effect here; ``tag`` is the command tag, ``notice`` may say why."""

    tag: str
    notice: str | None = None
    sqlstate: str = "00000"
    relations: tuple[str, ...] = ()  # which must exist
    columns: tuple[str, ...] = ()  # which each of them must have
    block: bool | None = None  # True: only in a transaction block; False: not in one
