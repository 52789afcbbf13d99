"""A Substrait plan over slots as the steps a user would recognise, and what its output columns are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from substrait.proto import Expression, JoinRel, Plan, Rel, SetRel

from constellationdb.errors import InternalError
from constellationdb.planner.explain.words import Shown, Words
from constellationdb.planner.lower.core import read_columns

Columns: TypeAlias = list[Shown]
Fields: TypeAlias = list[tuple[str, str]]

_JOINS = {
    JoinRel.JOIN_TYPE_INNER: "inner join", JoinRel.JOIN_TYPE_OUTER: "full join", JoinRel.JOIN_TYPE_LEFT: "left join",
    JoinRel.JOIN_TYPE_RIGHT: "right join", JoinRel.JOIN_TYPE_LEFT_SEMI: "semi join",
    JoinRel.JOIN_TYPE_LEFT_ANTI: "anti join", JoinRel.JOIN_TYPE_LEFT_MARK: "mark join",
}  # fmt: skip
_ONE_SIDED = (JoinRel.JOIN_TYPE_LEFT_SEMI, JoinRel.JOIN_TYPE_LEFT_ANTI, JoinRel.JOIN_TYPE_LEFT_MARK)
_SETS = {SetRel.SET_OP_UNION_ALL: "union all", SetRel.SET_OP_UNION_DISTINCT: "union"}


class Steps:
    """Reads one plan. ``slots``: the columns of slot0, slot1, …; ``fields`` fill up in the order the plan runs."""

    def __init__(self, data: bytes, slots: Sequence[Columns]) -> None:
        self._plan = Plan()
        self._plan.ParseFromString(data)
        declared = (e.extension_function for e in self._plan.extensions)
        self.words = Words({f.function_anchor: f.name for f in declared})
        self._slots = slots
        self.fields: Fields = []
        self.columns = self._walk(self._plan.relations[0].root.input)

    def _walk(self, rel: Rel) -> Columns:
        kind = rel.WhichOneof("rel_type") or ""
        body = getattr(rel, kind)
        walk = getattr(self, f"_{kind}", None)
        if walk is None:
            raise InternalError(f"EXPLAIN has no words for a {kind} relation")
        columns: Columns = walk(rel if kind == "read" else body)
        if body.common.HasField("emit"):
            columns = [columns[i] for i in body.common.emit.output_mapping]
        return columns

    def _read(self, rel: Rel) -> Columns:
        if rel.read.WhichOneof("read_type") != "named_table":
            return [Shown(f"value{i + 1}") for i in range(len(rel.read.base_schema.names))]
        slot = self._slots[int(rel.read.named_table.names[-1].removeprefix("slot"))]
        return [slot[c] for c in read_columns(rel)]

    def _filter(self, body: Any) -> Columns:
        columns = self._walk(body.input)
        self.fields.append(("filter", self.words.show(body.condition, columns).text))
        return columns

    def _project(self, body: Any) -> Columns:
        columns = self._walk(body.input)
        made = [self.words.show(e, columns) for e in body.expressions]
        over = [m.text for e, m in zip(body.expressions, made, strict=True) if _is_window(e)]
        self.fields += [("over", text) for text in over]
        return [*columns, *made]

    def _aggregate(self, body: Any) -> Columns:
        columns = self._walk(body.input)
        keys = [self.words.show(e, columns) for e in body.grouping_expressions]
        measures = []
        for measure in body.measures:
            text = self.words.aggregate(measure.measure, columns)
            if measure.HasField("filter"):
                text += f" FILTER (WHERE {self.words.show(measure.filter, columns).text})"
            measures.append(Shown(text))
        self.fields.append(("group by", ", ".join(k.text for k in keys) or "everything"))
        if measures:
            self.fields.append(("compute", ", ".join(m.text for m in measures)))
        return [*keys, *measures]

    def _sort(self, body: Any) -> Columns:
        columns = self._walk(body.input)
        self.fields.append(("order by", self.words.sorts(body.sorts, columns)))
        return columns

    def _fetch(self, body: Any) -> Columns:
        columns = self._walk(body.input)
        parts = []
        if body.HasField("count_expr"):
            parts.append(self.words.show(body.count_expr, columns).text)
        if body.HasField("offset_expr") and (offset := self.words.show(body.offset_expr, columns).text) != "0":
            parts.append(f"offset {offset}")
        self.fields.append(("limit", " ".join(parts)))
        return columns

    def _join(self, body: Any) -> Columns:
        columns = qualified(self._walk(body.left), self._walk(body.right))
        name = _JOINS.get(body.type, "join")
        self.fields.append((name, f"on {self.words.show(body.expression, columns).text}"))
        if body.type not in _ONE_SIDED:
            return columns
        left = self._width_of_left(body)
        return [*columns[:left], Shown("matched")] if body.type == JoinRel.JOIN_TYPE_LEFT_MARK else columns[:left]

    def _width_of_left(self, body: Any) -> int:
        kept, self.fields = self.fields, []
        width = len(self._walk(body.left))
        self.fields = kept
        return width

    def _cross(self, body: Any) -> Columns:
        columns = qualified(self._walk(body.left), self._walk(body.right))
        self.fields.append(("cross join", "every row with every row"))
        return columns

    def _set(self, body: Any) -> Columns:
        members = [self._walk(member) for member in body.inputs]
        self.fields.append(("set", _SETS.get(body.op, "set operation")))
        return members[0]


def _is_window(expression: Expression) -> bool:
    return bool(expression.WhichOneof("rex_type") == "window_function")


def qualified(left: Columns, right: Columns) -> Columns:
    """The columns of both sides; those of one name say where they come from."""
    texts = [c.text for c in (*left, *right)]
    made = []
    for place, column in enumerate((*left, *right)):
        if texts.count(column.text) > 1 and column.text.isidentifier():
            side = "left" if place < len(left) else "right"
            others = {c.relation for c in (*left, *right) if c.text == column.text}
            apart = len(others) > 1 and column.relation
            column = Shown(f"{column.relation if apart else side}.{column.text}", column.level)
        made.append(column)
    return made


def condition(data: bytes | None, columns: Columns) -> str | None:
    """A condition that was kept as a plan of one boolean."""
    return None if data is None else Steps(data, [columns]).columns[0].text


def conjuncts(texts: Sequence[str]) -> str:
    return " AND ".join(f"({t})" if " OR " in t else t for t in texts) if len(texts) > 1 else "".join(texts)
