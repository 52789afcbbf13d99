"""What pg_catalog and information_schema tell of sequences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from constellationdb.catalog.model import SequenceParameters
from constellationdb.catalog.types import named
from constellationdb.engine.pg_catalog.cluster import DATABASE, OWNER_NAME
from constellationdb.engine.pg_catalog.objects import Described, Objects

if TYPE_CHECKING:
    from constellationdb.engine.session import Session

Row = dict[str, Any]

_BITS = {"smallint": 16, "integer": 32, "bigint": 64}


def sequences_of(relations: Iterable[Described]) -> Iterator[tuple[Described, SequenceParameters]]:
    for relation in relations:
        if relation.relation is not None and relation.relation.sequence is not None:
            yield relation, relation.relation.sequence


def type_oid(parameters: SequenceParameters) -> int:
    found = named(parameters.type_name)
    assert found is not None
    return found.oid


def pg_sequence(relations: Iterable[Described]) -> Iterator[Row]:
    for relation, given in sequences_of(relations):
        yield {
            "seqrelid": relation.oid, "seqtypid": type_oid(given), "seqstart": given.start,
            "seqincrement": given.increment, "seqmax": given.maximum, "seqmin": given.minimum,
            "seqcache": given.cache, "seqcycle": given.cycle,
        }  # fmt: skip


def pg_sequences(session: Session, objects: Objects) -> Iterator[Row]:
    for relation, given in sequences_of(objects.own):
        assert relation.relation is not None
        position = session.sequences.state(relation.relation.name).position
        yield {
            "schemaname": relation.schema, "sequencename": relation.name,
            "sequenceowner": OWNER_NAME, "data_type": type_oid(given), "start_value": given.start,
            "min_value": given.minimum, "max_value": given.maximum, "increment_by": given.increment,
            "cycle": given.cycle, "cache_size": given.cache, "last_value": position.last if position.called else None,
        }  # fmt: skip


def sequences(relations: Iterable[Described]) -> Iterator[Row]:
    """information_schema.sequences: those of identity columns are the columns' own affair."""
    known = list(relations)
    identities = {a.sequence for relation in known for a in relation.attributes if a.identity}
    for relation, given in sequences_of(known):
        if relation.relation is not None and relation.relation.name in identities:
            continue
        yield {
            "sequence_catalog": DATABASE, "sequence_schema": relation.schema,
            "sequence_name": relation.name, "data_type": given.type_name,
            "numeric_precision": _BITS[given.type_name], "numeric_precision_radix": 2, "numeric_scale": 0,
            "start_value": str(given.start), "minimum_value": str(given.minimum), "maximum_value": str(given.maximum),
            "increment": str(given.increment), "cycle_option": "YES" if given.cycle else "NO",
        }  # fmt: skip


def of_identity(parameters: SequenceParameters) -> Row:
    """What information_schema.columns says of an identity column's sequence."""
    return {
        "identity_start": str(parameters.start), "identity_increment": str(parameters.increment),
        "identity_maximum": str(parameters.maximum), "identity_minimum": str(parameters.minimum),
        "identity_cycle": "YES" if parameters.cycle else "NO",
    }  # fmt: skip
