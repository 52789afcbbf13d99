"""Views whose stored plans this release does not read: planned anew from their queries when the database starts.

A new plan has operators of its own, for which there is no state, so such a view is computed anew, and so is what is
computed from it. What reads a source that keeps no history cannot be: it is stopped, as after a failure, and its
rows are there as they were. A plan of a later release is refused: that release reads it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from constellationdb.catalog.catalog import Catalog
from constellationdb.catalog.model import Command, Create, Relation
from constellationdb.engine.manifest import JobManifest, Manifest, catalog_of
from constellationdb.errors import FeatureNotSupported
from constellationdb.planner import plan
from constellationdb.planner.continuous import ContinuousPlanner
from constellationdb.planner.statements import Query

if TYPE_CHECKING:
    from constellationdb.engine.engine import Engine

_LOST = "its plan is of an earlier format, and it reads a source that keeps no history"


def with_readable_plans(engine: Engine, manifest: Manifest) -> tuple[Manifest, list[str]]:
    """A checkpoint as this release can go on from it, and the names of the views that were planned anew."""
    catalog, known = catalog_of(manifest), dict[str, Relation]()
    planned: list[str] = []
    for relation in manifest.relations:
        known[relation.name] = relation
        if relation.plan and not is_readable(relation):
            known[relation.name] = planned_anew(engine, replace(catalog, relations=dict(known)), relation)
            planned.append(relation.name)
    if not planned:
        return manifest, []
    jobs = manifest.jobs | dict(_computed_anew(manifest, known, planned))
    return msgspec.structs.replace(manifest, relations=list(known.values()), jobs=jobs), planned


def readable_command(engine: Engine, command: Command) -> Command:
    """A definition of the log, whose views are not in any checkpoint."""
    if not isinstance(command, Create) or all(not r.plan or is_readable(r) for r in command.relations):
        return command
    made = (r if not r.plan or is_readable(r) else planned_anew(engine, engine.catalog, r) for r in command.relations)
    return Create(tuple(made))


def is_readable(relation: Relation) -> bool:
    """FeatureNotSupported where a later release has written the plan."""
    found = plan.format_of(relation.plan)
    if found > plan.VERSION:
        raise FeatureNotSupported(
            f'the plan of materialized view "{relation.shown}" has format {found},'
            f" this release reads up to {plan.VERSION}",
            hint="open the database with the release that wrote it, or a newer one",
        )
    return plan.is_readable(relation.plan)


def planned_anew(engine: Engine, catalog: Catalog, relation: Relation) -> Relation:
    """``catalog``: of what was defined before it."""
    query, names = msgspec.msgpack.decode(relation.query, type=tuple[Query, tuple[str, ...]])
    before = {name: other for name, other in catalog.relations.items() if name != relation.name}
    relations = engine.planned.of(replace(catalog, relations=before))
    lowered = ContinuousPlanner(relations).plan(query, names)
    if not lowered.output.equals(relation.schema) or lowered.root.append_only != relation.append_only:
        raise FeatureNotSupported(
            f'the plan of materialized view "{relation.shown}" is of an earlier format,'
            " and its query means other columns in this release",
            hint="open the database with the release that wrote it, and drop the view there",
        )
    return msgspec.structs.replace(relation, plan=plan.encode(lowered))


def _computed_anew(
    manifest: Manifest, relations: dict[str, Relation], planned: list[str]
) -> Iterator[tuple[str, JobManifest]]:
    """Relations come after what they read."""
    anew: set[str] = set()
    for name in (name for name in relations if name in manifest.jobs):
        reads = relations[name].depends_on
        if name not in planned and anew.isdisjoint(reads):
            continue
        job = manifest.jobs[name]
        if any(_forgets(relations[read]) for read in reads if read in relations):
            yield name, msgspec.structs.replace(job, failure=job.failure or _LOST)
        else:
            anew.add(name)
            yield name, msgspec.structs.replace(job, again=True)


def _forgets(relation: Relation) -> bool:
    return relation.kind == "source" and "connector" not in relation.options
