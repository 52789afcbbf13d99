"""Functions that tell of the catalog or the session: their signatures, for the analysis.

The engine gives what they do, bound to a session, as functions of DataFusion under ``Signature.internal``. Signatures
are tried in this order, so that of ``(text)`` and ``(oid)`` a literal is taken for the first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

from constellationdb.planner.analysis import kinds
from constellationdb.planner.analysis.kinds import UNKNOWN, Kind

_TABLE = """
con_regclass_list_out(oid[]) text[]
con_regnamespace_list_out(oid[]) text[]
con_regoperator_list_out(oid[]) text[]
con_regproc_list_out(oid[]) text[]
con_regprocedure_list_out(oid[]) text[]
con_regrole_list_out(oid[]) text[]
con_regtype_list_out(oid[]) text[]
con_regclass_in(text) regclass
con_regclass_out(oid) text
con_regnamespace_in(text) regnamespace
con_regnamespace_out(oid) text
con_regoperator_in(text) regoperator
con_regoperator_out(oid) text
con_regprocedure_in(text) regprocedure
con_regprocedure_out(oid) text
con_regproc_in(text) regproc
con_regproc_out(oid) text
con_regrole_in(text) regrole
con_regrole_out(oid) text
con_regtype_in(text) regtype
con_regtype_out(oid) text
col_description(oid, integer) text
current_catalog() name
current_database() name
current_role() name
current_schema() name
current_schemas(boolean) name[]
current_setting(text) text
current_setting(text, boolean) text
current_user() name
format_type(oid, integer) text
currval(regclass) bigint volatile
gen_random_uuid() uuid volatile
getdatabaseencoding() name
has_any_column_privilege(any, text) boolean
has_any_column_privilege(any, any, text) boolean
has_column_privilege(any, any, text) boolean
has_column_privilege(any, any, any, text) boolean
has_database_privilege(any, text) boolean
has_database_privilege(any, any, text) boolean
has_foreign_data_wrapper_privilege(any, text) boolean
has_function_privilege(any, text) boolean
has_function_privilege(any, any, text) boolean
has_language_privilege(any, text) boolean
has_schema_privilege(any, text) boolean
has_schema_privilege(any, any, text) boolean
has_sequence_privilege(any, text) boolean
has_server_privilege(any, text) boolean
has_table_privilege(any, text) boolean
has_table_privilege(any, any, text) boolean
has_tablespace_privilege(any, text) boolean
has_type_privilege(any, text) boolean
inet_client_addr() text
inet_client_port() integer
inet_server_addr() text
inet_server_port() integer
lastval() bigint volatile
nextval(regclass) bigint volatile
obj_description(oid) text
obj_description(oid, text) text
parse_ident(text) text[]
parse_ident(text, boolean) text[]
pg_advisory_unlock(bigint) boolean volatile
pg_advisory_unlock_all() void volatile
pg_backend_pid() integer
pg_cancel_backend(integer) boolean volatile
pg_char_to_encoding(name) integer
pg_client_encoding() name
pg_collation_is_visible(oid) boolean
pg_conf_load_time() timestamp with time zone
pg_conversion_is_visible(oid) boolean
pg_database_size(name) bigint
pg_database_size(oid) bigint
pg_encoding_to_char(integer) name
pg_function_is_visible(oid) boolean
pg_get_constraintdef(oid) text
pg_get_constraintdef(oid, boolean) text
pg_get_expr(text, oid) text
pg_get_expr(text, oid, boolean) text
pg_get_function_arg_default(oid, integer) text
pg_get_function_arguments(oid) text
pg_get_function_identity_arguments(oid) text
pg_get_function_result(oid) text
pg_get_function_sqlbody(oid) text
pg_get_functiondef(oid) text
pg_get_indexdef(oid) text
pg_get_indexdef(oid, integer, boolean) text
pg_get_partition_constraintdef(oid) text
pg_get_partkeydef(oid) text
pg_get_ruledef(oid) text
pg_get_ruledef(oid, boolean) text
pg_get_serial_sequence(text, text) text
pg_sequence_last_value(oid) bigint volatile
pg_get_statisticsobjdef(oid) text
pg_get_statisticsobjdef_columns(oid) text
pg_get_triggerdef(oid) text
pg_get_triggerdef(oid, boolean) text
pg_get_userbyid(oid) name
pg_get_viewdef(text) text
pg_get_viewdef(text, boolean) text
pg_get_viewdef(oid) text
pg_get_viewdef(oid, boolean) text
pg_get_viewdef(oid, integer) text
pg_has_role(any, text) boolean
pg_has_role(any, any, text) boolean
pg_indexes_size(regclass) bigint
pg_is_in_recovery() boolean
pg_is_other_temp_schema(oid) boolean
pg_is_wal_replay_paused() boolean
pg_my_temp_schema() oid
pg_opclass_is_visible(oid) boolean
pg_operator_is_visible(oid) boolean
pg_opfamily_is_visible(oid) boolean
pg_postmaster_start_time() timestamp with time zone
pg_relation_filenode(regclass) oid
pg_relation_is_publishable(regclass) boolean
pg_relation_is_updatable(regclass, boolean) integer
pg_relation_size(regclass) bigint
pg_relation_size(regclass, text) bigint
pg_size_pretty(bigint) text
pg_sleep(double precision) void volatile
pg_statistics_obj_is_visible(oid) boolean
pg_stat_get_numscans(oid) bigint
pg_table_is_visible(oid) boolean
pg_terminate_backend(integer) boolean volatile
pg_terminate_backend(integer, bigint) boolean volatile
pg_table_size(regclass) bigint
pg_tablespace_location(oid) text
pg_tablespace_size(any) bigint
pg_total_relation_size(regclass) bigint
pg_ts_config_is_visible(oid) boolean
pg_ts_dict_is_visible(oid) boolean
pg_ts_parser_is_visible(oid) boolean
pg_ts_template_is_visible(oid) boolean
pg_type_is_visible(oid) boolean
quote_ident(text) text
quote_literal(text) text
quote_nullable(text) text
session_user() name
set_config(text, text, boolean) text volatile
setval(regclass, bigint) bigint volatile
setval(regclass, bigint, boolean) bigint volatile
shobj_description(oid, text) text
to_regclass(text) regclass
to_regnamespace(text) regnamespace
to_regoperator(text) regoperator
to_regproc(text) regproc
to_regprocedure(text) regprocedure
to_regrole(text) regrole
to_regtype(text) regtype
txid_current() bigint
user() name
version() text
"""
_LINE = re.compile(r"(\w+)\((.*?)\) (.*?)( volatile)?")


@dataclass(frozen=True)
class Signature:
    """``internal``: what DataFusion calls it. A function without arguments takes one there that says nothing."""

    name: str
    arguments: tuple[str, ...]
    result: str
    internal: str
    is_volatile: bool

    @property
    def shown(self) -> str:
        """As messages name it."""
        return f"a cast of {self.name.split('_')[1]}" if self.name == self.internal else f"{self.name}()"

    def fits(self, found: Sequence[Kind]) -> bool:
        return len(found) == len(self.arguments) and all(map(_accepts, self.arguments, found))


class Functions(Protocol):
    """Functions of DataFusion by signature. ``read`` computes a literal's cast at once: its error has a place."""

    def __call__(self, signature: Signature) -> Any: ...

    def read(self, signature: Signature, literal: str) -> object: ...


@cache
def _by_name() -> Mapping[str, tuple[Signature, ...]]:
    found: dict[str, tuple[Signature, ...]] = {}
    for line in _TABLE.split("\n"):
        if matched := _LINE.fullmatch(line):
            name, arguments, result, volatile = matched.groups()
            known = found.get(name, ())
            internal = name if name.startswith("con_") else f"con_{name}_{len(known)}"
            listed = tuple(arguments.split(", ")) if arguments else ()
            found[name] = (*known, Signature(name, listed, result, internal, volatile is not None))
    return found


@cache
def by_internal() -> Mapping[str, Signature]:
    return {signature.internal: signature for known in _by_name().values() for signature in known}


def is_known(name: str) -> bool:
    return name in _by_name()


def is_volatile(name: str) -> bool:
    return any(signature.is_volatile for signature in _by_name().get(name, ()))


def find(name: str, arguments: Sequence[Kind]) -> Signature | None:
    return next((signature for signature in _by_name().get(name, ()) if signature.fits(arguments)), None)


def _accepts(declared: str, found: Kind) -> bool:
    if declared == "any" or found in (None, UNKNOWN) or declared == found:
        return True
    if declared in kinds.OIDS:
        return found in kinds.OIDS or found in kinds.INTEGERS
    if declared in kinds.TEXTS:
        return found in kinds.TEXTS
    if declared in kinds.INTEGERS:
        return found in kinds.INTEGERS
    if declared == kinds.DOUBLE:
        return found in kinds.NUMBERS
    return kinds.is_array(declared) and kinds.is_array(found)
