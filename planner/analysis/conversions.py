"""Casts to and from the types that DataFusion does not know: it carries uuid, JSON, names as text, oids as bigints.

What needs the catalog is a call: ``'t'::regclass`` is ``con_…_in('t')``, a regclass as text ``con_…_out``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pglast import ast

from constellationdb.catalog import types
from constellationdb.errors import CannotCoerce, FeatureNotSupported
from constellationdb.planner.analysis import forms, kinds, printing, texts
from constellationdb.planner.analysis.catalog_functions import Signature
from constellationdb.planner.analysis.kinds import UNKNOWN, Kind
from constellationdb.planner.analysis.made_kinds import Made, pair_of
from constellationdb.planner.analysis.typed import Typed
from constellationdb.planner.rewrite.tree import last_name, nodes

_READ = {
    kinds.UUID: "con_uuid", kinds.JSON: "con_json", kinds.JSONB: "con_jsonb", kinds.NAME: "con_name",
    kinds.BYTEA: "con_bytea",
}  # fmt: skip
_NAMING = frozenset(f"con_{kind}_in" for kind in kinds.REGS)
_OF_TEXT = (None, UNKNOWN, *kinds.TEXTS)


def is_carried(kind: Kind) -> bool:
    """Whether a cast to ``kind`` is none that DataFusion knows."""
    return isinstance(kind, Made) or kinds.is_array(kind) or kind in kinds.OIDS or kind in _READ or kind == kinds.CHAR


def converted(argument: Typed, kind: str, position: int | None) -> Any:
    """``argument`` as a value of the carried type ``kind``."""
    node, found = argument.node, argument.kind
    if found == UNKNOWN and isinstance(node, ast.A_Const):
        return kinds.cast(node, kind) if node.isnull else texts.typed(node, kind, position)
    if found == kind:
        return node
    if isinstance(kind, Made) and not kinds.is_array(kind):
        return _made(node, found, kind, position)
    if kind == kinds.BYTEA and found is None:  # which may be one already
        return kinds.cast(node, kind)
    if kinds.is_array(kind):
        return _array(node, found, kind, position)
    if kind in kinds.OIDS:
        return _oid(node, found, kind, position)
    if kind == kinds.CHAR and found in _OF_TEXT:
        return forms.call("left", kinds.cast(node, kinds.TEXT), forms.integer(1))
    if kind in (kinds.JSON, kinds.JSONB) and (found in (kinds.JSON, kinds.JSONB) or pair_of(found) is not None):
        return forms.call(_READ[kind], node)
    if kind == kinds.NAME and found is not None:
        return forms.call("con_name", kinds.cast(printing.printed(node, found), kinds.TEXT))
    if kind not in _READ or found not in _OF_TEXT:
        raise CannotCoerce(f"cannot cast type {found} to {kind}", position=position)
    return forms.call(_READ[kind], kinds.cast(node, kinds.TEXT))


def _made(node: Any, found: Kind, kind: Made, position: int | None) -> Any:
    is_object = pair_of(found) is not None or found in (kinds.JSON, kinds.JSONB)
    if found not in _OF_TEXT and not (kind.sql_type.pair is not None and is_object):
        raise CannotCoerce(f"cannot cast type {found} to {kind}", position=position)
    return forms.call("con_made_in", kinds.cast(node, kinds.TEXT), forms.text(types.describe(kind.sql_type)))


def _oid(node: Any, found: Kind, kind: str, position: int | None) -> Any:
    if kind in kinds.REGS and found in kinds.TEXTS:
        return forms.call(f"con_{kind}_in", kinds.cast(node, kinds.TEXT))
    if found in kinds.OIDS or found in kinds.INTEGERS or found in _OF_TEXT:
        return kinds.cast(node, kind)
    raise CannotCoerce(f"cannot cast type {found} to {kind}", position=position)


def named_objects(tree: Any, called: Iterable[Signature]) -> Iterator[tuple[Signature, str]]:
    """The literals in ``tree`` that name an object of the catalog: what reads each, of ``called``, and its text."""
    readers = {s.internal: s for s in called if s.internal in _NAMING}
    for node in nodes(tree) if readers else ():
        if isinstance(node, ast.FuncCall) and (reader := readers.get(last_name(node))) is not None:
            literal = node.args[0]
            if isinstance(literal, ast.A_Const):
                yield reader, literal.val.sval


def _array(node: Any, found: Kind, kind: str, position: int | None) -> Any:
    """The elements are cast one by one, by DataFusion: where it prints or reads them as Postgres does."""
    if not kinds.is_array(found):
        if found in (None, UNKNOWN):
            return kinds.cast(node, kind)
        if found in kinds.TEXTS:
            raise FeatureNotSupported(
                "a text that is no constant cannot be cast to an array",
                hint="use string_to_array",
                position=position,
            )
        raise CannotCoerce(f"cannot cast type {found} to {kind}", position=position)
    assert found is not None
    inner, wanted = kinds.element(found), kinds.element(kind)
    if inner in kinds.REGS and wanted in kinds.TEXTS:
        return forms.call(f"con_{inner}_list_out", node)
    simple = inner in (*kinds.INTEGERS, *kinds.TEXTS, *kinds.OIDS, kinds.UUID)
    if kinds.family(inner) != kinds.family(wanted) and not (
        simple and wanted in kinds.TEXTS and inner not in kinds.REGS
    ):
        if kinds.no_cast(inner, wanted):
            raise CannotCoerce(f"cannot cast type {found} to {kind}", position=position)
        raise FeatureNotSupported(f"a cast from {found} to {kind} is not supported", position=position)
    if wanted in kinds.INTEGERS and inner not in (*kinds.INTEGERS, *kinds.OIDS):
        raise FeatureNotSupported(f"a cast from {found} to {kind} is not supported", position=position)
    return kinds.cast(node, kind)
