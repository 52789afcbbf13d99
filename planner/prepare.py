"""From a user's query to the text DataFusion plans, and the tables that text reads.

    SELECT … FROM TUMBLE(trades, ts, INTERVAL '10' SECOND) t JOIN symbols s ON …
    SELECT … FROM rel1 AS t JOIN rel2 AS s ON …      rel1 = window over trades, rel2 = symbols

Internal names are unique over the whole query, nested views included.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa
from pglast import ast

from constellationdb.catalog.model import Function
from constellationdb.errors import FeatureNotSupported, UndefinedRelation, WrongObjectType
from constellationdb.planner.analysis import kinds
from constellationdb.planner.analysis.catalog_functions import Signature, by_internal
from constellationdb.planner.analysis.literal_places import placing_literals
from constellationdb.planner.analysis.nulls import name_nulls
from constellationdb.planner.analysis.queries import Columns, Relations, analyse
from constellationdb.planner.analysis.scope import Column
from constellationdb.planner.analysis.type_names import tell_types
from constellationdb.planner.analysis.user_calls import UserCalls, with_parameters
from constellationdb.planner.analysis.zoning import Zoning
from constellationdb.planner.ranked_limits import listed_columns, rank_limits
from constellationdb.planner.references import Names, find, key_of, reference, split
from constellationdb.planner.relations import (
    CHANGE_COLUMNS,
    PlannedRelation,
    WindowCall,
    decode_body,
    functions_among,
    types_among,
)
from constellationdb.planner.resolving import references
from constellationdb.planner.rewrite.asof import call_asof_joins, mark_asof_joins
from constellationdb.planner.rewrite.bound import query_tree
from constellationdb.planner.rewrite.casts import tell_casts_apart
from constellationdb.planner.rewrite.changelogs import read_changelogs, reads_changelog
from constellationdb.planner.rewrite.constants import check_constants
from constellationdb.planner.rewrite.count_filters import fold_count_filters
from constellationdb.planner.rewrite.group_windows import expand_group_windows
from constellationdb.planner.rewrite.intervals import normalise_intervals
from constellationdb.planner.rewrite.names import name_derived, name_outputs
from constellationdb.planner.rewrite.never_true import settle_conditions
from constellationdb.planner.rewrite.qualified import Identify, read_qualified
from constellationdb.planner.rewrite.refuse import refuse
from constellationdb.planner.rewrite.row_values import expand_rows
from constellationdb.planner.rewrite.series import expand_series
from constellationdb.planner.rewrite.set_functions import read_set_functions
from constellationdb.planner.rewrite.sorted_sets import sort_above_sets
from constellationdb.planner.rewrite.spellings import respell
from constellationdb.planner.rewrite.subquery_conditions import rewrite_conditions
from constellationdb.planner.rewrite.system_columns import NAMES, read_system_columns
from constellationdb.planner.rewrite.temporal_filters import ClockFilters
from constellationdb.planner.rewrite.tree import last_name, nodes, parse_query, to_sql
from constellationdb.planner.rewrite.versions import mark_versions
from constellationdb.planner.rewrite.window_inputs import name_window_inputs
from constellationdb.planner.rewrite.windows import is_window, window_call
from constellationdb.planner.statements import Query
from constellationdb.planner.unnest.above import asks_above_sets
from constellationdb.planner.unnest.iterations import count_iterations
from constellationdb.planner.unnest.queries import unnest


@dataclass
class PreparedQuery:
    """``tree`` prints as ``sql``; ``tables``, ``windows`` and ``views`` are keyed by internal name."""

    tree: Any
    relations: dict[str, PlannedRelation] = field(default_factory=dict)
    windows: dict[str, WindowCall] = field(default_factory=dict)
    views: dict[str, PlannedRelation] = field(default_factory=dict)
    signatures: Mapping[int, str] = field(default_factory=dict)  # calls as messages name them, by location
    functions: tuple[Signature, ...] = ()  # those of the catalog and the session that it calls
    columns: Columns = None  # as the analysis knows them; None: it does not
    asking: bool = False  # there are subqueries in expressions
    doubtful: bool = False  # … of which DataFusion might answer one wrong
    guarded: bool = False  # … which fails when it has a second row: of those that ask, and no others
    lateral: bool = False  # a subquery in FROM may mention what stands before it
    unsure: bool = False  # something might depend on the time zone, for all that is known of its types
    in_time: bool = False  # it joins by time: the optimizer must leave some things where they stand

    @property
    def sql(self) -> str:
        return to_sql(self.tree)


class OtherZoneError(Exception):
    """A query of another zone than UTC is part of what is planned: plan it anew, ``zoned``."""


class Preparer:
    """Rewrites queries against one set of relations, with one counter of internal names.

    ``checked``: arithmetic is checked in the text itself, for a plan that nothing will correct afterwards.
    ``unnesting``: subqueries are made joins here, for a query that DataFusion would not understand with them.
    ``zoned``: every query says the time zone that it computes in, for one of them is of another than UTC.
    """

    def __init__(
        self,
        relations: Mapping[str, PlannedRelation],
        *,
        continuous: bool,
        clause: str = "SELECT",
        checked: bool = False,
        unnesting: bool = False,
        zoned: bool = False,
    ) -> None:
        self._relations = relations
        self._own: dict[str, PlannedRelation] = {}
        self._read: dict[str, PlannedRelation] = {}  # by the bodies of functions
        functions = functions_among(relations)
        self._users = None if functions is None else UserCalls(functions, self._body, continuous)
        self._checked = checked
        self._unnesting = unnesting
        self._continuous = continuous
        self._zoned = zoned
        self._clause = clause  # what the SELECT list stands for: RETURNING's comes as a SELECT
        self._numbers: Iterator[int] = itertools.count(1)

    def prepare(self, query: Query) -> PreparedQuery:
        if query.zone != "UTC" and not self._zoned:
            raise OtherZoneError
        tree, zoning = self._normal(query), Zoning(query.zone, explicit=self._zoned)
        clock = ClockFilters(query.zone, query.offset)
        if self._continuous:
            clock.find(tree)
        refuse(tree, query.offset, continuous=self._continuous, accepted=clock.accepted)
        with placing_literals(query):
            analysis = analyse(
                tree,
                self._columns_for(query.names),
                query.offset,
                zoning=zoning,
                clause=self._clause,
                checked=self._checked,
                unnesting=self._unnesting,
                functions=self._users,
            )
        tree = zoning.spelled(tree)
        call_asof_joins(tree)
        clock.call(tree)
        check_constants(tree)
        if self._continuous:
            name_nulls(tree)
        else:
            fold_count_filters(tree)
        name_outputs(tree)
        name_derived(tree)
        if not self._continuous:
            sort_above_sets(tree)
        prepared = PreparedQuery(tree, signatures=analysis.signatures, columns=analysis.columns)
        prepared.in_time = bool(query.asof) or any(clause.as_of is not None for clause in query.temporal)
        prepared.asking, prepared.doubtful, prepared.unsure = analysis.asking, analysis.doubtful, analysis.unsure
        prepared.doubtful |= not self._unnesting and asks_above_sets(tree)
        prepared.guarded = analysis.guarded
        prepared.lateral = any(isinstance(node, ast.RangeSubselect) and node.lateral for node in nodes(tree))
        _Resolver(self, prepared, query).resolve(tree, frozenset())
        if self._unnesting:
            tree = rank_limits(tree, listed_columns)
            tree = unnest(count_iterations(tree) if self._continuous else tree)
        else:
            tree = rewrite_conditions(tree)
        settle_conditions(tree)
        prepared.tree = tell_casts_apart(tree)
        prepared.functions = _catalog_functions(prepared.tree)
        return prepared

    def relation(self, names: Names, name: str, schema: str | None, location: int) -> PlannedRelation:
        found = self._find(names, schema, name)
        if found is None:
            raise UndefinedRelation(f'relation "{reference(schema, name)}" does not exist', position=location + 1)
        return found

    def _find(self, names: Names, schema: str | None, name: str) -> PlannedRelation | None:
        own = (self._own.get(name) or self._read.get(name)) if schema is None else None
        return own or find(self._relations, names, schema, name)

    def _identify(self, names: Names) -> Identify:
        def identify(schema: str | None, name: str) -> str:
            found = find(self._relations, names, schema, name)
            return reference(schema, name) if found is None else found.name

        return identify

    def _columns_for(self, names: Names) -> Relations:
        """The columns of relations for the analysis of a query with these names."""
        return lambda name, schema: self._columns(names, name, schema)

    def _columns(self, names: Names, name: str, schema: str | None) -> Columns:
        """None when there is no such relation, which is said later."""
        read = self._read.get(name) if schema is None else None
        found = read or find(self._relations, names, schema, name)
        if found is None:
            return None
        if found.query is None:
            return tuple(
                Column(f.name, kinds.of_field(f), kinds.is_whole(f.type), f.name in found.primary_key)
                for f in found.schema
            )
        inner = self._normal(found.query)
        columns = analyse(
            inner, self._columns_for(found.query.names), found.query.offset, functions=self._users
        ).columns
        if columns is None:
            return None
        shown = [*found.column_names, *(c.name for c in columns[len(found.column_names) :])]
        return tuple(replace(c, name=n, key=False) for n, c in zip(shown, columns, strict=True))

    def _normal(self, query: Query) -> Any:
        tree = query_tree(query)
        tell_types(tree, types_among(self._relations))
        mark_asof_joins(tree, query.asof, query.offset)
        mark_versions(tree, query, lambda name, schema: self._find(query.names, schema, name))
        tree = respell(normalise_intervals(expand_rows(tree)))
        tree = read_changelogs(tree, query.offset, lambda said, at: self._changelog(query, said, at))
        tree = read_qualified(tree, self._identify(query.names), query.offset)
        expand_group_windows(tree, query.offset)
        name_window_inputs(tree, query, self._named)
        if any(name in query.text.lower() for name in NAMES):
            tree = read_system_columns(tree, lambda schema, name: self._find(query.names, schema, name), query.offset)
        return expand_series(read_set_functions(tree, self._relations), continuous=self._continuous)

    def _body(self, function: Function) -> Any:
        """A function's body. What it reads is named so that nothing of the query around it can be meant."""
        query = decode_body(function)
        if reads_changelog(query.text):
            raise FeatureNotSupported(f"changelog() in the body of function {function.shown} is not supported")
        tree = with_parameters(function, self._normal(query))
        refuse(tree, 0, continuous=self._continuous)
        ctes = {node.ctename for node in nodes(tree) if isinstance(node, ast.CommonTableExpr)}
        for node in nodes(tree):
            if isinstance(node, ast.RangeFunction) and is_window(node):
                raise FeatureNotSupported(f"a window in the body of function {function.shown} is not supported")
            if isinstance(node, ast.RangeVar) and not (node.schemaname is None and node.relname in ctes):
                self._read_by(function, query, node)
        return tree

    def _read_by(self, function: Function, query: Query, table: Any) -> None:
        relation = self.relation(query.names, table.relname, table.schemaname, -1)
        table.alias = table.alias or ast.Alias(aliasname=table.relname)
        internal = f"{relation.name} read by function {function.oid}"
        self._read[internal] = relation
        table.relname, table.schemaname, table.catalogname = internal, None, None

    def _named(self, name: str, query: Query) -> str:
        """A plain view of the query's own: what one of its windows reads."""
        internal = f"{name} read by window {len(self._own) + 1}"
        self._own[internal] = PlannedRelation(name, "view", pa.schema([]), query=query)
        return internal

    def _changelog(self, query: Query, said: str, position: int) -> str:
        """A relation of the query's own: the changes of another."""
        schema, name = split(said)
        relation = self.relation(query.names, name, schema, position - 1)
        if relation.kind not in ("table", "source", "materialized view"):
            raise WrongObjectType(
                f'"{said}" is a {relation.kind}: it has no changes of its own',
                hint="changelog takes a table, a source or a materialized view",
                position=position,
            )
        internal = f"changelog of {relation.name}"
        columns = pa.schema([*CHANGE_COLUMNS, *relation.schema])
        self._own[internal] = PlannedRelation(relation.name, "changelog", columns, append_only=True)
        return internal

    def is_own(self, name: str) -> bool:
        """Whether a name is that of a plain view of a query's own."""
        return name in self._own

    def internal(self) -> str:
        return f"rel{next(self._numbers)}"


def _catalog_functions(tree: Any) -> tuple[Signature, ...]:
    known = by_internal()
    names = {last_name(node): None for node in nodes(tree) if isinstance(node, ast.FuncCall)}
    return tuple(known[name] for name in names if name in known)


class _Resolver:
    """Replaces every relation of one statement by its internal name, minding the scope of CTEs."""

    def __init__(self, preparer: Preparer, prepared: PreparedQuery, query: Query) -> None:
        self._preparer = preparer
        self._prepared = prepared
        self._offset = query.offset
        self._names = query.names

    def resolve(self, node: Any, ctes: frozenset[str]) -> Any:
        """The node to put in place of ``node``."""
        match node:
            case tuple() | list():
                return tuple(self.resolve(member, ctes) for member in node)
            case ast.SelectStmt():
                ctes = self._with(node, ctes)
            case ast.RangeVar():
                return self._table(node, ctes)
            case ast.RangeFunction():
                return self._function(node) or node
            case ast.Node():
                pass
            case _:
                return node
        for name in node:
            value = getattr(node, name)
            if name != "withClause" and isinstance(value, ast.Node | tuple | list):
                setattr(node, name, self.resolve(value, ctes))
        return node

    def _with(self, select: Any, ctes: frozenset[str]) -> frozenset[str]:
        if select.withClause is None:
            return ctes
        visible = set(ctes)
        for cte in select.withClause.ctes:
            if select.withClause.recursive:
                visible.add(cte.ctename)
            cte.ctequery = self.resolve(cte.ctequery, frozenset(visible))
            cte.ctematerialized = type(cte.ctematerialized)(0) if cte.ctematerialized is not None else None
            visible.add(cte.ctename)
        return frozenset(visible)

    def _table(self, table: Any, ctes: frozenset[str]) -> Any:
        if table.schemaname is None and table.relname in ctes:
            return table
        relation = self._preparer.relation(self._names, table.relname, table.schemaname, table.location + self._offset)
        name = self._preparer.internal()
        if relation.kind == "view":
            self._prepared.views[name] = relation
        else:
            self._prepared.relations[name] = relation
        if table.alias is None:
            table.alias = ast.Alias(aliasname=table.relname)
        table.relname, table.schemaname, table.catalogname = name, None, None
        return table

    def _function(self, function: Any) -> Any | None:
        call = window_call(function, self._offset)
        if call is None:
            return None
        schema, said = split(call.relation)
        relation = self._preparer.relation(self._names, said, schema, call.position - 1)
        name = self._preparer.internal()
        read = call.arguments() | {"relation": relation.name}
        self._prepared.windows[name] = WindowCall(name=name, over=relation, **read)
        alias = function.alias or ast.Alias(aliasname=relation.name if self._preparer.is_own(said) else said)
        return ast.RangeVar(relname=name, inh=True, relpersistence="p", alias=alias)


def called_names(query: Query) -> set[str]:
    """The names of functions that ``query`` calls."""
    return {last_name(node) for node in nodes(parse_query(query.text)) if isinstance(node, ast.FuncCall)}


def relation_names(query: Query) -> list[str]:
    """The names in the catalog of all that ``query`` mentions, whether there is such a relation or not."""
    keys = (key_of(query.names, *split(said)) for said in references(parse_query(query.text)))
    return list(dict.fromkeys(keys))
