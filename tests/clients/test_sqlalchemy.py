"""SQLAlchemy over psycopg, psycopg2 and asyncpg: Core and ORM, as an application uses them; the same on Postgres."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from tests.clients.conftest import Served

tables = sa.MetaData()
account = sa.Table(
    "alchemy_account",
    tables,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("owner", sa.String(40), nullable=False),
    sa.Column("balance", sa.Numeric(12, 2), server_default="0"),
    sa.Column("since", sa.Date),
    sa.Column("seen", sa.DateTime(timezone=True)),
    sa.Column("active", sa.Boolean),
    sa.Column("mark", sa.Uuid),
    sa.Column("about", postgresql.JSONB),
    sa.Column("tags", postgresql.ARRAY(sa.Text)),
)


class Base(orm.DeclarativeBase):  # type: ignore[misc]  # it has no types here
    metadata = tables


class Note(Base):
    __tablename__ = "alchemy_note"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True, autoincrement=False)
    account_id: orm.Mapped[int]
    text: orm.Mapped[str | None]


ROWS = [
    {
        "id": n, "owner": f"owner {n}", "balance": Decimal(n) / 4, "since": date(2024, 2, 29),
        "seen": datetime(2024, 1, 1, 12, n, tzinfo=UTC), "active": n % 2 == 0, "mark": UUID(int=n),
        "about": {"n": n, "list": [1, None]}, "tags": ["a b", f"{n}"],
    }
    for n in range(10)
]  # fmt: skip


@pytest.fixture(params=["psycopg", "psycopg2"])
def database(request: pytest.FixtureRequest, either: Served) -> Iterator[Any]:
    engine = sa.create_engine(either.url(f"postgresql+{request.param}"))
    tables.create_all(engine)
    try:
        yield engine
    finally:
        tables.drop_all(engine)
        assert not sa.inspect(engine).has_table("alchemy_account")
        engine.dispose()


class Computed(orm.DeclarativeBase):  # type: ignore[misc]  # it has no types here
    pass


class Part(Computed):
    __tablename__ = "alchemy_part"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    name: orm.Mapped[str] = orm.mapped_column(sa.String(20), unique=True)
    pieces: orm.Mapped[int] = orm.mapped_column(sa.CheckConstraint("pieces > 0", name="some"), server_default="1")
    twice: orm.Mapped[int] = orm.mapped_column(sa.Computed("pieces * 2", persisted=True))
    number: orm.Mapped[int] = orm.mapped_column(sa.Integer, sa.Sequence("alchemy_number"))
    place: orm.Mapped[int] = orm.mapped_column(sa.BigInteger, sa.Identity(always=True, start=5))


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_what_the_server_computes_comes_back(driver: str, either: Served) -> None:
    engine = sa.create_engine(either.url(f"postgresql+{driver}"))
    Computed.metadata.create_all(engine)
    try:
        with orm.Session(engine) as session:
            session.add_all([Part(name="a"), Part(name="b", pieces=7)])
            session.commit()
            parts = session.scalars(sa.select(Part).order_by(Part.id)).all()
            assert [(p.id, p.name, p.pieces, p.twice, p.number, p.place) for p in parts] == [
                (1, "a", 1, 2, 1, 5),
                (2, "b", 7, 14, 2, 6),
            ]
            parts[0].pieces = 9
            session.commit()
            assert parts[0].twice == 18
            for wrong in (Part(name="a"), Part(name="c", pieces=-1)):
                session.add(wrong)
                with pytest.raises(sa.exc.IntegrityError):
                    session.commit()
                session.rollback()
        inspector = sa.inspect(engine)
        assert [found["name"] for found in inspector.get_unique_constraints("alchemy_part")] == [
            "alchemy_part_name_key"
        ]
        assert inspector.get_check_constraints("alchemy_part")[0]["sqltext"] == "pieces > 0"
        columns = {column["name"]: column for column in inspector.get_columns("alchemy_part")}
        assert columns["id"]["default"] == "nextval('alchemy_part_id_seq'::regclass)"
        assert columns["pieces"]["default"] == "1"
        assert columns["twice"]["computed"] == {"sqltext": "(pieces * 2)", "persisted": True}
        assert columns["place"]["identity"]["start"] == 5
    finally:
        Computed.metadata.drop_all(engine)
        engine.dispose()


def test_values_both_ways(database: Any) -> None:
    with database.begin() as connection:
        connection.execute(sa.insert(account), ROWS)
        found = connection.execute(sa.select(account).order_by(account.c.id)).mappings().all()
    assert [dict(row) for row in found] == ROWS


def test_many_rows_are_inserted_and_given_back_in_order(database: Any) -> None:
    rows = [{"id": n, "owner": str(n)} for n in range(2500)]
    statement = sa.insert(account).returning(account.c.id, account.c.balance, sort_by_parameter_order=True)
    with database.begin() as connection:
        assert connection.execute(statement, rows).all() == [(n, Decimal("0.00")) for n in range(2500)]
        changed = sa.update(account).where(account.c.id < 3).values(balance=account.c.balance + 5)
        assert connection.execute(changed).rowcount == 3
        gone = sa.delete(account).where(account.c.id >= 2499).returning(account.c.owner)
        assert connection.execute(gone).scalars().all() == ["2499"]


def test_an_upsert(database: Any) -> None:
    with database.begin() as connection:
        insert = postgresql.insert(account).values([{"id": 1, "owner": "ada"}, {"id": 2, "owner": "bob"}])
        connection.execute(insert)
        upsert = postgresql.insert(account).values(id=1, owner="eve")
        upsert = upsert.on_conflict_do_update(index_elements=["id"], set_={"owner": upsert.excluded.owner})
        connection.execute(upsert)
        assert connection.execute(sa.select(account.c.owner).order_by(account.c.id)).scalars().all() == ["eve", "bob"]


def test_results_are_streamed(database: Any) -> None:
    numbers = sa.text("SELECT n FROM generate_series(1, 5000) AS g(n) ORDER BY n")
    with database.connect() as connection:
        result = connection.execution_options(stream_results=True, max_row_buffer=100).execute(numbers)
        assert [next(result).n for _ in range(3)] == [1, 2, 3]
        result.close()
        parts = connection.execute(numbers).partitions(300)
        assert [len(part) for part in parts] == [300] * 16 + [200]


def test_savepoints_and_errors(database: Any) -> None:
    with database.connect() as connection:
        with connection.begin():
            connection.execute(sa.insert(account), ROWS[:3])
            with pytest.raises(sa.exc.IntegrityError), connection.begin_nested():
                connection.execute(sa.insert(account), ROWS[:1])
            with connection.begin_nested() as inner:
                connection.execute(sa.delete(account))
                inner.rollback()
            connection.execute(sa.insert(account), ROWS[3:4])
        assert connection.scalar(sa.select(sa.func.count()).select_from(account)) == 4
        with pytest.raises(sa.exc.ProgrammingError):
            connection.execute(sa.text("SELECT * FROM alchemy_nowhere"))
        connection.rollback()
        connection.execute(sa.delete(account))
        connection.rollback()
        assert connection.scalar(sa.select(sa.func.count()).select_from(account)) == 4


def test_the_orm_saves_changes_and_reads(database: Any) -> None:
    with orm.Session(database) as session:
        session.add_all([Note(id=n, account_id=n % 2, text=f"note {n}") for n in range(6)])
        session.commit()
        first = session.get_one(Note, 1)
        first.text = None
        session.delete(session.get_one(Note, 5))
        session.commit()
        with pytest.raises(sa.exc.IntegrityError), session.begin_nested():
            session.add(Note(id=2, account_id=9))  # flushed where the savepoint ends
        session.add(Note(id=7, account_id=0, text="kept"))
        session.commit()
        session.add(Note(id=8, account_id=0))
        session.flush()
        session.rollback()
    with orm.Session(database) as session:
        read = session.scalars(sa.select(Note).order_by(Note.id).execution_options(yield_per=2))
        assert [(note.id, note.text) for note in read] == [
            (0, "note 0"), (1, None), (2, "note 2"), (3, "note 3"), (4, "note 4"), (7, "kept"),
        ]  # fmt: skip
        grouped = (
            sa.select(Note.account_id, sa.func.count(Note.text)).group_by(Note.account_id).order_by(Note.account_id)
        )
        assert session.execute(grouped).all() == [(0, 4), (1, 1)]


def test_what_was_made_is_reflected(database: Any) -> None:
    found = sa.MetaData()
    found.reflect(database, only=["alchemy_account"])
    columns = {column.name: (str(column.type), column.nullable) for column in found.tables["alchemy_account"].columns}
    assert columns["id"] == ("INTEGER", False)
    assert columns["owner"] == ("VARCHAR(40)", False)
    assert columns["seen"][0] == "TIMESTAMP"
    assert [columns[name][0] for name in ("mark", "about", "tags")] == ["UUID", "JSONB", "ARRAY"]


def test_asyncpg(either: Served) -> None:
    async def work() -> None:
        engine = create_async_engine(either.url("postgresql+asyncpg"))
        try:
            async with engine.begin() as connection:
                await connection.run_sync(tables.create_all)
                await connection.execute(sa.insert(account), ROWS)
            async with AsyncSession(engine) as session:
                session.add_all([Note(id=n, account_id=n % 2) for n in range(6)])
                await session.commit()
                with pytest.raises(sa.exc.IntegrityError, match="alchemy_note_pkey"):
                    async with session.begin_nested():
                        session.add(Note(id=1, account_id=1))
                session.add(Note(id=9, account_id=1, text="after"))
                await session.commit()
                assert (await session.scalars(sa.select(Note.id).order_by(Note.id))).all() == [0, 1, 2, 3, 4, 5, 9]
            async with engine.connect() as connection:
                found = (await connection.execute(sa.select(account).order_by(account.c.id))).mappings().all()
                assert [dict(row) for row in found] == ROWS
                numbers = sa.text("SELECT n FROM generate_series(1, 2000) AS g(n) ORDER BY n")
                async with connection.stream(numbers, execution_options={"yield_per": 170}) as rows:
                    assert [row.n async for row in rows] == list(range(1, 2001))
                with pytest.raises(sa.exc.ProgrammingError):
                    await connection.execute(sa.text("SELECT * FROM alchemy_nowhere"))
                await connection.rollback()
                assert await connection.scalar(sa.text("SELECT 1")) == 1
        finally:
            async with engine.begin() as connection:
                await connection.run_sync(tables.drop_all)
            await engine.dispose()

    asyncio.run(work())
