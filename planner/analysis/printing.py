"""Values that a query turns into text, in the functions that print them as Postgres does."""

from __future__ import annotations

import re
from typing import Any

from pglast import ast

from constellationdb.errors import FeatureNotSupported, InvalidParameter
from constellationdb.planner.analysis import forms, kinds
from constellationdb.planner.analysis.kinds import Kind
from constellationdb.planner.analysis.typed import Typed
from constellationdb.planner.rewrite.tree import nodes
from constellationdb.planner.text_functions import SUFFIX_OF_NAME, list_printer

_PLACE = re.compile(r"%(?:(\d+)\$)?(.)?", re.DOTALL)
# What DataFusion prints right, and what has another unit in it.
_PLAIN = (kinds.BOOLEAN, kinds.TIME)

# The functions that quote what %I and %L stand for.
_QUOTED = {"s": "", "I": "con_quote_ident_0", "L": "con_quote_nullable_0"}


def printed(node: Any, kind: Kind) -> Any:
    """``node`` as the argument of a cast to text; DataFusion prints booleans, integers and numerics right."""
    if kind in kinds.REGS:
        return forms.call(f"con_{kind}_out", node)
    if kind is not None and kinds.is_array(kind):
        return _array(node, kind)
    suffix = SUFFIX_OF_NAME.get(kind or "")
    if suffix is not None and kind not in _PLAIN:
        return forms.call(f"con_text_{suffix}", node)
    if kind == kinds.TIME:
        return forms.call("con_text_time", forms.microseconds(node))
    if kind == kinds.NUMERIC and any(_is_bare_numeric(inner) for inner in nodes(node)):
        return forms.call("con_trim_scale", kinds.cast(node, kinds.TEXT))
    return node


def _array(node: Any, kind: str) -> Any:
    element = kinds.element(kind)
    if element in kinds.REGS or kind == "int2vector" or kind == "oidvector":
        raise FeatureNotSupported(f"a cast from {kind} to text is not supported")
    carried = kinds.TEXT if kinds.is_text(element) else kinds.BIGINT if element in kinds.OIDS else element
    return forms.call(list_printer(carried), kinds.cast(node, kinds.array(carried) or kind))


def _is_bare_numeric(node: Any) -> bool:
    """A cast that gives more zeros after the point than the value had."""
    return isinstance(node, ast.TypeCast) and node.typeName.names[-1].sval == "numeric" and not node.typeName.typmods


def joined(node: Any, kind: Kind) -> Any:
    """``node`` as an argument of concat(), where a boolean is t or f."""
    return forms.call("con_text_boolean", node) if kind == kinds.BOOLEAN else printed(node, kind)


def formatted(arguments: list[Typed], position: int | None) -> tuple[Any, ...]:
    """What concat() must be given for format() of a constant template with ``%s``, ``%I`` and ``%L``."""
    template = arguments[0].node if arguments else None
    if not isinstance(template, ast.A_Const) or not isinstance(template.val, ast.String):
        raise FeatureNotSupported("format is only supported with a constant template", position=position)
    parts: list[Any] = []
    following, end = 1, 0
    for place in _PLACE.finditer(template.val.sval):
        parts.append(forms.text(template.val.sval[end : place.start()]))
        end = place.end()
        if place.group(2) == "%":
            parts.append(forms.text("%"))
            continue
        if place.group(2) not in _QUOTED:
            raise _unknown(place.group(2), position)
        number = int(place.group(1) or following)
        if number >= len(arguments):
            raise InvalidParameter("too few arguments for format()", position=position)
        following = number + 1
        value, quoted = joined(arguments[number].node, arguments[number].kind), _QUOTED[place.group(2)]
        parts.append(forms.call(quoted, kinds.cast(value, kinds.TEXT)) if quoted else value)
    return (*parts, forms.text(template.val.sval[end:]))


def _unknown(letter: str | None, position: int | None) -> Exception:
    if letter is None:
        return InvalidParameter("unterminated format() type specifier", position=position)
    if letter in "-0123456789":
        return FeatureNotSupported(f'format does not know "%{letter}" yet', hint="use %s", position=position)
    return InvalidParameter(f'unrecognized format() type specifier "{letter}"', position=position)
