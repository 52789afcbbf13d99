"""Where a sink of the catalog writes, opened."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from constellationdb.catalog.model import Relation
from constellationdb.connectors.api import Sink, SinkShape, SinkType
from constellationdb.connectors.registry import open_sink
from constellationdb.connectors.sink_options import ID, INTO, of_connector
from constellationdb.engine.sinks.shapes import debezium_schema
from constellationdb.engine.sinks.table import TableSink
from constellationdb.storage.disk import DISK, Disk

if TYPE_CHECKING:
    from constellationdb.engine.engine import Engine
    from constellationdb.engine.sinks.delivery import Delivery


def open_connector(relation: Relation, disk: Disk = DISK) -> Sink:
    options = relation.options
    kind = cast("SinkType", options["type"])
    schema = debezium_schema(relation.schema) if kind == "debezium" else relation.schema
    shape = SinkShape(relation.shown, options[ID], kind, schema, relation.primary_key)
    return open_sink(options["connector"], shape, of_connector(options), disk)


def open_target(engine: Engine, delivery: Delivery) -> Sink:
    table = delivery.relation.options.get(INTO)
    return open_connector(delivery.relation, engine.disk) if table is None else TableSink(engine, delivery, table)
