"""Arrays ``{a,"b c",NULL}`` and records ``(a,"b c",)``, with Postgres' rules for what needs quotes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

# Empty, the word NULL, or anything the reader of an array would take for syntax. RE2's \s lacks the vertical tab.
_ARRAY_QUOTES = r'^$|^(?i:null)$|[{},"\\\s\v]'
_RECORD_QUOTES = r'^$|[(),"\\\s\v]'


def list_text(array: pa.Array, item: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """Printed from the flat values and the offsets; a list inside a list needs no quotes."""
    lists = array.cast(pa.list_(array.type.value_type))
    printed = item(lists.flatten()).cast(pa.string())
    if _holds_lists(array.type):
        printed = pc.if_else(pc.equal(printed, "{}"), "", printed)  # lists of nothing but empty lists are one empty one
        joined = pc.replace_substring_regex(_joined(lists, printed.fill_null("NULL"), ","), "^,+$", "")
    else:
        quoted = _quoted(printed, _ARRAY_QUOTES, '\\"', "\\\\")
        joined = _joined(lists, quoted.fill_null("NULL"), ",")
    braced = pc.binary_join_element_wise("{", joined, "}", "").cast(pa.binary())
    return pc.if_else(lists.is_valid(), braced, pa.scalar(None, pa.binary()))


def vector_text(array: pa.Array, item: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """An int2vector or oidvector: numbers with spaces between."""
    lists = array.cast(pa.list_(array.type.value_type))
    joined = _joined(lists, item(lists.flatten()).cast(pa.string()), " ").cast(pa.binary())
    return pc.if_else(lists.is_valid(), joined, pa.scalar(None, pa.binary()))


def _joined(lists: pa.Array, printed: pa.Array, separator: str) -> pa.Array:
    lengths = lists.value_lengths().fill_null(0)
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), pc.cumulative_sum(lengths).cast(pa.int32())])
    return pc.binary_join(pa.ListArray.from_arrays(offsets, printed), separator)


def _holds_lists(kind: pa.DataType) -> bool:
    """Of a list type: whether its elements are lists, not records."""
    inner = kind.value_type
    return bool(pa.types.is_list(inner) or pa.types.is_large_list(inner) or pa.types.is_fixed_size_list(inner))


def record_text(array: pa.Array, fields: Sequence[Callable[[pa.Array], pa.Array]]) -> pa.Array:
    columns = array.flatten()
    printed = [
        _quoted(field(column).cast(pa.string()), _RECORD_QUOTES, '""', "\\\\").fill_null("")
        for field, column in zip(fields, columns, strict=True)
    ]
    inside = pc.binary_join_element_wise(*printed, ",") if printed else pa.array([""] * len(array), pa.string())
    braced = pc.binary_join_element_wise("(", inside, ")", "").cast(pa.binary())
    return pc.if_else(array.is_valid(), braced, pa.scalar(None, pa.binary()))


def _quoted(text: pa.Array, pattern: str, quote: str, backslash: str) -> pa.Array:
    needs = pc.match_substring_regex(text, pattern)
    if not pc.any(needs).as_py():
        return text
    escaped = pc.replace_substring(pc.replace_substring(text, "\\", backslash), '"', quote)
    return pc.if_else(needs, pc.binary_join_element_wise('"', escaped, '"', ""), text)
