"""Outer joins whose nullable side holds one value in a column, or NULL where nothing matched.

DataFusion 55 goes on taking such a column for a constant above the join
(``EquivalenceGroup::join`` keeps the constants of both sides): it leaves out the
sort by it, and groups by it as if equal rows stood together, so a group comes
several times. Above the join each column of the nullable side therefore passes
an expression that is no constant; in a query that runs as text, where that
cannot be put in, the constants themselves do. Only where there are such
constants: the expression costs a random number a row.

A filter above the join is another reason: DataFusion moves it below, and of a join whose sides it has exchanged
it then reads both columns of a comparison from one side, if they have one name.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pglast import ast
from pglast.enums import A_Expr_Kind, JoinType
from substrait.proto import Expression, FunctionArgument, JoinRel, Rel

from constellationdb.planner.analysis.calls import is_aggregate_call
from constellationdb.planner.lower.core import width_of
from constellationdb.planner.rewrite.tree import last_name, nodes, parse_expression, replace
from constellationdb.planner.shuttle import Shuttle, field, fields_used, project, visit
from constellationdb.planner.unnest.parts import conjunction, conjuncts

_NULLABLE_RIGHT = (JoinRel.JOIN_TYPE_LEFT, JoinRel.JOIN_TYPE_OUTER)
_NULLABLE_LEFT = (JoinRel.JOIN_TYPE_RIGHT, JoinRel.JOIN_TYPE_OUTER)
_COMPARED = frozenset({"equal", "not_equal", "is_not_distinct_from", "is_distinct_from"})


def to_hide(shuttle: Shuttle, join: JoinRel, filtered: bool) -> list[int]:
    """The columns that DataFusion must not know: all of a nullable side that has a constant, or is filtered later."""
    left, right = width_of(join.left), width_of(join.right)
    given = filtered or _compares(shuttle, join.expression)
    found: list[int] = []
    if join.type in _NULLABLE_LEFT and (given or _has_constants(shuttle, join.left)):
        found += range(left)
    if join.type in _NULLABLE_RIGHT and (given or _has_constants(shuttle, join.right)):
        found += range(left, left + right)
    return found


def hide(shuttle: Shuttle, rel: Rel, width: int, columns: list[int]) -> None:
    """In place: these columns of ``rel`` are no constants."""
    if not columns:
        return
    inner = Rel()
    inner.CopyFrom(rel)
    hidden = set(columns)
    outputs = [_hidden(shuttle, field(i)) if i in hidden else field(i) for i in range(width)]
    rel.CopyFrom(project(inner, width, outputs))


def _hidden(shuttle: Shuttle, value: Expression) -> Expression:
    """CASE WHEN random() < 2 THEN value END: always the value, and nobody knows."""
    drawn, bound, test, shown = Expression(), Expression(), Expression(), Expression()
    drawn.scalar_function.function_reference = shuttle.anchor("random")
    drawn.scalar_function.output_type.fp64.nullability = 2
    bound.literal.fp64 = 2.0
    test.scalar_function.function_reference = shuttle.anchor("lt")
    test.scalar_function.output_type.bool.nullability = 2
    test.scalar_function.arguments.extend([FunctionArgument(value=drawn), FunctionArgument(value=bound)])
    clause = shown.if_then.ifs.add()
    getattr(clause, "if").CopyFrom(test)
    clause.then.CopyFrom(value)
    return shown


def _has_constants(shuttle: Shuttle, rel: Rel) -> bool:
    for part in _parts(rel):
        match part.DESCRIPTOR.name:
            case "ProjectRel":
                if any(not fields_used(expression) for expression in part.expressions):
                    return True
            case "AggregateRel" if not any(grouping.expression_references for grouping in part.groupings):
                return True  # one row: each of its columns is constant
            case "FetchRel":
                return True  # perhaps one row
            case "ReadRel" if len(part.virtual_table.expressions) == 1:
                return True
    return _compares(shuttle, rel)


def _parts(message: Any) -> Iterator[Any]:
    """Every message inside of one, itself included."""
    yield message
    for descriptor, value in message.ListFields():
        if descriptor.message_type is None:
            continue
        for item in [value] if hasattr(value, "ListFields") else value:
            if hasattr(item, "ListFields"):
                yield from _parts(item)


def _compares(shuttle: Shuttle, message: Any) -> bool:
    """Whether something is compared with what needs no row."""
    found: list[Expression] = []

    def note(expression: Expression) -> None:
        match expression.WhichOneof("rex_type"):
            case "singular_or_list":
                found.append(expression)
            case "scalar_function":
                call = expression.scalar_function
                if shuttle.function_name(call.function_reference) in _COMPARED:
                    found.extend(a.value for a in call.arguments if not fields_used(a.value))

    visit(message, note)
    return bool(found)


# -- text ------------------------------------------------------------------------------------------


def filtered_above(tree: Any) -> Any:
    """In place, for a query that runs as text: conditions above outer joins stay there, for nobody knows them."""
    for node in nodes(tree):
        if isinstance(node, ast.SelectStmt) and any(_is_outer(part) for part in nodes(node.fromClause)):
            conditions = conjuncts(node.whereClause)
            node.whereClause = conjunction([part if _asks(part) else _kept(part) for part in conditions])
    return tree


def _asks(condition: Any) -> bool:
    return any(isinstance(node, ast.SubLink) for node in nodes(condition))


def without_constants(tree: Any, *, all_of_it: bool) -> Any:
    """The tree with every constant that a column below an outer join could be known by made unknown.

    ``all_of_it``: it is a view, and may itself stand below one.
    """
    if all_of_it:
        return replace(tree, _unknown)
    joined = any(_is_outer(node) for node in nodes(tree))
    return replace(tree, lambda node: _below(node, joined))


def _below(node: Any, joined: bool) -> Any | None:
    if joined and isinstance(node, ast.CommonTableExpr):
        node.ctequery = replace(node.ctequery, _unknown)
    elif _is_outer(node):
        node.larg, node.rarg, node.quals = (replace(part, _unknown) for part in (node.larg, node.rarg, node.quals))
    else:
        return None
    return node


def _is_outer(node: Any) -> bool:
    return isinstance(node, ast.JoinExpr) and node.jointype != JoinType.JOIN_INNER


def _unknown(node: Any) -> Any | None:
    match node:
        case ast.SelectStmt() if node.targetList and _is_one_row(node):
            for target in node.targetList:
                _hide_output(target)
        case ast.ResTarget() if node.val is not None and _is_constant(node.val):
            node.val = _kept(node.val)
        case ast.A_Expr(kind=A_Expr_Kind.AEXPR_OP | A_Expr_Kind.AEXPR_DISTINCT | A_Expr_Kind.AEXPR_NOT_DISTINCT):
            known = [_is_constant(side) for side in (node.lexpr, node.rexpr)]
            if node.name[-1].sval in ("=", "<>") and any(known) and not all(known):
                node.lexpr, node.rexpr = _kept_if_constant(node.lexpr), _kept_if_constant(node.rexpr)
        case ast.A_Expr(kind=A_Expr_Kind.AEXPR_IN) if isinstance(node.rexpr, tuple):
            node.rexpr = tuple(_kept_if_constant(member) for member in node.rexpr)
        case _:
            return None
    return node


def _is_one_row(select: Any) -> bool:
    """Whether it may be: an aggregate without groups, or a LIMIT."""
    if select.limitCount is not None:
        return True
    return not select.groupClause and any(is_aggregate_call(part) for part in nodes(select.targetList))


def _hide_output(target: Any) -> None:
    match target.val:
        case ast.ColumnRef() if not isinstance(target.val.fields[-1], ast.A_Star):
            target.name = target.name or target.val.fields[-1].sval
        case ast.FuncCall() if is_aggregate_call(target.val):
            target.name = target.name or last_name(target.val)
        case _:
            return
    target.val = _kept(target.val)


def _kept_if_constant(node: Any) -> Any:
    return _kept(node) if _is_constant(node) else node


def _is_constant(node: Any) -> bool:
    if not isinstance(node, ast.Node) or (isinstance(node, ast.A_Const) and node.isnull):
        return False
    return not any(isinstance(part, ast.ColumnRef | ast.SubLink | ast.FuncCall | ast.ParamRef) for part in nodes(node))


def _kept(node: Any) -> Any:
    case = parse_expression("CASE WHEN random() < 2 THEN 1 END")
    case.args[0].result = node
    return case
