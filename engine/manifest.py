"""What a checkpoint says of itself, beside its blobs."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from constellationdb.catalog.catalog import Catalog
from constellationdb.catalog.model import Function, Relation, UserType
from constellationdb.connectors.api import Position
from constellationdb.engine.changelog import Undone
from constellationdb.engine.durable_subscriptions import SubscriptionPosition
from constellationdb.engine.sequences import SequencePosition


class SourceManifest(msgspec.Struct, frozen=True):
    positions: dict[str, Position]
    ended: list[str]
    watermark: int
    rows: int


class FirstAnswerManifest(msgspec.Struct, frozen=True):
    """How far a first answer was: see ``BackfillProgress``. ``ends``: positions of sources, and what has ended."""

    started_us: int
    rate: int
    begun: bool
    fed: list[str]
    read: int
    done: int
    total: int | None
    ends: dict[str, tuple[dict[str, Position], list[str]]]


class Home(msgspec.Struct, frozen=True):
    """How many workers share the state of a graph, and whether they are processes."""

    workers: int
    remote: bool


class JobManifest(msgspec.Struct, frozen=True):
    """``position``: where it stands, if not at the checkpoint's epoch. ``again``: it is to be computed anew.

    ``ahead``: by input, the epoch that it has read of it already. ``home``: where its graph ran.
    """

    watermarks: dict[str, int]
    view_watermark: int
    used: int
    late: int
    windowed: dict[int, tuple[int, int]] = {}  # by node: used and late
    position: int | None = None
    again: bool = False
    failure: str | None = None
    ready: bool = True
    first: FirstAnswerManifest | None = None
    ahead: dict[str, int] = {}
    home: Home | None = None


class SinkManifest(msgspec.Struct, frozen=True):
    """How far a sink was: see ``Delivery``."""

    held: int
    position: int | None
    marker: int | None
    rows: int
    bytes: int


class Manifest(msgspec.Struct, frozen=True):
    """``blobs``: name → the key it is stored under; unchanged ones keep the key of an earlier checkpoint."""

    epoch: int
    catalog_version: int
    next_oid: int
    relations: list[Relation]
    sources: dict[str, SourceManifest]
    jobs: dict[str, JobManifest]
    blobs: dict[str, str]
    forgotten: dict[str, int]  # relation → the changes up to this epoch are no longer kept
    sequences: dict[int, SequencePosition] = {}  # by oid
    schemas: dict[str, int] | None = None  # None: written when there was public alone, and no comments
    comments: list[tuple[int, str, str]] = []
    forgotten_us: dict[str, int] = {}  # … which all were made by that time
    functions: list[Function] = []
    at_us: int = 0
    since: dict[str, int] = {}  # relation → the epoch from which on its contents can be read, if not the checkpoint's
    types: list[UserType] = []
    sinks: dict[str, SinkManifest] = {}
    subscriptions: dict[int, SubscriptionPosition] = {}  # by oid
    undone: dict[str, list[Undone]] = {}  # by relation


def catalog_of(manifest: Manifest) -> Catalog:
    relations = {r.name: r for r in manifest.relations}
    functions = {f.oid: f for f in manifest.functions}
    types = {kind.oid: kind for kind in manifest.types}
    catalog = Catalog(manifest.catalog_version, manifest.next_oid, relations, functions=functions, types=types)
    if manifest.schemas is None:
        return catalog
    comments = {(oid, column): text for oid, column, text in manifest.comments}
    return replace(catalog, schemas=manifest.schemas, comments=comments)
