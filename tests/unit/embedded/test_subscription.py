"""Changes epoch by epoch, tokens, and both kinds of loop."""

import asyncio

import pytest

from constellationdb.embedded import Changes, Database
from constellationdb.errors import InvalidParameter, UndefinedRelation

PATIENCE_S = 20.0


@pytest.fixture
def counts(database: Database) -> Database:
    database.execute("CREATE TABLE words (id bigint PRIMARY KEY, word text)")
    database.execute("CREATE MATERIALIZED VIEW counts AS SELECT word, count(*) AS n FROM words GROUP BY word")
    database.execute("INSERT INTO words VALUES (1, 'a'), (2, 'a'), (3, 'b')")
    database.sql("SELECT * FROM counts").fetchall()
    return database


def _sorted(changes: Changes | None) -> list[tuple[int, tuple[object, ...]]]:
    assert changes is not None, "no changes came"
    return sorted(changes)


def test_the_contents_come_first_and_then_each_epoch_whole(counts: Database) -> None:
    with counts.subscribe("counts") as subscription:
        assert _sorted(subscription.next(PATIENCE_S)) == [(1, ("a", 2)), (1, ("b", 1))]
        counts.execute("UPDATE words SET word = 'b' WHERE id = 1")
        changes = subscription.next(PATIENCE_S)
        assert _sorted(changes) == [(-1, ("a", 2)), (-1, ("b", 1)), (1, ("a", 1)), (1, ("b", 2))]
        assert changes is not None
        assert set(changes.arrow().column("_epoch").to_pylist()) == {changes.epoch}


def test_a_token_resumes_behind_the_epoch_that_was_handed_over(counts: Database) -> None:
    with counts.subscribe("counts") as subscription:
        assert subscription.resume_token is None
        subscription.next(PATIENCE_S)
        token = subscription.resume_token
    counts.execute("INSERT INTO words VALUES (4, 'c')")
    counts.execute("DELETE FROM words WHERE id = 4")
    with counts.subscribe("counts", resume=token) as subscription:
        assert subscription.resume_token == token
        assert _sorted(subscription.next(PATIENCE_S)) == [(1, ("c", 1))]
        assert subscription.resume_token != token
        assert _sorted(subscription.next(PATIENCE_S)) == [(-1, ("c", 1))]


def test_without_a_snapshot_only_changes_come(counts: Database) -> None:
    with counts.subscribe("counts", snapshot=False) as subscription:
        while subscription.resume_token is None:
            assert subscription.next(0.05) is None
        counts.execute("INSERT INTO words VALUES (5, 'z')")
        assert _sorted(subscription.next(PATIENCE_S)) == [(1, ("z", 1))]


def test_a_for_loop_ends_with_close(counts: Database) -> None:
    seen = []
    subscription = counts.subscribe("counts")
    for changes in subscription:
        seen.append(changes)
        subscription.close()
    assert len(seen) == 1
    assert subscription.next(0) is None


def test_an_async_for_loop_sees_the_same(counts: Database) -> None:
    async def read() -> list[Changes]:
        seen: list[Changes] = []
        async with counts.subscribe("counts") as subscription:
            async for changes in subscription:
                seen.append(changes)
                if len(seen) == 2:
                    break
                await asyncio.to_thread(counts.execute, "INSERT INTO words VALUES (6, 'b')")
        return seen

    first, second = asyncio.run(read())
    assert sorted(first) == [(1, ("a", 2)), (1, ("b", 1))]
    assert sorted(second) == [(-1, ("b", 1)), (1, ("b", 2))]
    assert second.epoch > first.epoch


def test_a_foreign_token_is_refused(counts: Database) -> None:
    with pytest.raises(InvalidParameter, match='"words@3" is not a resume token of "counts"'):
        counts.subscribe("counts", resume="words@3")


def test_a_relation_that_is_not_there_is_an_error_at_once(counts: Database) -> None:
    with pytest.raises(UndefinedRelation):
        counts.subscribe("nothing")
