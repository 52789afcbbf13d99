"""Next versions of materialized views: built beside the old ones, and put in their places once they have caught up.

A next version is a materialized view of its own that SQL does not see. So it is computed like any other, is part of
checkpoints and goes on after a restart; and when it is there, one command of the catalog makes it the view.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from constellationdb.catalog.catalog import Catalog
from constellationdb.catalog.model import Relation, Supersede
from constellationdb.connectors.relation_options import retained_us
from constellationdb.engine.handover import handover
from constellationdb.engine.job import Job, Outputs
from constellationdb.engine.side import errors_name
from constellationdb.engine.successors import check_dependants, same_columns
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
        try:
            engine.submit(lambda epoch: self._succeed(epoch, job.name), first=True)
        except ConstellationError:
            return  # shutting down: the next start looks again
        self._asked.add(job.name)

    def _succeed(self, epoch: Epoch, name: str) -> None:
        """On the sequencer's thread: let both versions finish what there is, and change over."""
        engine = self._engine
        self._asked.discard(name)
        relation = engine.catalog.relations.get(name)
        if relation is None or relation.owner is None:
            return
        old, new = engine.jobs[relation.owner], engine.jobs[name]
        before = epoch.number - 1
        engine.wait(lambda: all(j.failure or j.reached() >= before for j in (old, new)), timeout=_PATIENCE_SECONDS)
        with engine.lock:
            if new.failure is not None:
                return
            if not (new.reached() >= before and (old.failure or old.reached() >= before)):
                self.look(new)
                return
            try:
                check_dependants(engine, engine.catalog.get(relation.owner), relation)
                engine.define(epoch, Supersede(relation.owner, name))
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
    if same_columns(old.outputs.view.schema, new.outputs.view.schema):
        outputs = old.outputs
        over = handover(epoch, at_us, old.outputs.all(), new.outputs.all())
    else:
        outputs = _with_other_columns(engine, view, old, new, epoch)
        over = handover(epoch, at_us, [old.outputs.errors], [new.outputs.errors])
        engine.durability.redefined({command.view})
    outputs.view.log.retained_us = retained_us(view.options)
    new.take_over(command.view, view.oid, outputs, over)
    engine.jobs[command.view] = new
    engine.durability.handed_over({command.view, errors_name(command.view)})
    new.resume()
    engine.worker.add(new)
    engine.worker.send_requests(new)


def _with_other_columns(engine: Engine, relation: Relation, old: Job, new: Job, epoch: int) -> Outputs:
    """Nothing depends on the view, and whoever subscribed to it has to do so anew: it is another relation."""
    gone, view = old.outputs.view, new.outputs.view
    gone.dropped = True
    gone.wake_readers()
    view.name = gone.name
    view.log.forgotten = view.since = epoch - 1
    engine.states[view.name] = view
    if relation.indexes:
        view.arrange()
    return Outputs(view, old.outputs.errors)
