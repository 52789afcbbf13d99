"""What each node's columns are called: a scan's as in its relation, a computed one by its expression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from constellationdb.planner import plan
from constellationdb.planner.explain.steps import Columns, Steps, qualified
from constellationdb.planner.explain.words import Shown
from constellationdb.planner.relations import PlannedRelation


class Names:
    """The columns of every node of one plan, each looked at once."""

    def __init__(self, relations: Mapping[str, PlannedRelation]) -> None:
        self.relations = relations
        self.working: dict[str, Columns] = {}  # what the steps of recursions read
        self.apart: set[int] = set()  # the nodes of these steps, which borrow no rows
        self._known: dict[int, Columns] = {}

    def of(self, node: plan.AnyNode) -> Columns:
        if node.id not in self._known:
            self._known[node.id] = self._columns(node)
        return self._known[node.id]

    def steps(self, node: plan.Fragment | plan.Recompute) -> Steps:
        """A node's own plan over what its inputs bring."""
        slots = [self.brief(child) for child in node.children]
        if isinstance(node, plan.Fragment) and node.weighted:
            slots = [[*slots[0], Shown("weight")]]
        return Steps(node.substrait, slots)

    def joined(self, node: plan.Join) -> Columns:
        """The columns of both sides of a join, which its condition speaks of, whatever it shows."""
        return qualified(self.of(node.left), self.of(node.right))

    def brief(self, node: plan.AnyNode) -> Columns:
        """The columns as a node above speaks of them: long expressions are cut."""
        return [Shown(c.brief(), c.level, c.relation) for c in self.of(node)]

    def relation_column(self, scan: plan.Scan, place: int) -> str:
        relation = self.relations.get(scan.relation)
        if relation is None or scan.columns[place] >= len(relation.schema):
            return str(scan.schema.field(place).name)
        return str(relation.schema.field(scan.columns[place]).name)

    def _columns(self, node: plan.AnyNode) -> Columns:
        match node:
            case plan.Scan() if node.relation in self.working:
                return [self.working[node.relation][i] for i in node.columns]
            case plan.Scan():
                return [Shown(self.relation_column(node, i), relation=node.relation) for i in range(len(node.columns))]
            case plan.Constant():
                return [Shown(f"value{i + 1}") for i in range(len(node.schema))]
            case plan.Recompute() if node.frames:
                return [*self.of(node.inputs[0]), *framed(node.frames, self.brief(node.inputs[0]))]
            case plan.Fragment() | plan.Recompute():
                return self.steps(node).columns[: len(node.schema)]
            case plan.Union():
                return self.of(node.inputs[0])
            case plan.WindowAssign() | plan.SessionAssign():
                return [*self.of(node.input), Shown("window_start"), Shown("window_end")]
            case plan.Changelog():
                return [Shown("_epoch"), Shown("_diff"), *self.of(node.input)]
            case plan.Aggregate():
                below = self.brief(node.input)
                return [*(below[k] for k in node.keys), *(Shown(measure(m, below)) for m in node.measures)]
            case plan.PartialAggregate():
                return [*self.of(node.input), Shown("partial")]
            case plan.Over():
                below = self.brief(node.input)
                keys, order = listed([below[k] for k in node.keys]) or "()", ordered(node.order, below)
                slot = [*below, Shown(keys), Shown(order), Shown(order)]
                if node.frames:
                    return [*self.of(node.input), *framed(node.frames, slot)]
                return [*self.of(node.input), *Steps(node.substrait, [slot]).columns[1:]]
            case plan.TopN():
                return [*self.of(node.input), *([Shown(f"{rank(node)} OVER (…)")] if node.numbered else [])]
            case plan.Join(kind="semi" | "anti"):
                return self.of(node.left)
            case plan.Join(kind="mark"):
                return [*self.of(node.left), Shown("matched")]
            case plan.SessionAggregate() | plan.PaneAggregate():
                below = self.brief(node.input)
                window = [Shown("window_start"), Shown("window_end")]
                return [*(below[k] for k in node.keys), *window, *(Shown(measure(m, below)) for m in node.measures)]
            case plan.Join():
                return self.joined(node)
            case plan.Asof():
                return qualified(self.of(node.left), self.of(node.right))
            case plan.LookupJoin():
                return qualified(self.of(node.input), [Shown(c, relation=node.table) for c in node.columns])
            case plan.ReplicatedLookup():
                return qualified(self.of(node.input), self.of(node.side)[: node.width])
            case plan.OnClose() | plan.TemporalFilter():
                return self.of(node.input)
            case plan.Unnest():
                below = self.brief(node.input)
                return [*below[: node.count], *(Shown(f"unnest({c.text})") for c in below[node.count :])]
            case plan.Recursion():
                return [c for i, c in enumerate(self.recursion(node)) if i != node.iteration]

    def recursion(self, node: plan.Recursion) -> Columns:
        """The columns of the rows found, with the number of their step."""
        return [Shown("step") if i == node.iteration else c for i, c in enumerate(self.brief(node.base))]


def measure(made: plan.Measure, columns: Columns) -> str:
    argument = ", ".join(columns[c].text for c in (made.argument, *made.more) if c >= 0) or "*"
    if made.kind == "count" and made.more:
        argument = f"({argument})"
    distinct = "DISTINCT " if made.distinct and made.kind not in ("min", "max") else ""
    text = f"{made.function or made.kind}({distinct}{argument})"
    return text if made.filter < 0 else f"{text} FILTER (WHERE {columns[made.filter].text})"


def framed(sets: Sequence[plan.FrameSet], columns: Columns) -> Columns:
    """What functions over frames add to the columns that they are of."""
    calls = [(output, call, part) for part in sets for call, output in zip(part.calls, part.outputs, strict=True)]
    return [Shown(_over(call, part, columns)) for _, call, part in sorted(calls, key=lambda found: found[0])]


def _over(call: plan.FrameCall, part: plan.FrameSet, columns: Columns) -> str:
    arguments = listed([columns[c] for c in call.columns]) or "*"
    keys = f"PARTITION BY {listed([columns[k] for k in part.keys])} " if part.keys else ""
    order = f"ORDER BY {ordered(part.order, columns)} " if part.order else ""
    return f"{call.name}({arguments}) OVER ({keys}{order}{part.frame.shown()})"


def rank(node: plan.TopN) -> str:
    return f"{node.rank}()"


def ordered(order: Sequence[plan.Order], columns: Columns) -> str:
    return ", ".join(_term(term, columns) for term in order)


def _term(term: plan.Order, columns: Columns) -> str:
    nulls = "" if term.nulls_first == term.descending else f" NULLS {'FIRST' if term.nulls_first else 'LAST'}"
    return f"{columns[term.column].text}{' DESC' if term.descending else ''}{nulls}"


def listed(columns: Columns) -> str:
    return ", ".join(c.text for c in columns)
