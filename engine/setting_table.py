"""Every setting there is: its name, what it may be, what it is at first.

Those with an effect are few (``settings`` lists them); the others are here
because clients set them and pass on what SHOW prints.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from constellationdb.catalog.version import SERVER_VERSION, SERVER_VERSION_NUM
from constellationdb.engine import setting_values as values
from constellationdb.engine.setting_kinds import Boolean, Choice, Kind, Number, Text

# "internal" is never changed, "server" only when it starts.
Context = Literal["user", "internal", "server"]


@dataclass(frozen=True)
class Setting:
    """``supported`` has the last word on a value that ``kind`` lets pass. ``about`` is for SHOW ALL."""

    name: str
    kind: Kind
    default: str
    context: Context = "user"
    supported: Text = Text()  # noqa: RUF009 - frozen
    about: str = ""

    def read(self, value: str, said: str) -> str:
        """Postgres calls a setting in most errors as the statement did, ``said``, in those of texts by its name."""
        name = self.name if isinstance(self.kind, Text) else said
        return self.supported.read(self.name, self.kind.read(name, value))


_LEVELS = ("debug5", "debug4", "debug3", "debug2", "debug1", "log", "notice", "warning", "error")
_ISOLATION = Choice(("serializable", "repeatable read", "read committed", "read uncommitted"))
_TIMEOUT = Number(0, 2**31 - 1, "ms")
_COST = Number(0, 1.79769e308, whole=False)
_COUNT = Number(0, 2**31 - 1)
_ON_OFF = {"true": "on", "yes": "on", "1": "on", "false": "off", "no": "off", "0": "off"}


def _only(*allowed: str, hint: str) -> Text:
    return Text(values.only(lambda value: value in allowed, hint))


_DEFINED = (
    Setting("application_name", Text(values.ascii_name), "", about="Sets the application name to be reported."),
    Setting("array_nulls", Boolean(), "on", supported=_only("on", hint="NULL in an array is always a null")),
    Setting(
        "backfill_rate_limit", Number(0, 2**31 - 1), "0",
        about="Limits the rows a second that the first answer of a new materialized view reads.",
    ),
    Setting(
        "background_ddl", Boolean(), "off",
        about="Does not wait for the first answer of a new materialized view.",
    ),
    Setting("backslash_quote", Choice(("safe_encoding", "on", "off"), _ON_OFF), "safe_encoding"),
    Setting("bytea_output", Choice(("escape", "hex")), "hex"),
    Setting("check_function_bodies", Boolean(), "on"),
    Setting("client_encoding", Text(values.client_encoding), "UTF8"),
    Setting(
        "client_min_messages", Choice(_LEVELS, {"debug": "debug2", "info": "info"}), "notice",
        about="Sets the message levels that are sent to the client.",
    ),
    Setting("constraint_exclusion", Choice(("partition", "on", "off"), _ON_OFF), "partition"),
    Setting("cpu_index_tuple_cost", _COST, "0.005"),
    Setting("cpu_operator_cost", _COST, "0.0025"),
    Setting("cpu_tuple_cost", _COST, "0.01"),
    Setting("cursor_tuple_fraction", Number(0, 1, whole=False), "0.1"),
    Setting("DateStyle", Text(values.date_style, listed=True), "ISO, MDY"),
    Setting("deadlock_timeout", Number(1, 2**31 - 1, "ms"), "1s"),
    Setting("default_statistics_target", Number(1, 10_000), "100"),
    Setting("default_table_access_method", Text(values.existing("Table access method", "heap")), "heap"),
    Setting("default_tablespace", Text(values.existing("Tablespace", "", "pg_default")), ""),
    Setting("default_text_search_config", Text(values.text_search), "pg_catalog.english"),
    Setting("default_toast_compression", Choice(("pglz", "lz4")), "pglz"),
    Setting("default_transaction_deferrable", Boolean(), "off"),
    Setting("default_transaction_isolation", _ISOLATION, "repeatable read"),
    Setting("default_transaction_read_only", Boolean(), "off"),
    Setting("effective_cache_size", Number(1, 2**31 - 1, "8kB"), "4GB"),
    Setting("effective_io_concurrency", Number(0, 1000), "1"),
    *(
        Setting(f"enable_{what}", Boolean(), "on")
        for what in (
            "bitmapscan", "gathermerge", "hashagg", "hashjoin", "incremental_sort", "indexonlyscan", "indexscan",
            "material", "memoize", "mergejoin", "nestloop", "parallel_append", "parallel_hash", "partition_pruning",
            "seqscan", "sort", "tidscan",
        )
    ),
    Setting("escape_string_warning", Boolean(), "on"),
    Setting("extra_float_digits", Number(-15, 3), "1"),
    Setting("from_collapse_limit", Number(1, 2**31 - 1), "8"),
    Setting("geqo", Boolean(), "on"),
    Setting("geqo_threshold", Number(2, 2**31 - 1), "12"),
    Setting(
        "idle_in_transaction_session_timeout", _TIMEOUT, "0",
        about="Sets the maximum allowed idle time between queries, when in a transaction.",
    ),
    Setting(
        "idle_session_timeout", _TIMEOUT, "0",
        about="Sets the maximum allowed idle time between queries, when not in a transaction.",
    ),
    Setting("IntervalStyle", Choice(("postgres", "postgres_verbose", "sql_standard", "iso_8601")), "postgres",
            supported=_only("postgres", hint="intervals are printed in the style postgres")),
    Setting("jit", Boolean(), "on"),
    Setting("join_collapse_limit", Number(1, 2**31 - 1), "8"),
    *(Setting(f"lc_{what}", Text(values.locale), "C")
      for what in ("messages", "monetary", "numeric", "time")),
    Setting("lock_timeout", _TIMEOUT, "0"),
    Setting("log_min_duration_statement", Number(-1, 2**31 - 1, "ms"), "-1"),
    Setting("log_min_messages", Choice((*_LEVELS, "info", "fatal", "panic")), "warning"),
    Setting("log_statement", Choice(("none", "ddl", "mod", "all")), "none"),
    Setting("maintenance_work_mem", Number(1024, 2**31 - 1, "kB"), "64MB"),
    Setting("max_parallel_workers", Number(0, 1024), "8"),
    Setting("max_parallel_workers_per_gather", Number(0, 1024), "2"),
    Setting("password_encryption", Choice(("md5", "scram-sha-256")), "scram-sha-256"),
    Setting("plan_cache_mode", Choice(("auto", "force_generic_plan", "force_custom_plan")), "auto"),
    Setting("quote_all_identifiers", Boolean(), "off"),
    Setting("random_page_cost", _COST, "4"),
    Setting("row_security", Boolean(), "on"),
    Setting("search_path", Text(listed=True), '"$user", public'),
    Setting("seq_page_cost", _COST, "1"),
    Setting("session_replication_role", Choice(("origin", "replica", "local")), "origin"),
    Setting("standard_conforming_strings", Boolean(), "on",
            supported=_only("on", hint="a backslash in a string is a backslash; write E'…' for escapes")),
    Setting("statement_timeout", _TIMEOUT, "0", about="Sets the maximum allowed duration of any statement."),
    Setting("synchronize_seqscans", Boolean(), "on"),
    Setting("synchronous_commit", Choice(("local", "remote_write", "remote_apply", "on", "off"), _ON_OFF), "on"),
    Setting("tcp_keepalives_count", _COUNT, "0"),
    Setting("tcp_keepalives_idle", Number(0, 2**31 - 1, "s"), "0"),
    Setting("tcp_keepalives_interval", Number(0, 2**31 - 1, "s"), "0"),
    Setting("tcp_user_timeout", _TIMEOUT, "0"),
    Setting("temp_buffers", Number(100, 2**30 - 1, "8kB"), "8MB"),
    Setting("temp_tablespaces", Text(listed=True), ""),
    Setting("TimeZone", Text(values.time_zone), "UTC"),
    Setting("timezone_abbreviations", Text(), "Default"),
    Setting("transaction_deferrable", Boolean(), "off"),
    Setting("transaction_isolation", _ISOLATION, "repeatable read"),
    Setting("transaction_read_only", Boolean(), "off"),
    Setting("transform_null_equals", Boolean(), "off", supported=_only("off", hint="write IS NULL")),
    Setting("vacuum_cost_delay", Number(0, 100, "ms", whole=False), "0"),
    Setting("work_mem", Number(64, 2**31 - 1, "kB"), "4MB"),
    Setting("xmlbinary", Choice(("base64", "hex")), "base64"),
    Setting("xmloption", Choice(("content", "document")), "content"),
    *(
        Setting(name, Text(), value, "internal")
        for name, value in {
            "block_size": "8192", "data_checksums": "off", "debug_assertions": "off", "in_hot_standby": "off",
            "integer_datetimes": "on", "is_superuser": "on", "lc_collate": "C", "lc_ctype": "C.UTF-8",
            "max_function_args": "100", "max_identifier_length": "63", "max_index_keys": "32", "segment_size": "1GB",
            "server_encoding": "UTF8", "server_version": SERVER_VERSION, "server_version_num": str(SERVER_VERSION_NUM),
            "wal_block_size": "8192", "wal_segment_size": "16MB",
        }.items()
    ),
    *(
        Setting(name, Text(), value, "server")
        for name, value in {
            "cluster_name": "", "hot_standby": "on", "listen_addresses": "localhost", "max_connections": "2000",
            "max_prepared_transactions": "0", "port": "5433", "shared_buffers": "128MB",
            "superuser_reserved_connections": "0", "wal_level": "replica",
        }.items()
    ),
)  # fmt: skip

SETTINGS = {setting.name.lower(): setting for setting in _DEFINED}
