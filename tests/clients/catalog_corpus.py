"""The statements that clients ask of a catalog, and how their answers here and on Postgres are made comparable."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import pq

FOLDER = Path(__file__).parent / "catalog"
# Both servers hold this.
SCHEMA = """
CREATE TABLE customer (
    id bigint PRIMARY KEY, name text NOT NULL, since date DEFAULT '2024-01-01',
    balance numeric(12,2) NOT NULL DEFAULT 0, active boolean DEFAULT true
);
CREATE TABLE line (
    order_id int, number smallint, product varchar(40), price double precision, weight real, at timestamp,
    seen timestamptz, span interval, clock time, data bytea, PRIMARY KEY (order_id, number)
);
CREATE TABLE note (body text, amount numeric);
CREATE VIEW rich AS SELECT id, name FROM customer WHERE balance > 100;
CREATE MATERIALIZED VIEW per_product AS
SELECT order_id, count(*) AS lines, sum(price) AS total FROM line GROUP BY order_id;
INSERT INTO customer VALUES (1, 'ada', '2024-02-01', 10, true);
INSERT INTO line VALUES
(1, 1, 'tea', 2.5, 0.5, '2024-05-01 10:00:00', '2024-05-01 10:00:00+00', '1 day', '10:00', '\\x01');
"""
_OID = re.compile(r"\{oid:(\w+)\}")
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True)
class Statement:
    client: str
    number: int
    text: str

    @property
    def id(self) -> str:
        return f"{self.client}-{self.number}"


def statements() -> list[Statement]:
    return [statement for path in sorted(FOLDER.glob("*.sql")) for statement in _of(path)]


def _of(path: Path) -> Iterator[Statement]:
    """The file begins with a comment and a blank line; ``;;`` stands between two statements."""
    _, text = path.read_text().split("\n\n", 1)
    for number, statement in enumerate(text.strip().split("\n;;\n"), 1):
        yield Statement(path.stem, number, statement)


@dataclass(frozen=True)
class Answer:
    """Rows as text. ``error``: what was said instead."""

    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str | None, ...], ...] = ()
    error: str | None = None


class Asked:
    """A server with the schema. ``ask`` gives oids the names of what has them, which is the same on any server."""

    def __init__(self, dsn: str) -> None:
        self._connection = psycopg.connect(dsn, autocommit=True)
        self._oids: dict[str, str] = {}

    def make(self) -> None:
        for statement in SCHEMA.split(";\n"):
            if statement.strip():
                answer = self._run(statement)
                assert answer.error is None, answer.error
        for query in _NAMED:
            self._oids |= {oid or "": f"<{name}>" for oid, name in self._run(query).rows}

    def close(self) -> None:
        self._connection.close()

    def ask(self, text: str) -> Answer:
        found = self._run(_OID.sub(lambda match: self._oid(match[1]), text))
        return Answer(found.columns, tuple(tuple(map(self._named, row)) for row in found.rows), found.error)

    def _oid(self, name: str) -> str:
        (oid,) = self._run(f"SELECT oid FROM pg_catalog.pg_class WHERE relname = '{name}'").rows[0]
        return oid or ""

    def _named(self, cell: str | None) -> str | None:
        return None if cell is None else _NUMBER.sub(lambda number: self._oids.get(number[0], number[0]), cell)

    def _run(self, text: str) -> Answer:
        """By the simple protocol: of several statements the last one's answer."""
        if self._connection.info.transaction_status != pq.TransactionStatus.IDLE:
            self._connection.pgconn.exec_(b"ROLLBACK")
        result = self._connection.pgconn.exec_(text.encode())
        if result.status == pq.ExecStatus.FATAL_ERROR:
            return Answer(error=(result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or b"").decode())
        columns = tuple((result.fname(i) or b"").decode() for i in range(result.nfields))
        rows = tuple(
            tuple(None if (v := result.get_value(r, c)) is None else v.decode() for c in range(result.nfields))
            for r in range(result.ntuples)
        )
        return Answer(columns, rows)


# Relations, their row types, keys and defaults, by names that hold on every server.
_NAMED = (
    "SELECT c.oid, n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.oid > 12000",
    "SELECT t.oid, 'type ' || n.nspname || '.' || t.typname FROM pg_type t"
    " JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.oid > 9000",
    "SELECT k.oid, 'constraint ' || k.conname FROM pg_constraint k WHERE k.oid > 9000",
    "SELECT d.oid, 'default ' || c.relname || d.adnum FROM pg_attrdef d JOIN pg_class c ON c.oid = d.adrelid",
    "SELECT n.oid, 'namespace ' || n.nspname FROM pg_namespace n WHERE n.oid > 9000",
)


# -- what must differ ------------------------------------------------------------------------------
#
# The owner of everything and the one database have the product's name here.
_CALLED = {"constellation": "postgres"}
# Rows of what only one of the two has: side outputs of views and the product's own schema; template databases and
# PL/pgSQL; catalogs of the oracle's version (16) that those of 15 are not like.
_OURS = frozenset(
    {"per_product_errors", "_per_product_errors", "checkpoints", "epochs", "errors", "jobs", "lookups", "sources"}
    | {"_checkpoints", "_epochs", "_errors", "_jobs", "_lookups", "_sources", "relations", "_relations"}
    | {"backfills", "_backfills", "operators", "_operators", "windows", "_windows", "sinks", "_sinks"}
    | {"state", "_state", "subscriptions", "_subscriptions", "workers", "_workers"}
    | {"aggregates", "_aggregates", "channels", "_channels"}
)
_THEIRS = frozenset(
    {"template0", "template1", "plpgsql", "vector", "pg_create_subscription", "pg_use_reserved_connections"}
    | {"pg_stat_io", "_pg_stat_io", "pg_auth_members", "pg_auth_members_oid_index", "pg_auth_members_grantor_index"}
)
_ANOTHER_VERSION = re.compile(
    r"\b(pg_attribute|pg_hba_file_rules|pg_ident_file_mappings|pg_auth_members\w*|pg_subscription|pg_database|pg_index"
    r"|pg_collation|pg_stat_\w+|pg_authid|pg_constraint|pg_prepared_statements|pg_statistic_ext\w*|pg_publication\w*"
    r"|pg_statio_\w+|pg_shmem\w*|pg_config|pg_file_settings|pg_roles|pg_replication_slots)\b"
)
# Where the product's name is that of the owner or the database; anywhere else it is its schema's.
_OWNED = re.compile(r"own|rol|gran|user|_cat|catalog|database|datname", re.IGNORECASE)
# Columns that count pages, rows and bytes, or hold privileges, of which there are none here; and a view's query, which
# is shown as it was written, where Postgres writes it anew.
_MASKED = re.compile(
    r"^(relpages|reltuples|relallvisible|relfilenode|reltoastrelid|relfrozenxid|relminmxid|datfrozenxid|datminmxid"
    r"|size|access privileges|\w*acl|cardinality|pages|view_definition|definition|pg_get_viewdef\w*|version)$",
    re.IGNORECASE,
)


def comparable(answer: Answer) -> Answer:
    """An answer without what must differ, its rows in one order."""
    masked = [bool(_MASKED.match(name)) for name in answer.columns]
    rows = [
        tuple("*" if mask else _CALLED.get(cell or "", cell) for mask, cell in zip(masked, row, strict=True))
        for row in answer.rows
        if not _is_one_sided(answer.columns, row)
    ]
    return Answer(answer.columns, tuple(sorted(rows, key=str)), answer.error)


def _is_our_schema(column: str, cell: str, lists_databases: bool) -> bool:
    return cell == "constellation" and not lists_databases and not _OWNED.search(column)


def _is_one_sided(columns: tuple[str, ...], row: tuple[str | None, ...]) -> bool:
    lists_databases = any(name.lower() == "encoding" for name in columns)
    for name, cell in zip(columns, row, strict=True):
        if cell is None:
            continue
        if cell.startswith("pg_toast"):
            return True
        if cell in _OURS or cell in _THEIRS or _is_our_schema(name, cell, lists_databases):
            return True
        if _ANOTHER_VERSION.search(cell):
            return True
    return False
