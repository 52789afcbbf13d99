"""Next versions of materialized views: built beside the old ones, and put in their places once they have caught up.

A next version is a materialized view of its own that SQL does not see. So it is computed like any other, is part of
checkpoints and goes on after a restart; and when it is there, one command of the catalog makes it the view.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from constellationdb.catalog.catalog import Catalog
from constellationdb.catalog.model import Relation, Supersede
from constellationdb.connectors.relation_options import retained_us
from constellationdb.engine.arrangement import Arrangement
from constellationdb.engine.handover import handover
from constellationdb.engine.job import Job, Outputs
from constellationdb.engine.redefining import set_up, take_down
from constellationdb.engine.relation import RelationState
from constellationdb.engine.reshape import Reshape
from constellationdb.engine.side import errors_name
from constellationdb.engine.stopped import is_stopped
from constellationdb.engine.successors import columns_before, same_columns, views_over
from constellationdb.errors import ConstellationError

if TYPE_CHECKING:
    from constellationdb.engine.engine import Engine
    from constellationdb.engine.sequencer import Epoch

# So few epochs behind a next version may be when its turn is asked for: no epoch begins before it has done them.
_NEAR = 4
_PATIENCE_SECONDS = 2.0


class Successions:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._asked: set[str] = set()

    def look(self, job: Job) -> None:
        """Under the engine's lock, whenever a job has got on: is it a next version whose turn has come?"""
        engine = self._engine
        relation = engine.catalog.relations.get(job.name)
        if relation is None or not relation.is_upcoming or job.starting or job.failure is not None:
            return
        if engine.sequencer is None or job.name in self._asked or engine.epoch - job.reached() > _NEAR:
            return
        name = job.name
        self._asked.add(name)  # first: the sequencer may have done it before this thread goes on
        try:
            engine.submit(lambda epoch: self._succeed(epoch, name), first=True)
        except ConstellationError:
            self._asked.discard(name)  # shutting down: the next start looks again

    def _succeed(self, epoch: Epoch, name: str) -> None:
        """On the sequencer's thread: let both versions finish what there is, and change over."""
        engine = self._engine
        self._asked.discard(name)
        relation = engine.catalog.relations.get(name)
        if relation is None or relation.owner is None:
            return
        old, new = engine.jobs[relation.owner], engine.jobs[name]
        before = epoch.number - 1
        there = engine.wait(lambda: _have_reached(before, new, old, *_over(engine, old)), timeout=_PATIENCE_SECONDS)
        with engine.lock:
            if new.failure is not None:
                return
            if not there:
                self.look(new)
                return
            view = engine.catalog.get(relation.owner)
            try:
                over = views_over(engine, view, relation)
                same = same_columns(view.schema, relation.schema)
                sources = () if same else columns_before(view.schema, relation.schema)
                engine.define(epoch, Supersede(view.name, name, over, sources))
            except ConstellationError as error:
                new.failure = error
                engine.worker.remove(new)
                engine.moved()


def supersede(engine: Engine, command: Supersede, catalog: Catalog, epoch: int, at_us: int) -> None:
    """Under the engine's lock: the next version's job goes on as the view's."""
    old, new = engine.jobs.pop(command.view), engine.jobs.pop(command.by)
    view = catalog.get(command.view)
    engine.end(old)
    engine.lookups.forget(new.oid)  # what it has asked for would be told to a view that is gone
    for state in new.outputs.all():
        del engine.states[state.name]
    taken = take_down(engine, _over(engine, old)) if command.sources else {}
    outputs = _reshaped(engine, command, view, old, epoch) if command.sources else old.outputs
    over = handover(epoch, at_us, outputs.all(), new.outputs.all())
    outputs.view.log.retained_us = retained_us(view.options)
    new.take_over(command.view, view.oid, outputs, over)
    engine.jobs[command.view] = new
    engine.durability.handed_over({command.view, errors_name(command.view), *taken})
    set_up(engine, catalog, taken, epoch - 1)
    new.resume()
    engine.worker.add(new)
    engine.worker.send_requests(new)


def _over(engine: Engine, view: Job) -> list[Job]:
    """The jobs that read a view."""
    return [job for job in engine.jobs.values() if view.name in job.inputs]


def _have_reached(epoch: int, *jobs: Job) -> bool:
    return all(is_stopped(job) or (not job.starting and job.reached() >= epoch) for job in jobs)


def _reshaped(engine: Engine, command: Supersede, view: Relation, old: Job, epoch: int) -> Outputs:
    """The view's relation with other columns: at first the rows it had, with NULL for what is new.

    Nobody sees these: it is ready at ``epoch``, with the new version's rows. Who subscribed has to do so anew.
    """
    gone, schema = old.outputs.view, view.schema
    nulls = pa.RecordBatch.from_arrays([pa.nulls(1, field.type) for field in schema], schema=schema)
    reshape = Reshape(schema, command.sources, nulls)
    contents = Arrangement(schema)
    assert gone.contents is not None
    contents.restore(reshape.rows(gone.contents.snapshot()), epoch - 1)
    fresh = RelationState(view.name, schema, contents, epoch)
    fresh.watermark, fresh.ready = gone.watermark, False
    gone.give_way(fresh)
    engine.states[view.name] = fresh
    engine.durability.redefined({view.name})
    return Outputs(fresh, old.outputs.errors)
