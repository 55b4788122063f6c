"""Databases on disk: opened one way, refused where they are not what they should be, whole or not at all."""

import fcntl
import os
import sqlite3
import stat
from pathlib import Path

import pytest

from schemas.errors import StoreError
from transport.disk import Database, open_database

KIND, VERSION, OWNER = 0x53575431, 3, "mys-mar"


def create(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE kept(number INTEGER PRIMARY KEY, content BLOB NOT NULL)")


def opened(path: Path, *, kind: int = KIND, version: int = VERSION, owner: str = OWNER) -> Database:
    return open_database(path, application_id=kind, version=version, owner=owner, create=create)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database that was made, used and closed."""
    made = tmp_path / "folder" / "store.sqlite"
    database = opened(made)
    with database.transaction() as sql:
        sql.execute("INSERT INTO kept VALUES (1, x'aa')")
    database.close()
    return made


def rows(database: Database) -> list[int]:
    return [number for (number,) in database.connection.execute("SELECT number FROM kept ORDER BY number")]


def test_a_file_is_made_with_its_folder_and_found_again(path: Path) -> None:
    database = opened(path)

    assert [1] == rows(database)
    database.close()


def test_file_lock_and_logs_are_for_their_owner_alone(tmp_path: Path) -> None:
    """A store that others can read is how more than one broker gave its queues away."""
    before = os.umask(0)
    try:
        database = opened(tmp_path / "folder" / "store.sqlite")
        with database.transaction() as sql:
            sql.execute("INSERT INTO kept VALUES (1, x'aa')")
    finally:
        os.umask(before)

    modes = {item.name: stat.S_IMODE(item.stat().st_mode) for item in (tmp_path / "folder").iterdir()}
    database.close()

    assert {"store.sqlite", "store.sqlite.lock", "store.sqlite-wal", "store.sqlite-shm"} == modes.keys()
    assert {0o600} == set(modes.values())
    assert 0o700 == stat.S_IMODE((tmp_path / "folder").stat().st_mode)


def test_a_file_that_was_open_to_others_is_closed_to_them(path: Path) -> None:
    path.chmod(0o644)

    opened(path).close()

    assert 0o600 == stat.S_IMODE(path.stat().st_mode)


def test_a_database_of_another_program_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.sqlite"
    connection = sqlite3.connect(foreign)
    connection.execute("CREATE TABLE theirs(x)")
    connection.commit()
    connection.close()

    with pytest.raises(StoreError, match="database of another kind"):
        opened(foreign)

    connection = sqlite3.connect(foreign)
    assert [("theirs",)] == connection.execute("SELECT name FROM sqlite_master").fetchall()
    connection.close()


def test_another_kind_of_ours_is_refused(path: Path) -> None:
    """A node's file put where the router's belongs."""
    with pytest.raises(StoreError, match="another kind"):
        opened(path, kind=KIND + 1)


def test_another_version_is_refused_with_both_numbers(path: Path) -> None:
    with pytest.raises(StoreError, match="schema version 3; this program knows 4") as caught:
        opened(path, version=VERSION + 1)

    assert "release that made it" in caught.value.remedy


def test_another_owners_file_is_refused(path: Path) -> None:
    with pytest.raises(StoreError, match="belongs to mys-mar, not to sgp-mar") as caught:
        opened(path, owner="sgp-mar")

    assert "swapped" in caught.value.remedy


def test_a_file_whose_owner_was_taken_out_is_refused(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("DELETE FROM owner")
    connection.commit()
    connection.close()

    with pytest.raises(StoreError, match="belongs to nobody"):
        opened(path)


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.sqlite").write_bytes(b"not a database at all, whatever its name" * 100)

    with pytest.raises(StoreError, match="damaged or no database"):
        opened(tmp_path / "text.sqlite")


def test_a_damaged_page_is_found_before_anything_is_served(path: Path) -> None:
    database = opened(path)
    with database.transaction() as sql:
        sql.executemany("INSERT INTO kept VALUES (?, ?)", [(number, bytes(3_000)) for number in range(2, 200)])
        sql.execute("CREATE INDEX by_content ON kept(content, number)")
    database.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    whole = bytearray(path.read_bytes())
    for at in range(8 * 4_096, 60 * 4_096, 4_096):
        whole[at : at + 64] = bytes(64)
    path.write_bytes(whole)

    with pytest.raises(StoreError, match="is damaged") as caught:
        opened(path)

    assert "restore" in caught.value.remedy


def test_a_truncated_file_is_refused(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5_000])

    with pytest.raises(StoreError, match="damaged"):
        opened(path)


def test_a_file_in_use_is_refused_and_free_again_after_its_end(path: Path) -> None:
    first = opened(path)

    with pytest.raises(StoreError, match="in use by another process"):
        opened(path)

    first.close()
    opened(path).close()


def test_a_refused_file_is_not_left_locked(path: Path) -> None:
    with pytest.raises(StoreError):
        opened(path, owner="sgp-mar")

    lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(lock)


def test_a_folder_that_cannot_be_made_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(StoreError, match="cannot be made"):
        opened(tmp_path / "file" / "store.sqlite")


def test_a_folder_in_the_place_of_the_file_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "store.sqlite").mkdir()

    with pytest.raises(StoreError, match="cannot be opened"):
        opened(tmp_path / "store.sqlite")


def test_a_crash_while_the_file_was_made_leaves_one_that_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "store.sqlite").touch()

    database = opened(tmp_path / "store.sqlite")

    assert [] == rows(database)
    database.close()


def test_a_file_that_was_in_use_and_is_empty_now_is_refused_until_it_is_moved_away(path: Path) -> None:
    """To begin anew without a word would forget everything that was promised."""
    path.write_bytes(b"")

    with pytest.raises(StoreError, match="is empty, and was not when it was last used") as caught:
        opened(path)
    assert "move the file away to begin anew" in caught.value.remedy
    assert b"" == path.read_bytes()

    path.rename(path.with_name("spoilt"))
    database = opened(path)
    assert [] == rows(database)
    database.close()


def test_a_database_of_before_there_was_a_mark_gets_it(path: Path) -> None:
    path.with_name(path.name + ".lock").write_bytes(b"")
    opened(path).close()
    path.write_bytes(b"")

    with pytest.raises(StoreError, match="is empty"):
        opened(path)


@pytest.mark.parametrize("at", range(100))
def test_a_header_with_a_flipped_bit_is_refused_and_left_or_harmless(path: Path, at: int) -> None:
    """Some of its bytes are spare or rewritten anyway; whatever is opened holds what was kept."""
    whole = bytearray(path.read_bytes())
    whole[at] ^= 0x04
    path.write_bytes(whole)

    try:
        database = opened(path)
    except StoreError as error:
        assert error.remedy  # noqa: PT017 - one of two outcomes, and both are looked at
        assert whole == path.read_bytes()
    else:
        assert [1] == rows(database)
        database.close()


def test_a_file_that_is_refused_stays_as_it_was_with_what_its_log_holds(path: Path) -> None:
    """A log that was left by a kill is not worked into a file that will not be used."""
    database = opened(path)
    with database.transaction() as sql:
        sql.execute("INSERT INTO kept VALUES (2, x'bb')")
    log = path.with_name(path.name + "-wal")
    copies = path.read_bytes(), log.read_bytes()
    database.close()
    path.write_bytes(copies[0])
    log.write_bytes(copies[1])

    with pytest.raises(StoreError, match="belongs to mys-mar"):
        opened(path, owner="sgp-mar")

    assert copies == (path.read_bytes(), log.read_bytes())
    database = opened(path)
    assert [1, 2] == rows(database)
    database.close()


def test_a_full_disk_keeps_nothing_of_a_transaction_and_all_before_it(path: Path) -> None:
    database = opened(path)
    pages = database.connection.execute("PRAGMA page_count").fetchone()[0]
    database.connection.execute(f"PRAGMA max_page_count = {pages + 1}")

    with pytest.raises(StoreError, match="full") as caught, database.transaction() as sql:  # noqa: PT012 - one block
        sql.execute("INSERT INTO kept VALUES (2, x'bb')")
        sql.execute("INSERT INTO kept VALUES (3, zeroblob(100000))")

    assert "make room" in caught.value.remedy
    assert [1] == rows(database)
    database.connection.execute("PRAGMA max_page_count = 100000")
    with database.transaction() as sql:
        sql.execute("INSERT INTO kept VALUES (2, x'bb')")
    assert [1, 2] == rows(database)
    database.close()


def test_an_error_of_the_block_itself_takes_everything_back_and_comes_out_as_it_is(path: Path) -> None:
    database = opened(path)

    with pytest.raises(KeyError), database.transaction() as sql:  # noqa: PT012 - one block
        sql.execute("INSERT INTO kept VALUES (2, x'bb')")
        raise KeyError

    assert [1] == rows(database)
    database.close()


def test_a_transaction_inside_a_transaction_is_an_error_that_takes_back_both(path: Path) -> None:
    """Two threads on one connection would do that; nothing of either may be half kept."""
    database = opened(path)

    with pytest.raises(StoreError), database.transaction() as sql:  # noqa: PT012 - one block
        sql.execute("INSERT INTO kept VALUES (2, x'bb')")
        with database.transaction():
            pass

    assert [1] == rows(database)
    database.close()


def test_what_was_committed_is_there_after_the_process_is_gone(tmp_path: Path) -> None:
    """No close, no checkpoint: the file as a kill leaves it, taken as a copy."""
    database = opened(tmp_path / "store.sqlite")
    with database.transaction() as sql:
        sql.execute("INSERT INTO kept VALUES (7, x'aa')")
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("store.sqlite", "store.sqlite-wal"):
        (copy / name).write_bytes((tmp_path / name).read_bytes())
    database.close()

    again = opened(copy / "store.sqlite")

    assert [7] == rows(again)
    again.close()
