"""A disk in memory keeps what was committed, and nothing of whoever died before."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.errors import StoreError
from transport.memory_disk import Dead, MemoryDatabase, MemoryDisk, Moment

PATH = Path("nodes/sgp-mar.sqlite")


def open_on(disk: MemoryDisk, *, owner: str = "sgp-mar", version: int = 1) -> MemoryDatabase:
    def create(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE kept(word TEXT)")

    return disk.open(PATH, application_id=7, version=version, owner=owner, create=create)


def words(disk: MemoryDisk) -> list[str]:
    return [word for (word,) in disk.connection(PATH).execute("SELECT word FROM kept ORDER BY rowid")]


def die_over_a_write(handle: MemoryDatabase, disk: MemoryDisk) -> None:
    with handle.transaction() as sql:
        sql.execute("INSERT INTO kept VALUES ('never')")
        disk.kill(PATH)


@pytest.fixture
def disk() -> Iterator[MemoryDisk]:
    made = MemoryDisk()
    yield made
    made.close()


def test_what_was_committed_outlives_a_death_and_nothing_else_does(disk: MemoryDisk) -> None:
    first = open_on(disk)
    with first.transaction() as sql:
        sql.execute("INSERT INTO kept VALUES ('before')")
    with pytest.raises(Dead):
        die_over_a_write(first, disk)
    with pytest.raises(Dead), first.transaction():
        pytest.fail("the dead do not write")
    with open_on(disk).transaction() as sql:
        sql.execute("INSERT INTO kept VALUES ('after')")

    assert ["before", "after"] == words(disk)


@pytest.mark.parametrize(("moment", "kept"), [("before-commit", []), ("after-commit", ["word"])])
def test_one_may_die_on_either_side_of_a_commit(moment: Moment, kept: list[str]) -> None:
    def gate(owner: str, passed: Moment) -> None:
        assert owner == "sgp-mar"
        if passed == moment:
            raise Dead

    disk = MemoryDisk(gate=gate)
    with pytest.raises(Dead), open_on(disk).transaction() as sql:
        sql.execute("INSERT INTO kept VALUES ('word')")

    assert kept == words(disk)
    disk.close()


def test_two_cannot_have_one_database_open(disk: MemoryDisk) -> None:
    first = open_on(disk)
    with pytest.raises(StoreError):
        open_on(disk)
    first.close()

    assert open_on(disk) is not first


def test_another_owner_or_version_is_refused(disk: MemoryDisk) -> None:
    open_on(disk).close()

    with pytest.raises(StoreError):
        open_on(disk, owner="mys-mar")
    with pytest.raises(StoreError):
        open_on(disk, version=2)
