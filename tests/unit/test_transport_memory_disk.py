"""A disk in memory keeps what was committed, and nothing of whoever died before."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from schemas.errors import DiskFullError, StoreError
from transport.disk_damage import Damage, damaged
from transport.memory_disk import Dead, MemoryDatabase, MemoryDisk, Moment
from transport.seeded import stream

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


def write(handle: MemoryDatabase, word: str) -> None:
    with handle.transaction() as sql:
        sql.execute("INSERT INTO kept VALUES (?)", (word,))


def test_an_old_copy_that_is_put_back_is_what_the_next_life_finds(disk: MemoryDisk) -> None:
    first = open_on(disk)
    write(first, "before")
    copy = disk.image(PATH)
    write(first, "after")
    disk.put_back(PATH, copy)
    with pytest.raises(Dead):
        write(first, "by the dead")
    write(open_on(disk), "anew")

    assert ["before", "anew"] == words(disk)


@pytest.mark.parametrize("damage", get_args(Damage))
@pytest.mark.parametrize("seed", range(8))
def test_a_damaged_file_is_never_opened(disk: MemoryDisk, damage: Damage, seed: int) -> None:
    handle = open_on(disk)
    for number in range(200):
        write(handle, f"a word of some length, the {number}th")
    image = disk.image(PATH)
    disk.put_back(PATH, damaged(image, damage, stream(seed, "damage")))
    with pytest.raises(StoreError, match="damaged"):
        open_on(disk)
    disk.put_back(PATH, image)

    assert 200 == len(words(disk))


def test_a_full_disk_takes_all_of_a_commit_or_nothing_and_then_has_room_again(disk: MemoryDisk) -> None:
    handle = open_on(disk)
    write(handle, "before")
    disk.fill(PATH)
    with pytest.raises(DiskFullError, match="full"):
        write(handle, "never")
    with handle.transaction() as sql:
        assert 1 == sql.execute("SELECT count(*) FROM kept").fetchone()[0]
    disk.make_room(PATH)
    write(handle, "after")

    assert ["before", "after"] == words(disk)
